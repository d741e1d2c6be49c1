"""`msys.dumper`: any value as Lua source text. Pure."""

from __future__ import annotations

import re
from typing import Any

from msys.catalog.binding import documented
from msys.lua import Table, Userdata, pairs, tostring, type

__all__ = ["Dumper"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
RESERVED = frozenset(
    (
        *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in"),
        *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
    )
)
QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def _quote(text: str) -> str:
    return f'"{text.translate(QUOTED)}"'


def _key(key: Any) -> str:
    if isinstance(key, str) and NAME.match(key) and key not in RESERVED:
        return key
    return f"[{_value(key, ())}]"


def _order(item: tuple[Any, Any]) -> tuple[int, Any]:
    """Numbers by size, then names, then the rest by its text."""
    key = item[0]
    if isinstance(key, int | float) and not isinstance(key, bool):
        return 0, key
    return (1, key) if isinstance(key, str) else (2, tostring(key))


def _value(value: Any, above: tuple[int, ...]) -> str:
    if isinstance(value, str):
        return _quote(value)
    if value is None or isinstance(value, bool | int | float):
        return tostring(value)
    if isinstance(value, Table):
        if id(value) in above:
            return '"<cycle>"'
        inside = (*above, id(value))
        members = sorted(pairs(value), key=_order)
        text = ", ".join(f"{_key(key)}={_value(item, inside)}" for key, item in members)
        return f"{{ {text} }}" if text else "{ }"
    if isinstance(value, Userdata):
        text_of = value.as_string()
        return _quote(f"<{value.lua_type}>") if text_of is None else _quote(text_of)
    return _quote(f"<{type(value)}>")


@documented(
    "msys.dumper.Dumper",
    assumed="keys sorted, one line; a table inside itself, userdata and functions are marked in text",
)
def Dumper(res: Any) -> str:
    """`res` as Lua source, `return { code="550", note="x" }`: keys sorted, all in one line.

    A table inside itself shows as "<cycle>", userdata as its text or "<class>", a function as
    "<function>". nil gives `return nil`. Source: lua.ref.msys.dumper.Dumper.
    """
    return f"return {_value(res, ())}"
