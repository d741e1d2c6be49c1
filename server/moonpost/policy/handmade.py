"""Policy that people maintain in Python: read as Python reads it, with a line map that says so.

The map leads every line to itself, so that logs, tracebacks and `decided_by` name the line of the `.py` file.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moonpost.policy.search import Found


def line_map(found: Found) -> dict[str, Any]:
    """The map of a hand-made module, as `msys.lua.linemap` reads it."""
    return {"source": found.shown, "identical": True, "python": True}


@dataclass(slots=True)
class Handmade:
    """What a file of Python says about itself."""

    text: str = ""
    requires: list[str] = field(default_factory=list)  # by literal name, as in Lua
    problems: list[str] = field(default_factory=list)  # why it cannot be loaded


def read(found: Found, content: bytes) -> Handmade:
    """Read a module. Nothing of it is run."""
    try:
        text = importlib.util.decode_source(content)
        tree = ast.parse(text, found.shown)
        compile(tree, found.shown, "exec", dont_inherit=True)
    except SyntaxError as error:
        return Handmade(problems=[_told(found, error)])
    except ValueError as error:  # bytes that are not in the file's encoding, or NUL
        return Handmade(problems=[f"{found.shown}: {error}"])
    return Handmade(text, list(dict.fromkeys(_required(tree))))


def _required(tree: ast.Module) -> Iterator[str]:
    """The literal names of `require("...")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="require") | ast.Attribute(attr="require"),
                args=[ast.Constant(value=str(name))],
            ):
                yield name


def _told(found: Found, error: SyntaxError) -> str:
    """Place, words, and the line with a caret, as diagnostics of Lua are shown."""
    line, column = error.lineno or 1, error.offset or 1
    shown = (error.text or "").rstrip("\r\n")
    number = str(line)
    return "\n".join(
        (
            f"{found.shown}:{line}:{column}: SyntaxError: {error.msg}",
            f"   {number} | {shown}".rstrip(),
            f"   {' ' * len(number)} | {' ' * (column - 1)}^",
        )
    )
