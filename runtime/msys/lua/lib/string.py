"""The string library. Strings are bytes, one character each; positions count from 1 and negative ones from the end."""

from __future__ import annotations

from builtins import len as _size
from collections.abc import Callable, Iterator
from typing import Any

from msys.lua import patterns
from msys.lua.absent import ABSENT
from msys.lua.arguments import int_arg, integer_arg, optional_integer, string_arg
from msys.lua.bytestr import ascii_lower, ascii_upper
from msys.lua.errors import ArgumentError, RuntimeFault
from msys.lua.format import format_string


def _place(position: int, size: int) -> int:
    """A position counted from 1, or from the end when negative."""
    return position if position >= 0 else max(position + size + 1, 0)


def len(s: Any = ABSENT, *_: Any) -> int:
    return _size(s) if s.__class__ is str else _size(string_arg(s, 1, "len"))


def upper(s: Any = ABSENT, *_: Any) -> str:
    if s.__class__ is str and s.isascii():
        return s.upper()
    return ascii_upper(string_arg(s, 1, "upper"))


def lower(s: Any = ABSENT, *_: Any) -> str:
    if s.__class__ is str and s.isascii():
        return s.lower()
    return ascii_lower(string_arg(s, 1, "lower"))


def reverse(s: Any = ABSENT, *_: Any) -> str:
    return string_arg(s, 1, "reverse")[::-1]


_LONGEST = 2**31  # octets; chosen: what would not fit into a message anyway


def rep(s: Any = ABSENT, n: Any = ABSENT, *_: Any) -> str:
    text = string_arg(s, 1, "rep")
    times = int_arg(n, 2, "rep")
    if times > 0 and _size(text) * times > _LONGEST:
        raise RuntimeFault("not enough memory")
    return text * times


def sub(s: Any = ABSENT, i: Any = ABSENT, j: Any = -1, *_: Any) -> str:
    text = s if s.__class__ is str else string_arg(s, 1, "sub")
    size = _size(text)
    start = i if i.__class__ is int else integer_arg(i, 2, "sub")
    stop = j if j.__class__ is int else optional_integer(j, 3, "sub", -1)
    if start < 0:
        start += size + 1
    if stop < 0:
        stop += size + 1
        if stop < 0:
            return ""
    return text[start - 1 if start > 0 else 0 : stop]


def byte(s: Any = ABSENT, i: Any = 1, j: Any = None, *_: Any) -> Any:
    """Codes of the characters from i to j; no value at all beyond the ends."""
    text = string_arg(s, 1, "byte")
    size = _size(text)
    start = _place(optional_integer(i, 2, "byte", 1), size)
    stop = _place(optional_integer(j, 3, "byte", start), size)
    found = tuple(map(ord, text[max(start - 1, 0) : max(stop, 0)]))
    return found[0] if _size(found) == 1 else found


def char(*codes: Any) -> str:
    out = []
    for position, code in enumerate(codes, 1):
        value = int_arg(code, position, "char")
        if not 0 <= value <= 255:
            raise ArgumentError(position, "char", "invalid value")
        out.append(chr(value))
    return "".join(out)


def format(template: Any = ABSENT, *args: Any) -> str:
    return format_string(string_arg(template, 1, "format"), args)


def find(s: Any = ABSENT, pattern: Any = ABSENT, init: Any = 1, plain: Any = None, *_: Any) -> Any:
    """Start, end and captures; one nil when it is not found."""
    text = s if s.__class__ is str else string_arg(s, 1, "find")
    wanted = pattern if pattern.__class__ is str else string_arg(pattern, 2, "find")
    first = optional_integer(init, 3, "find", 1)
    if plain is None or plain is False or plain is ABSENT:
        return patterns.pattern(wanted).find_values(text, first)
    place = text.find(wanted, patterns.begin(text, first))
    return None if place < 0 else (place + 1, place + _size(wanted))


def match(s: Any = ABSENT, pattern: Any = ABSENT, init: Any = 1, *_: Any) -> Any:
    """The captures, or the whole match; one nil when it is not found."""
    text = s if s.__class__ is str else string_arg(s, 1, "match")
    wanted = pattern if pattern.__class__ is str else string_arg(pattern, 2, "match")
    return patterns.pattern(wanted).match_values(text, optional_integer(init, 3, "match", 1))


class Matches:
    """What `gmatch` returns: a Lua iterator function that Python can walk too."""

    __slots__ = ("_found",)

    def __init__(self, found: Iterator[Any]) -> None:
        self._found = found

    def __call__(self, *_: Any) -> Any:
        return next(self._found, ())

    def __iter__(self) -> Iterator[Any]:
        return self._found


def gmatch(s: Any = ABSENT, pattern: Any = ABSENT, *_: Any) -> Matches:
    text = string_arg(s, 1, "gmatch")
    wanted = string_arg(pattern, 2, "gmatch")
    return Matches(patterns.pattern(wanted).gmatch(text))


gfind = gmatch


def gsub(
    s: Any = ABSENT, pattern: Any = ABSENT, replacement: Any = ABSENT, limit: Any = None, *_: Any
) -> tuple[str, int]:
    text = s if s.__class__ is str else string_arg(s, 1, "gsub")
    wanted = pattern if pattern.__class__ is str else string_arg(pattern, 2, "gsub")
    most = None if limit is None or limit is ABSENT else int_arg(limit, 4, "gsub")
    return patterns.pattern(wanted).gsub(text, replacement, most)


def dump(function: Any = ABSENT, *_: Any) -> str:
    """Functions are Python here and have no Lua bytecode: a listed difference."""
    raise RuntimeFault("unable to dump given function")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "byte": byte,
    "char": char,
    "dump": dump,
    "find": find,
    "format": format,
    "gfind": gfind,
    "gmatch": gmatch,
    "gsub": gsub,
    "len": len,
    "lower": lower,
    "match": match,
    "rep": rep,
    "reverse": reverse,
    "sub": sub,
    "upper": upper,
}
