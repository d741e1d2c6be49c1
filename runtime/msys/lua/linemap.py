"""Where generated Python came from: its Lua lines, and how Lua names what each expression touches.

The compiler makes the map, the loader registers it under the file name of the compiled code. Columns are those of
`co_positions()`: 0-based, in UTF-8 bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import CodeType
from typing import Any

Place = tuple[int, int, int, int]  # line, column, end line, end column
What = str | list[str]  # "field 'x'"; for two operands a list of two


@dataclass(frozen=True, slots=True)
class LineMap:
    """The map of one module.

    source: the chunk name that error texts show. lines: Python line to Lua line. marks: exact expression to its Lua
    line and name. identical: the code was compiled with Lua's own lines. python: it was written in Python, and its
    errors are told in Python's words. path: where the source file lies, for tools; empty when there is none.
    """

    source: str
    lines: Mapping[int, int] = field(default_factory=dict)
    marks: Mapping[Place, tuple[int, What]] = field(default_factory=dict)
    identical: bool = False
    python: bool = False
    path: str = ""
    known: Sequence[int] = field(
        init=False, repr=False, compare=False
    )  # the mapped Python lines in order

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", sorted(self.lines))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LineMap:
        """`{"source": …, "lines": {"12": 3}, "marks": [[line, col, end_line, end_col, lua_line, what], …]}`."""
        return cls(
            source=data["source"],
            lines={int(line): int(lua) for line, lua in data.get("lines", {}).items()},
            marks={tuple(mark[:4]): (mark[4], mark[5]) for mark in data.get("marks", [])},
            identical=bool(data.get("identical", False)),
            python=bool(data.get("python", False)),
            path=data.get("path", ""),
        )

    def lua_line(self, python_line: int) -> int:
        """The Lua line of a Python line: its own, or that of the nearest mapped line before it."""
        if self.identical:
            return python_line
        line = self.lines.get(python_line)
        if line is not None:
            return line
        place = bisect_right(self.known, python_line)
        return self.lines[self.known[place - 1]] if place else 0

    def at(self, code: CodeType, instruction: int) -> tuple[int, What]:
        """Lua line and name of the expression that the instruction at this offset belongs to."""
        line, end_line, column, end_column = next(
            islice(code.co_positions(), instruction // 2, None), (None, None, None, None)
        )
        if line is None:
            return self.lua_line(code.co_firstlineno), ""
        if column is not None and end_line is not None and end_column is not None:
            found = self.marks.get((line, column, end_line, end_column))
            if found is not None:
                return found
        return self.lua_line(line), ""


_maps: dict[str, LineMap] = {}


def register_map(code_filename: str, line_map: LineMap) -> None:
    """Tell the errors of code compiled under this file name in Lua's lines."""
    _maps[code_filename] = line_map


def forget_map(code_filename: str) -> None:
    """The module is gone, with the generation it belonged to."""
    _maps.pop(code_filename, None)


def registered_maps() -> Mapping[str, LineMap]:
    """Every map by the file name of its code: what a debugger knows of policy."""
    return _maps


def map_of(code: CodeType) -> LineMap | None:
    """The map of generated code. Code compiled under a `.lua` name has Lua's own lines."""
    filename = code.co_filename
    found = _maps.get(filename)
    if found is None and filename.endswith(".lua"):
        found = _maps[filename] = LineMap(filename.rpartition("/")[2], identical=True)
    return found
