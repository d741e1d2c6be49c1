"""nonnil: where the compiler could not prove that a value is there, and Python's types want to know."""

from __future__ import annotations

from typing import TypeVar

from msys.lua.errors import OperandError

T = TypeVar("T")


def nonnil(value: T | None, name: str = "", operation: str = "index") -> T:
    """`value`, or Lua's own error for indexing or calling nil; name is as Lua would say it: `local 'x'`."""
    if value is None:
        raise OperandError(operation, None, name=name)
    return value
