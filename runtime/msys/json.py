"""`json`: JSON values as userdata that share their parts, decode, encode and the error codes.

A `Json` is a view on one value of a tree: reading an object or array inside gives another view of the
same part, so changes show everywhere. Text is UTF-8; a byte that is none comes back as it was. Nothing waits.
"""

from __future__ import annotations

import json as stdlib_json
from collections.abc import Callable, Iterator
from typing import Any

from msys.arguments import check_number, check_string
from msys.catalog.binding import documented
from msys.json_errors import CODES, NAMES, classify, describe
from msys.lua import Table, Userdata, pairs, tostring, type
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.errors import RuntimeFault

__all__ = ["Json", "decode", "encode", "new", "strerror", *NAMES]

ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"
}  # fmt: skip
ESCAPED = str.maketrans({chr(code): f"\\u{code:04x}" for code in range(32)} | ESCAPES)
EXACT = 1 << 53  # integers beyond this are doubles in Lua

globals().update(CODES)


def _text(node: Any) -> str:
    """A tree as JSON text, in one line with blanks, members in the order they were added."""
    match node:
        case None:
            return "null"
        case bool():
            return "true" if node else "false"
        case int():
            return str(node)
        case float():
            return str(int(node)) if node.is_integer() and abs(node) < EXACT else f"{node:.6f}"
        case str():
            return f'"{node.translate(ESCAPED)}"'
        case dict():
            members = ", ".join(f"{_text(key)}: {_text(value)}" for key, value in node.items())
            return f"{{ {members} }}" if members else "{ }"
        case _:
            items = ", ".join(map(_text, node))
            return f"[ {items} ]" if items else "[ ]"


def _seen(node: Any) -> Any:
    """A part of a tree as Lua sees it: scalars as they are, null as nil, the rest as a view."""
    return Json(node) if isinstance(node, dict | list) else node


def _made(value: Any) -> Any:
    """A Lua value as a tree. A Json is shared, a table copied; a function or userdata raises."""
    match value:
        case Json():
            return value.node
        case None | bool() | str() | int() | float():
            return value
        case Table():
            if value[1] is not None:
                items: list[Any] = []
                while (item := value[len(items) + 1]) is not None:
                    items.append(_made(item))
                return items
            return {tostring(key): _made(item) for key, item in pairs(value)}
    text = value.as_string() if isinstance(value, Userdata) else None
    if text is not None:
        return text
    raise RuntimeFault(f"cannot convert a {type(value)} to json")


class Json(Userdata):
    """One value of a JSON tree: `value.key`, `value[1]`, `#value`, `for k, v in value do`, `tostring`."""

    __slots__ = ("node",)
    lua_type = "json:json"
    lua_hidden = frozenset({"node"})

    def __init__(self, node: Any) -> None:
        self.node = node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Json) and other.node is self.node

    def __hash__(self) -> int:
        return id(self.node)

    def __getitem__(self, key: Any) -> Any:
        node = self.node
        if isinstance(node, list):
            number = _index(key)
            return _seen(node[number - 1]) if 1 <= number <= len(node) else None
        return _seen(node.get(tostring(key))) if isinstance(node, dict) else None

    def __setitem__(self, key: Any, value: Any) -> None:
        node = self.node
        if isinstance(node, dict):
            if value is None:
                node.pop(tostring(key), None)
            else:
                node[tostring(key)] = _made(value)
        elif isinstance(node, list):
            self._set_item(node, key, value)
        else:
            raise RuntimeFault("cannot assign to this type of json object")

    @staticmethod
    def _set_item(node: list[Any], key: Any, value: Any) -> None:
        number = _index(key)
        if number < 1:
            raise RuntimeFault("lua array semantics: the first index of a json array is 1")
        if value is None:
            raise RuntimeFault("cannot delete from json arrays")
        node.extend([None] * (number - len(node)))
        node[number - 1] = _made(value)

    def __len__(self) -> int:
        return len(self.node) if isinstance(self.node, list) else 0

    def __bool__(self) -> bool:
        return True

    def _members(self) -> Iterator[tuple[Any, Any]]:
        """Keys (or numbers from 1) and values, of what is there now."""
        node = self.node
        if isinstance(node, dict):
            return iter([(key, _seen(value)) for key, value in node.items()])
        items = node if isinstance(node, list) else []
        return iter([(number, _seen(value)) for number, value in enumerate(items, 1)])

    def lua_tostring(self) -> str:
        return _text(self.node)


def _iterate(value: Json) -> tuple[Callable[..., Any], Json, None]:
    """Lua's `__iter`: iterator, state, first control value."""
    members = value._members()

    def following(*_: Any) -> Any:
        return next(members, None)

    return following, value, None


Json.metamethods = {"__iter": _iterate, "__len": lambda value, *_: len(value)}


def _index(key: Any) -> int:
    if isinstance(key, int | float) and not isinstance(key, bool) and key == int(key):
        return int(key)
    raise RuntimeFault("json array index must be numeric")


def _number(digits: str) -> int | float:
    value = int(digits)
    return value if abs(value) <= EXACT else float(value)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _lua(node: Any) -> Any:
    """A tree from the parser with its text as Lua strings."""
    match node:
        case str():
            return _lua_text(node)
        case dict():
            return {_lua_text(key): _lua(value) for key, value in node.items()}
        case list():
            return [_lua(value) for value in node]
    return node


def _lua_text(text: str) -> str:
    if text.isascii():
        return text
    try:
        return to_str(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return to_str(text.encode("utf-8", "surrogatepass"))


@documented("json.decode", assumed="text after the value is an error; scalars come as Lua values")
def decode(str: str) -> tuple[Any, int | None, str | None]:
    """The value that JSON text stands for.

    An object or array is a Json, null is nil, other values are Lua's. For text that is no JSON: nil, a
    code (`json.ERROR_…`) and its text. nil raises. Source: lua.ref.json.decode.
    """
    text = to_bytes(check_string("decode", 1, str)).decode("utf-8", "surrogateescape")
    try:
        node = stdlib_json.loads(text, parse_int=_number, parse_constant=_refuse)
        return _seen(_lua(node)), None, None
    except RecursionError:
        code = CODES["ERROR_DEPTH"]
    except stdlib_json.JSONDecodeError as error:
        code = classify(error.msg, error.doc, error.pos)
    except ValueError:
        code = CODES["ERROR_PARSE_NUMBER"]
    return None, code, describe(code)


@documented("json.encode", assumed="a scalar prints bare; floats print with six decimals")
def encode(obj: Any) -> Json:
    """A Json of any Lua scalar or table; `tostring` gives its text.

    A table with a value at [1] becomes an array up to its first nil, any other an object with text keys.
    A Json inside is shared, not copied. Functions and other userdata raise. Source: lua.ref.json.encode.
    """
    return Json(_made(obj))


@documented("json.new")
def new() -> Json:
    """An empty object. Source: lua.ref.json.new."""
    return Json({})


@documented("json.strerror", assumed="the texts are ours")
def strerror(code: float) -> str:
    """What an error code means; `unknown error` for any other. Source: lua.ref.json.strerror."""
    return describe(check_number("strerror", 1, code))
