"""Calls of library functions, asked of ours and of lua5.1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msys.lua import Table, environment, pcall
from testkit.oracle import ask_lua, literal, show_all

Vector = tuple[str, Sequence[Any]]  # a Lua function's name, and its arguments


def ours(function: str, args: Sequence[Any]) -> str:
    """What our function answers, in the oracle's notation."""
    found: Any = environment().globals
    for part in function.split("."):
        found = found[part]
    return show_all(pcall(found, *map(ours_value, args)))


def ours_value(value: Any) -> Any:
    """A Python literal as one of our Lua values."""
    if isinstance(value, dict):
        return Table({key: ours_value(item) for key, item in value.items()})
    if isinstance(value, list):
        return Table.array(*map(ours_value, value))
    return value


def question(vector: Vector) -> str:
    function, args = vector
    return f"{function}({', '.join(map(literal, args))})"


def agree(vectors: Iterable[Vector]) -> None:
    """Fail with the first vectors that lua5.1 answers differently."""
    found = differences(vectors)
    assert not found, f"{len(found)} differ:\n" + "\n".join(found[:20])


def differences(vectors: Iterable[Vector]) -> list[str]:
    """Every vector that lua5.1 answers differently."""
    asked = list(vectors)
    theirs = ask_lua([question(vector) for vector in asked])
    assert len(theirs) == len(asked)
    found = []
    for vector, expected in zip(asked, theirs, strict=True):
        got = ours(*vector)
        if got != expected:
            found.append(f"{question(vector)}\n  lua5.1: {expected}\n  ours:   {got}")
    return found
