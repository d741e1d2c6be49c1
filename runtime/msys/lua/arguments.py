"""What the library functions ask of their arguments, and Lua's words when it is not so."""

from __future__ import annotations

from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arithmetic import to_number
from msys.lua.errors import ArgumentError
from msys.lua.numbers import to_integer
from msys.lua.tables import Table
from msys.lua.text import text_or_none, type_name

_INT = 2**31


def given(value: Any) -> str:
    """How an error names what was given."""
    return "no value" if value is ABSENT else type_name(value)


def wrong_type(value: Any, position: int, function: str, expected: str) -> ArgumentError:
    return ArgumentError(position, function, f"{expected} expected, got {given(value)}")


def string_arg(value: Any, position: int, function: str) -> str:
    """A string, or a number as its text."""
    if value.__class__ is str:
        return value
    text = text_or_none(value)
    if text is None:
        raise wrong_type(value, position, function, "string")
    return text


def optional_string(value: Any, position: int, function: str, default: str) -> str:
    if value is None or value is ABSENT:
        return default
    return string_arg(value, position, function)


def number_arg(value: Any, position: int, function: str) -> int | float:
    """A number, or a string that reads as one."""
    cls = value.__class__
    if cls is int or cls is float:
        return value  # type: ignore[no-any-return]
    converted = to_number(value)
    if converted is None:
        raise wrong_type(value, position, function, "number")
    return converted


def optional_number(value: Any, position: int, function: str, default: float) -> int | float:
    if value is None or value is ABSENT:
        return default
    return number_arg(value, position, function)


def integer_arg(value: Any, position: int, function: str) -> int:
    """A number cut to an integer as C cuts it."""
    if value.__class__ is int:
        return value
    return to_integer(number_arg(value, position, function))


def int_arg(value: Any, position: int, function: str) -> int:
    """A number cut to C's `int`, where Lua's own functions take one: the low 32 bits of the integer."""
    if value.__class__ is int and -_INT <= value < _INT:
        return value
    return (to_integer(number_arg(value, position, function)) + _INT) % (2 * _INT) - _INT


def optional_int(value: Any, position: int, function: str, default: int) -> int:
    """The same, or the default for nil."""
    if value is None or value is ABSENT:
        return default
    return int_arg(value, position, function)


def optional_integer(value: Any, position: int, function: str, default: int) -> int:
    if value.__class__ is int:
        return value
    if value is None or value is ABSENT:
        return default
    return integer_arg(value, position, function)


def table_arg(value: Any, position: int, function: str) -> Table:
    if isinstance(value, Table):
        return value
    raise wrong_type(value, position, function, "table")


def function_arg(value: Any, position: int, function: str) -> Any:
    if type_name(value) == "function":
        return value
    raise wrong_type(value, position, function, "function")


def any_arg(value: Any, position: int, function: str) -> Any:
    if value is ABSENT:
        raise ArgumentError(position, function, "value expected")
    return value
