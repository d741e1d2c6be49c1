"""Values as text: `type`, `tostring`, and the pieces of a concatenation."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType, NoneType
from typing import Any

from msys.lua.bytestr import readable
from msys.lua.errors import OperandError, RuntimeFault
from msys.lua.metatables import metamethod
from msys.lua.numbers import PLAIN, number_text
from msys.lua.tables import Table
from msys.lua.userdata import Userdata

_TYPE_NAMES: dict[type, str] = {
    NoneType: "nil",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    Table: "table",
    FunctionType: "function",
    BuiltinFunctionType: "function",
    MethodType: "function",
}


def type_name(value: Any) -> str:
    """What Lua's `type` says."""
    name = _TYPE_NAMES.get(value.__class__)
    if name is not None:
        return name
    if isinstance(value, Table):
        return "table"
    if isinstance(value, Userdata):
        return "userdata"
    if getattr(value, "lua_thread", False):
        return "thread"
    return "function" if callable(value) else "userdata"


def tostring_raw(value: Any) -> str:
    """`tostring` without metamethods."""
    cls = value.__class__
    if cls is str:
        return value  # type: ignore[no-any-return]
    if cls is int or cls is float:
        return number_text(value)
    if value is None:
        return "nil"
    if cls is bool:
        return "true" if value else "false"
    if isinstance(value, Userdata):
        return value.lua_tostring()
    kind = type_name(value)
    if kind == "function" and cls is not FunctionType:
        kind = "function: builtin" if cls is BuiltinFunctionType else kind
    return f"{kind}: 0x{id(value):08x}"


def to_text(value: Any) -> Any:
    """`tostring` with `__tostring`, whatever that returns."""
    cls = value.__class__
    if cls is str:
        return value
    if cls is int or cls is float:
        return number_text(value)
    if isinstance(value, Table | Userdata):
        handler = metamethod(value, "__tostring")
        if handler is not None:
            result = handler(value)
            return (result[0] if result else None) if result.__class__ is tuple else result
    return tostring_raw(value)


def error_text(value: Any) -> str:
    """An error value for people: its text, or what it is."""
    if value.__class__ is str:
        return readable(value)
    if value.__class__ is int or value.__class__ is float:
        return number_text(value)
    if isinstance(value, Table) and metamethod(value, "__tostring") is not None:
        return readable(str(to_text(value)))
    return f"(error object is a {type_name(value)} value)"


def text_or_none(value: Any) -> str | None:
    """The string that `value` is or converts to by itself: strings, numbers, strings of the host."""
    cls = value.__class__
    if cls is str:
        return value  # type: ignore[no-any-return]
    if cls is int or cls is float:
        return number_text(value)
    if isinstance(value, Userdata):
        return value.as_string()
    return None


def cstr(value: Any) -> str:
    """The text of one operand of `..`."""
    cls = value.__class__
    if cls is str:
        return value  # type: ignore[no-any-return]
    if cls is int:
        return str(value) if -PLAIN < value < PLAIN else number_text(value)
    if cls is float:
        return number_text(value)
    if isinstance(value, Userdata):
        text = value.as_string()
        if text is not None:
            return text
    raise OperandError("concatenate", value)


def concat(left: Any, right: Any) -> Any:
    """`left .. right`, with `__concat`."""
    first = text_or_none(left)
    second = text_or_none(right)
    if first is not None and second is not None:
        return first + second
    handler = metamethod(left, "__concat")
    if handler is None:
        handler = metamethod(right, "__concat")
    if handler is not None:
        result = handler(left, right)
        return (result[0] if result else None) if result.__class__ is tuple else result
    if first is None:
        raise OperandError("concatenate", left)
    raise OperandError("concatenate", right, 1)


def checked_tostring(value: Any) -> str:
    """`tostring` where a string is needed: what `__tostring` returned must be one."""
    text = to_text(value)
    if text.__class__ is not str:
        raise RuntimeFault("'tostring' must return a string to 'print'")
    return text
