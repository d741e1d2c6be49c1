"""Table: Lua's table as a dict subclass that reads and writes at dict speed.

Knows keys and values, nothing of metatables: a table with a metatable is switched to another class (see `metatables`).
A key whose value is None is a tombstone: it counts as missing wherever tables are walked or measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from msys.lua.errors import OperandError, OperationError


class BooleanKey:
    """A boolean as a table key: `true` and `1` are one key to a dict, two to Lua."""

    __slots__ = ("value",)

    def __init__(self, value: bool) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "true" if self.value else "false"


TRUE_KEY = BooleanKey(True)
FALSE_KEY = BooleanKey(False)


class Table(dict[Any, Any]):
    """A Lua table: identity equality, and a missing key reads as None."""

    __slots__ = ("mt", "shape")

    mt: Table  # the metatable; set only while the class is one of `metatables`
    shape: Any  # what this table gives to those it is the metatable of

    __missing__: Any = dict.get  # a C function: a miss costs no Python frame
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __bool__(self) -> bool:
        return True  # an empty table is true in Lua

    def __call__(self, *args: Any) -> Any:
        raise OperandError("call", self)

    @classmethod
    def array(cls, *values: Any) -> Self:
        """`{a, b, c}`: keys from 1, trailing nils left out. A nil between stays as a tombstone, for `#`."""
        while values and values[-1] is None:
            values = values[:-1]
        return cls(enumerate(values, 1))


def table_of(pairs: dict[Any, Any] | Iterable[tuple[Any, Any]] = (), *array: Any) -> Table:
    """A table from keys and values that may be nil or boolean; `array` fills 1, 2, … after them.

    The pairs may be a list of tuples: a dict display would let `true` and `1` meet.
    """
    made = Table()
    for key, value in pairs.items() if isinstance(pairs, dict) else pairs:
        key = checked_key(key)
        if value is not None:
            made[key] = value
        else:
            made.pop(key, None)
    if array:
        for place in range(1, len(array) + 1) if made else ():
            made.pop(place, None)  # a place wins over a key, also when it is nil
        made.update(Table.array(*array))
    return made


def table_in_order(entries: Iterable[tuple[Any, ...]], *array: Any) -> Table:
    """The same from entries in the order of the text: (key, value), or (value,) for the next place."""
    given = list(entries)
    named = [(entry[0], entry[1]) for entry in given if len(entry) == 2]
    return table_of(named, *(entry[0] for entry in given if len(entry) == 1), *array)


def checked_key(key: Any) -> Any:
    """`key` as it is stored; nil and nan are Lua's errors."""
    if key.__class__ is bool:
        return TRUE_KEY if key else FALSE_KEY
    if key is None:
        raise OperationError("table index is nil")
    if key != key and key.__class__ is float:
        raise OperationError("table index is NaN")
    return key


def stored_key(key: Any) -> Any:
    """`key` for looking up: booleans as they are stored, anything else as it is."""
    if key.__class__ is bool:
        return TRUE_KEY if key else FALSE_KEY
    return key


def lua_key(key: Any) -> Any:
    """A stored key as Lua sees it."""
    return key.value if key.__class__ is BooleanKey else key


def raw_set(table: Table, key: Any, value: Any) -> None:
    """Store without metamethods; storing nil removes."""
    key = checked_key(key)
    if value is None:
        dict.pop(table, key, None)
    else:
        dict.__setitem__(table, key, value)


def sweep(table: Table) -> None:
    """Drop the tombstones."""
    for key in [key for key, value in table.items() if value is None]:
        dict.pop(table, key)


def live_items(table: Table) -> Iterator[tuple[Any, Any]]:
    """Keys and values without tombstones, keys as Lua sees them: for encoders, in insertion order."""
    return ((lua_key(key), value) for key, value in table.items() if value is not None)


def border(table: Table) -> int:
    """`#table`: a border, the only one when the integer keys are a sequence."""
    size = len(table)
    get = table.get
    if not size:
        return 0
    if get(size) is not None:
        if get(size + 1) is None:
            return size
        low = size
        step = 1
        while get(low + step) is not None:  # holes below, so more above
            low += step
            step *= 2
        high = low + step
    else:
        high = size
        step = 1
        while (low := high - step) > 0 and get(low) is None:  # few other keys: the border is near
            high = low
            step *= 2
        low = max(low, 0)
    while high - low > 1:
        middle = (low + high) // 2
        if get(middle) is None:
            high = middle
        else:
            low = middle
    return low
