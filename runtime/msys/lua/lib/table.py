"""The table library. Raw access throughout, as in 5.1."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import (
    function_arg,
    int_arg,
    optional_int,
    optional_string,
    table_arg,
)
from msys.lua.compare import lt
from msys.lua.errors import RuntimeFault
from msys.lua.iteration import pairs
from msys.lua.numbers import PLAIN, number_text
from msys.lua.tables import Table, border, sweep
from msys.lua.text import type_name


def concat(
    table: Any = ABSENT, separator: Any = "", first: Any = 1, last: Any = None, *_: Any
) -> str:
    between = optional_string(separator, 2, "concat", "")  # Lua looks at it first
    found = table_arg(table, 1, "concat")
    start = optional_int(first, 3, "concat", 1)
    stop = border(found) if last is None else int_arg(last, 4, "concat")
    values: list[Any] = list(map(found.get, range(start, stop + 1)))
    try:
        return between.join(values)
    except TypeError:  # not all of them are strings
        return between.join(
            [
                value
                if value.__class__ is str
                else str(value)
                if value.__class__ is int and -PLAIN < value < PLAIN
                else _piece(value, place)
                for place, value in enumerate(values, start)
            ]
        )


def _piece(value: Any, place: int) -> str:
    if value.__class__ is int or value.__class__ is float:
        return number_text(value)
    raise RuntimeFault(f"invalid value ({type_name(value)}) at index {place} in table for 'concat'")


def insert(table: Any = ABSENT, *args: Any) -> None:
    """`insert(t, value)` at the end, `insert(t, place, value)` before what stands there."""
    found = table_arg(table, 1, "insert")
    end = border(found) + 1
    if len(args) == 1:
        _store(found, end, args[0])
        return
    if len(args) != 2:
        raise RuntimeFault("wrong number of arguments to 'insert'")
    place = int_arg(args[0], 2, "insert")
    if place < end:
        moved = list(map(found.get, range(place, end)))
        dict.update(found, zip(range(place + 1, end + 1), moved, strict=True))
        if place < 1 or found.__class__ is not Table:
            sweep(found)
        elif args[1] is None:
            dict.__setitem__(found, place, None)  # a nil between counts for `#`
            return
    _store(found, place, args[1])


def append(table: Table, value: Any) -> None:
    """`insert(t, value)` for a table that is known to be one."""
    place = border(table) + 1
    if value is not None:
        dict.__setitem__(table, place, value)


def _store(table: Table, place: int, value: Any) -> None:
    if value is None:
        dict.pop(table, place, None)
    else:
        dict.__setitem__(table, place, value)


def remove(table: Any = ABSENT, place: Any = None, *_: Any) -> Any:
    """Take out the value at `place`, the last by default; nil when there is none."""
    value = remove_values(table, place)
    return None if value.__class__ is tuple else value


def remove_values(table: Any = ABSENT, place: Any = None, *_: Any) -> Any:
    """What Lua's `table.remove` returns: no value at all when there is none."""
    found = table_arg(table, 1, "remove")
    size = border(found)
    at = size if place is None or place is ABSENT else int_arg(place, 2, "remove")
    if not 1 <= at <= size:
        return ()
    value = found.get(at)
    moved = list(map(found.get, range(at + 1, size + 1)))
    dict.update(found, zip(range(at, size), moved, strict=True))
    dict.pop(found, size, None)
    if found.__class__ is not Table:
        sweep(found)
    return value


def sort(table: Any = ABSENT, before: Any = None, *_: Any) -> None:
    """Sort in place by `<`, or by `before(a, b)`. An order that contradicts itself gives some order, not an error."""
    found = table_arg(table, 1, "sort")
    size = border(found)
    values = list(map(found.get, range(1, size + 1)))
    if before is not None and before is not ABSENT:
        function_arg(before, 2, "sort")
        values.sort(key=cmp_to_key(_by(before)))
    else:
        kinds = set(map(type, values))
        if kinds <= {str} or kinds <= {int, float}:
            values.sort()
        else:
            values.sort(key=cmp_to_key(lambda left, right: -1 if lt(left, right) else 0))
    dict.update(found, zip(range(1, size + 1), values, strict=True))


def ordered_by(before: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """The key that sorts one of Python's lists by a comparator that gives true, false or nil and nothing else."""
    return cmp_to_key(lambda left, right: -1 if before(left, right) else 0)


def _by(before: Callable[..., Any]) -> Callable[[Any, Any], int]:
    """A comparison for `list.sort`, which only ever asks whether the result is negative."""

    def compare(left: Any, right: Any) -> int:
        result = before(left, right)
        if result is True:
            return -1
        if result is False:
            return 0
        if result.__class__ is tuple:
            result = result[0] if result else None
        return -1 if result is not None and result is not False else 0

    return compare


def maxn(table: Any = ABSENT, *_: Any) -> int | float:
    found = table_arg(table, 1, "maxn")
    return max(
        (
            key
            for key, value in found.items()
            if value is not None and (key.__class__ is int or key.__class__ is float) and key > 0
        ),
        default=0,
    )


def getn(table: Any = ABSENT, *_: Any) -> int:
    return border(table_arg(table, 1, "getn"))


def setn(table: Any = ABSENT, *_: Any) -> None:
    table_arg(table, 1, "setn")
    raise RuntimeFault("'setn' is obsolete")


def foreach(table: Any = ABSENT, function: Any = ABSENT, *_: Any) -> Any:
    """Call `function(key, value)` until it returns something; nil when it never does."""
    value = foreach_values(table, function)
    return None if value.__class__ is tuple else value


def foreach_values(table: Any = ABSENT, function: Any = ABSENT, *_: Any) -> Any:
    """What Lua's `table.foreach` returns: no value at all when the function never returned one."""
    found = table_arg(table, 1, "foreach")
    function_arg(function, 2, "foreach")
    for key, value in pairs(found):
        result = function(key, value)
        if result.__class__ is tuple:
            result = result[0] if result else None
        if result is not None:
            return result
    return ()


def foreachi(table: Any = ABSENT, function: Any = ABSENT, *_: Any) -> Any:
    """Call `function(i, value)` for 1 to #table until it returns something; nil when it never does."""
    value = foreachi_values(table, function)
    return None if value.__class__ is tuple else value


def foreachi_values(table: Any = ABSENT, function: Any = ABSENT, *_: Any) -> Any:
    """What Lua's `table.foreachi` returns: no value at all when the function never returned one."""
    found = table_arg(table, 1, "foreachi")
    function_arg(function, 2, "foreachi")
    for place in range(1, border(found) + 1):
        result = function(place, found.get(place))
        if result.__class__ is tuple:
            result = result[0] if result else None
        if result is not None:
            return result
    return ()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "concat": concat,
    "foreach": foreach_values,
    "foreachi": foreachi_values,
    "getn": getn,
    "insert": insert,
    "maxn": maxn,
    "remove": remove_values,
    "setn": setn,
    "sort": sort,
}
