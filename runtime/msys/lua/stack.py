"""The Lua stack as it shows in Python frames.

A frame of generated code is a Lua function. A frame of a library function (of ours or of the host) is what Lua calls a
C function. Frames of the helpers in between (`invoke`, `index`, arithmetic) are not seen at all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, TracebackType

from msys.lua.linemap import LineMap, What, map_of

_HERE = str(Path(__file__).parent) + "/"
_LIBRARY = str(Path(__file__).parent / "lib") + "/"
_HOST = str(Path(__file__).parent.parent) + "/"


@dataclass(frozen=True, slots=True)
class Level:
    """One Lua level: a Lua function with its line, or a C function."""

    code: CodeType
    map: LineMap | None  # None for a C function
    line: int
    what: What = ""

    @property
    def where(self) -> str:
        """`policy.lua:9:` as error texts begin; empty for a C function."""
        return f"{self.map.source}:{self.line}: " if self.map is not None else ""

    @property
    def main(self) -> bool:
        return self.map is not None and self.code.co_name == "<module>"


def is_helper(code: CodeType) -> bool:
    """Whether this is code of the language runtime itself."""
    return code.co_filename.startswith(_HERE)


def is_host(code: CodeType) -> bool:
    """Whether this is code of `msys`, the language or a function that policy calls."""
    return code.co_filename.startswith(_HOST)


def _level(code: CodeType, instruction: int) -> Level | None:
    line_map = map_of(code)
    if line_map is not None:
        line, what = line_map.at(code, instruction)
        return Level(code, line_map, line, what)
    filename = code.co_filename
    if filename.startswith(_HERE) and not filename.startswith(_LIBRARY):
        return None
    if filename.startswith(_HOST) and not code.co_name.startswith("_"):
        return Level(code, None, 0)
    return None


def levels(frame: FrameType | None = None) -> Iterator[Level]:
    """The running stack from the innermost level outwards."""
    here = frame if frame is not None else sys._getframe(1)
    while here is not None:
        level = _level(here.f_code, here.f_lasti)
        if level is not None:
            yield level
        here = here.f_back  # type: ignore[assignment]


def levels_of(traceback: TracebackType | None) -> list[Level]:
    """The levels between where an exception was caught and where it was raised, outermost first."""
    found = []
    while traceback is not None:
        level = _level(traceback.tb_frame.f_code, traceback.tb_lasti)
        if level is not None:
            found.append(level)
        traceback = traceback.tb_next
    return found


def where(level: int, frame: FrameType | None = None) -> str:
    """What `error` puts before its text: the position of the function at this level; 1 is the one that runs."""
    for number, found in enumerate(levels(frame), 1):
        if number == level:
            return found.where
    return ""


def describe(level: Level) -> str:
    """One line of a Lua traceback, without its tab."""
    if level.map is None:
        return f"[C]: in function '{level.code.co_name.strip('_')}'"
    where = f"{level.map.source}:{level.line}: in"
    if level.main:
        return f"{where} main chunk"
    name = level.code.co_name
    if name == "<lambda>":
        return (
            f"{where} function <{level.map.source}:{level.map.lua_line(level.code.co_firstlineno)}>"
        )
    return f"{where} function '{name}'"


def traceback_text(found: list[Level]) -> str:
    """`stack traceback:` and a line for each level, innermost first; long ones cut in the middle as Lua does."""
    lines = [describe(level) for level in found]
    if len(lines) > 22:
        lines = [*lines[:12], "...", *lines[-10:]]
    return "\n\t".join(["stack traceback:", *lines])
