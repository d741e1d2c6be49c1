"""What `gsub` puts in place of a match."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

from msys.lua.errors import ArgumentError, RuntimeFault
from msys.lua.patterns.matcher import finished
from msys.lua.tables import Table
from msys.lua.text import text_or_none, type_name
from msys.lua.userdata import Userdata

Replace = Callable[[str, tuple[str | int, ...]], str]


def replacement_arg(value: Any) -> Any:
    """`gsub`'s third argument: a string, a table or a function; a number is its text."""
    cls = value.__class__
    if cls is str or cls is FunctionType or isinstance(value, Table):
        return value
    text = text_or_none(value)
    if text is not None:
        return text
    if callable(value) and not isinstance(value, Userdata) and type_name(value) == "function":
        return value
    raise ArgumentError(3, "gsub", "string/function/table expected")


def replacer(replacement: Any) -> Replace:
    """How a replacement value (string, table or function) turns a match and its captures into text."""
    if replacement.__class__ is str:
        return _template(replacement)
    if isinstance(replacement, Table):

        def look_up(whole: str, captures: tuple[str | int, ...]) -> str:
            key = finished(captures[:1])[0] if captures else whole
            return _checked(replacement[key], whole)

        return look_up

    def ask(whole: str, captures: tuple[str | int, ...]) -> str:
        result = replacement(*finished(captures)) if captures else replacement(whole)
        return _checked(_first(result), whole)

    return ask


def by_match(replacement: Any, captures: int) -> Callable[[re.Match[str]], str]:
    """`replacer` for `re`'s own `subn`: of a pattern with this many captures, none of them a position."""
    if replacement.__class__ is str:
        fill = _template(replacement)
        return lambda found: fill(found[0], found.groups())
    number = min(captures, 1)  # the first capture, or else the whole match
    if isinstance(replacement, Table):

        def look_up(found: re.Match[str]) -> str:
            value = replacement[found[number]]
            return value if value.__class__ is str else _checked(value, found[0])

        return look_up

    def ask(found: re.Match[str]) -> str:
        value = replacement(found[number])
        return value if value.__class__ is str else _checked(_first(value), found[0])

    def ask_all(found: re.Match[str]) -> str:
        return _checked(_first(replacement(*found.groups())), found[0])

    return ask_all if captures > 1 else ask


def _first(result: Any) -> Any:
    if result.__class__ is tuple:
        return result[0] if result else None
    return result


def _checked(value: Any, whole: str) -> str:
    """What a table or a function gave: nil and false keep the match."""
    if value.__class__ is str:
        return value
    if value is None or value is False:
        return whole
    text = text_or_none(value)
    if text is None:
        raise RuntimeFault(f"invalid replacement value (a {type_name(value)})")
    return text


@lru_cache(maxsize=256)
def _template(text: str) -> Replace:
    """A replacement string: `%0` is the match, `%1` a capture, `%` before anything else is dropped."""
    pieces: list[str | int] = []
    place = 0
    while place < len(text):
        here = text[place]
        if here != "%":
            end = text.find("%", place)
            end = len(text) if end < 0 else end
            pieces.append(text[place:end])
            place = end
            continue
        following = text[place + 1 : place + 2]
        if "0" <= following <= "9":
            pieces.append(int(following))
        else:
            pieces.append(following or "\0")  # C reads the zero byte behind the string
        place += 2
    if all(piece.__class__ is str for piece in pieces):
        constant = "".join(map(str, pieces))
        return lambda whole, captures: constant

    def fill(whole: str, captures: tuple[str | int, ...]) -> str:
        out: list[str] = []
        for piece in pieces:
            if isinstance(piece, str):
                out.append(piece)
            elif piece == 0 or (piece == 1 and not captures):
                out.append(whole)
            elif piece <= len(captures):
                out.append(str(finished(captures[piece - 1 : piece])[0]))
            else:
                raise RuntimeFault("invalid capture index")
        return "".join(out)

    return fill
