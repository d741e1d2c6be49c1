"""Loops: what the generic and the numeric `for` walk over.

`pairs` walks a snapshot of the keys and reads each value when its turn comes: keys removed on the way are skipped,
keys added on the way are not seen. Order is insertion order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from math import floor, inf
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import given
from msys.lua.arithmetic import to_number
from msys.lua.calls import adjust
from msys.lua.errors import ArgumentError, LuaError, OperandError, OperationError
from msys.lua.metatables import metamethod
from msys.lua.tables import FALSE_KEY, TRUE_KEY, BooleanKey, Table, stored_key
from msys.lua.text import type_name


def pairs(table: Any) -> Iterator[tuple[Any, Any]]:
    """`for key, value in pairs(table)`."""
    if not isinstance(table, Table):
        raise ArgumentError(1, "pairs", f"table expected, got {type_name(table)}")
    if TRUE_KEY in table or FALSE_KEY in table:
        return _pairs_with_booleans(table)
    get = table.get
    return ((key, value) for key in list(table) if (value := get(key)) is not None)


def _pairs_with_booleans(table: Table) -> Iterator[tuple[Any, Any]]:
    for key in list(table):
        value = table.get(key)
        if value is not None:
            yield (key.value if key.__class__ is BooleanKey else key), value


def keys(table: Any) -> Iterator[Any]:
    """`for key in pairs(table)`: the keys only."""
    return (key for key, _ in pairs(table))


def ipairs(table: Any) -> Iterator[tuple[int, Any]]:
    """`for i, value in ipairs(table)`: live, and without metamethods as in 5.1."""
    if not isinstance(table, Table):
        raise ArgumentError(1, "ipairs", f"table expected, got {type_name(table)}")
    return zip(count(1), iter(map(table.get, count(1)).__next__, None))


# --- next: the stateless walk ---------------------------------------------------------------------------------


class _Walk:
    """How far a walk with `next` has come: the keys as they were, and the place of the last one given out."""

    __slots__ = ("keys", "place")

    def __init__(self, found: list[Any], place: int) -> None:
        self.keys = found
        self.place = place


_WALKS = 16  # walks that were broken off stay here until as many others began
_walks: dict[int, tuple[Table, _Walk]] = {}
_first: tuple[Table, Any] | None = None  # the key that the last `next(t)` gave out


def lua_next(table: Any = ABSENT, key: Any = None, *_: Any) -> Any:
    """`next(table, key)`: the following key and value, or nil."""
    global _first
    if not isinstance(table, Table):
        raise ArgumentError(1, "next", f"table expected, got {given(table)}")
    if key is None:
        _walks.pop(id(table), None)
        for found in table:
            value = table.get(found)
            if value is not None:
                _first = (table, found)
                return (found.value if found.__class__ is BooleanKey else found), value
        return None
    walk = _walk_at(table, stored_key(key))
    for place in range(walk.place + 1, len(walk.keys)):
        found = walk.keys[place]
        value = table.get(found)
        if value is not None:
            walk.place = place
            return (found.value if found.__class__ is BooleanKey else found), value
    _walks.pop(id(table), None)
    return None


def _walk_at(table: Table, key: Any) -> _Walk:
    """The walk whose last key is `key`."""
    known = _walks.get(id(table))
    if known is not None and known[0] is table:
        walk = known[1]
        if walk.keys[walk.place] is key or walk.keys[walk.place] == key:
            return walk
        if key in walk.keys:
            walk.place = walk.keys.index(key)
            return walk
    found = list(table)
    if key in table:
        place = found.index(key)
    elif _first is not None and _first[0] is table and _first[1] == key:
        place = -1  # the first key was removed: what is left comes after it
    else:
        raise LuaError("invalid key to 'next'", positioned=True)  # Lua gives it no position
    walk = _Walk(found, place)
    while len(_walks) >= _WALKS:
        del _walks[next(iter(_walks))]
    _walks[id(table)] = (table, walk)
    return walk


# --- the generic for ------------------------------------------------------------------------------------------


def iterate(
    names: int, function: Any = None, state: Any = None, control: Any = None, *_: Any
) -> Iterator[Any]:
    """`for a, b in function, state, control`: bare values for one name, tuples of `names` values for more."""
    if function is lua_next and control is None and names <= 2:
        return iter(pairs(state) if names == 2 else keys(state))
    if not callable(function) or isinstance(function, Table):
        handler = metamethod(function, "__iter")
        if handler is not None:
            function, state, control = adjust(handler(function), 3)
    if not callable(function) or (
        isinstance(function, Table) and metamethod(function, "__call") is None
    ):
        raise OperandError("call", function)
    if names == 1:
        return _singles(function, state, control)
    return _tuples(names, function, state, control)


def _singles(function: Callable[..., Any], state: Any, control: Any) -> Iterator[Any]:
    while True:
        control = function(state, control)
        if control.__class__ is tuple:
            control = control[0] if control else None
        if control is None:
            return
        yield control


def _tuples(
    names: int, function: Callable[..., Any], state: Any, control: Any
) -> Iterator[tuple[Any, ...]]:
    while True:
        found = function(state, control)
        if found.__class__ is not tuple or len(found) != names:
            found = adjust(found, names)
        control = found[0]
        if control is None:
            return
        yield found


# --- the numeric for ------------------------------------------------------------------------------------------


def numeric_for(start: Any, stop: Any, step: Any = 1) -> Iterable[Any]:
    """`for i = start, stop, step` where kinds or the sign of the step are not known."""
    first, last, by = to_number(start), to_number(stop), to_number(step)
    if first is None:
        raise OperationError("'for' initial value must be a number")
    if last is None:
        raise OperationError("'for' limit must be a number")
    if by is None:
        raise OperationError("'for' step must be a number")
    if first.__class__ is int and by.__class__ is int and by:
        if last.__class__ is float:
            if last != last:
                return range(0)
            if last in (inf, -inf):
                return count(first, by) if (last > 0) is (by > 0) else range(0)
            last = floor(last) if by > 0 else -floor(-last)
        return range(first, last + (1 if by > 0 else -1), by)  # type: ignore[arg-type]
    return _steps(first, last, by)


def _steps(value: float, stop: float, step: float) -> Iterator[float]:
    if step > 0:
        while value <= stop:
            yield value
            value += step
    else:
        while value >= stop:
            yield value
            value += step
