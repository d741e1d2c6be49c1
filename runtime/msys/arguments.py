"""Checks of what policy passes to API functions, in the words Lua 5.1 uses.

`check_string("header", 1, value)` gives the value as a string or raises
`bad argument #1 to 'header' (string expected, got nil)`. Positions count from 1 and leave out the
receiver of a method. Strings accept numbers (as Lua does) and `ec_string` userdata; numbers accept
numeric strings. Knows nothing of the functions it serves.
"""

from __future__ import annotations

from typing import Any, TypeVar

from msys.lua import ABSENT, LuaError, Table, Userdata, tonumber, tostring
from msys.lua import type as type_name
from msys.lua.errors import RuntimeFault

T = TypeVar("T")


def bad_argument(name: str, position: int, problem: str) -> LuaError:
    """The error Lua raises for argument `position` of function `name`."""
    return RuntimeFault(f"bad argument #{position} to '{name}' ({problem})")


def expected(name: str, position: int, wanted: str, value: Any) -> LuaError:
    """`wanted` was expected, `value` (ABSENT: nothing) was given."""
    given = "no value" if value is ABSENT else type_name(value)
    return bad_argument(name, position, f"{wanted} expected, got {given}")


def check_string(name: str, position: int, value: Any) -> str:
    """A string; numbers become their text, an ec_string its content."""
    if isinstance(value, str):
        return value
    text = string_or_none(value)
    if text is None:
        raise expected(name, position, "string", value)
    return text


def string_or_none(value: Any) -> str | None:
    """What `check_string` would give, or None where it would raise."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return tostring(value)
    return value.as_string() if isinstance(value, Userdata) else None


def optional_string(name: str, position: int, value: Any, default: str) -> str:
    """A string, or `default` for nil and for nothing."""
    return default if value is None or value is ABSENT else check_string(name, position, value)


def check_number(name: str, position: int, value: Any) -> int | float:
    """A number; numeric strings convert by the dialect's rules (`"010"` is eight)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = string_or_none(value)
    number = None if text is None else tonumber(text)
    if number is None:
        raise expected(name, position, "number", value)
    return number


def check_integer(name: str, position: int, value: Any) -> int:
    """A number without its fraction; infinities and nan are refused."""
    number = check_number(name, position, value)
    try:
        return int(number)
    except (OverflowError, ValueError):
        raise bad_argument(name, position, "number has no integer representation") from None


def optional_number(name: str, position: int, value: Any, default: float) -> int | float:
    """A number, or `default` for nil and for nothing."""
    return default if value is None or value is ABSENT else check_number(name, position, value)


def optional_integer(name: str, position: int, value: Any, default: int) -> int:
    """An integer, or `default` for nil and for nothing."""
    return default if value is None or value is ABSENT else check_integer(name, position, value)


def check_boolean(name: str, position: int, value: Any) -> bool:
    """True or false, nothing else."""
    if isinstance(value, bool):
        return value
    raise expected(name, position, "boolean", value)


def truth(value: Any) -> bool:
    """Whether Lua's `if` takes it: everything but nil, false and nothing at all."""
    return value is not None and value is not False and value is not ABSENT


def check_table(name: str, position: int, value: Any) -> Table:
    """A table."""
    if isinstance(value, Table):
        return value
    raise expected(name, position, "table", value)


def optional_table(name: str, position: int, value: Any) -> Table | None:
    """A table, or None for nil and for nothing."""
    return None if value is None or value is ABSENT else check_table(name, position, value)


def check_function(name: str, position: int, value: Any) -> Any:
    """Anything that can be called."""
    if callable(value) and type_name(value) == "function":
        return value
    raise expected(name, position, "function", value)


def check_class(name: str, position: int, value: Any, wanted: type[T], called: str) -> T:
    """Userdata of class `wanted`, which Lua knows as `called`."""
    if isinstance(value, wanted):
        return value
    raise expected(name, position, called, value)


def check_strings(name: str, position: int, value: Any) -> list[str]:
    """One string, or a table of strings read from 1 to the first nil."""
    if not isinstance(value, Table):
        return [check_string(name, position, value)]
    found: list[str] = []
    while (item := value[len(found) + 1]) is not None:
        text = string_or_none(item)
        if text is None:
            raise bad_argument(
                name, position, f"string expected at index {len(found) + 1}, got {type_name(item)}"
            )
        found.append(text)
    return found
