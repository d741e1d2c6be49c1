"""What `gsub` puts in place of a match."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msys.lua.errors import RuntimeFault
from msys.lua.patterns.matcher import finished
from msys.lua.tables import Table
from msys.lua.text import text_or_none, type_name

Replace = Callable[[str, tuple[str | int, ...]], str]


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
        if result.__class__ is tuple:
            result = result[0] if result else None
        return _checked(result, whole)

    return ask


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
