"""Results: one value bare, several as a tuple, and the helpers between them.

A function that never returns a value says so in its annotation (`-> None`), so that `print(f())` prints no nil.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msys.lua.errors import OperandError
from msys.lua.metatables import metamethod
from msys.lua.tables import Table


def first(result: Any) -> Any:
    """A result cut to one value."""
    if result.__class__ is tuple:
        return result[0] if result else None
    return result


def returns_nothing(function: Any) -> bool:
    """Whether `function` is declared never to return a value."""
    if isinstance(function, Table):
        function = metamethod(function, "__call")
    function = getattr(function, "__func__", function)
    annotations = getattr(function, "__annotations__", None)
    if not annotations or "return" not in annotations:
        return False
    return annotations["return"] in (None, "None")


def values(result: Any, function: Any = None) -> tuple[Any, ...]:
    """All values of a result; `function` made it and tells no value from nil."""
    if result.__class__ is tuple:
        return result
    if result is None and function is not None and returns_nothing(function):
        return ()
    return (result,)


def call(function: Callable[..., Any], *args: Any) -> tuple[Any, ...]:
    """All results of `function(*args)`."""
    try:
        result = function(*args)
    except TypeError:
        if not callable(function):
            raise OperandError("call", function) from None
        raise
    if result.__class__ is tuple:
        return result
    if result is None and returns_nothing(function):
        return ()
    return (result,)


def adjust(result: Any, wanted: int) -> tuple[Any, ...]:
    """A result as exactly `wanted` values: extra ones cut, missing ones nil."""
    if result.__class__ is not tuple:
        return (result, *(None,) * (wanted - 1))
    missing = wanted - len(result)
    if missing > 0:
        return (*result, *(None,) * missing)
    return result[:wanted] if missing else result


def pack(found: tuple[Any, ...]) -> Any:
    """A tuple of values as a result: one bare, several a tuple."""
    return found[0] if len(found) == 1 else found


def forward(function: Callable[..., Any], *args: Any) -> Any:
    """What `return function(args)` returns: bare, a tuple, or no value at all."""
    found = call(function, *args)
    return found[0] if len(found) == 1 else found
