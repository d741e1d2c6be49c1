"""Which Lua globals live on in the next generation: data, and data only.

Momentum keeps one global state for good; here each generation has its own, seeded with a deep copy of what the old one
held as plain data. Functions, userdata and tables that hold them belong to the generation that made them.
"""

from __future__ import annotations

from typing import Any

from msys.lua import Table

PLAIN = (bool, int, float, str)


def is_data(value: Any, seen: set[int]) -> bool:
    """Whether `value` is plain data all the way down."""
    if value is None or value.__class__ in PLAIN:
        return True
    if value.__class__ is not Table:  # a table with a metatable has a class of its own
        return False
    if id(value) in seen:
        return True
    seen.add(id(value))
    return all(is_data(k, seen) and is_data(v, seen) for k, v in value.items())


def copied(value: Any, copies: dict[int, Table]) -> Any:
    """A deep copy of plain data; shared and circular tables stay shared and circular."""
    if value.__class__ is not Table:
        return value
    if id(value) not in copies:
        copies[id(value)] = copy = Table()
        for key, item in value.items():
            copy[copied(key, copies)] = copied(item, copies)
    return copies[id(value)]


def carry_over(old: Table, new: Table) -> None:
    """Seed `new` globals with the data of `old` ones; names that `new` already has are left alone."""
    copies: dict[int, Table] = {}
    for name, value in list(old.items()):
        if name not in new and value is not None and is_data(value, set()):
            new[name] = copied(value, copies)
