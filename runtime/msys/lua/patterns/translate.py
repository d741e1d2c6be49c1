"""Lua pattern to Python `re`, where the two agree exactly; Untranslatable elsewhere.

What made it exact, found by comparing with lua5.1 on random patterns: classes written out as ASCII sets; `-` is a lazy
star; `$` counts only at the end; a capture of a position is an empty group; `%f` looks behind and ahead with a zero
byte standing at both ends of the text. `%b` counts, which `re` can't.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from msys.lua.errors import LuaError
from msys.lua.patterns.classes import ALL, class_end, members

MAX_CAPTURES = 32  # LUA_MAXCAPTURES


class Untranslatable(Exception):
    """`re` can't say this, or the pattern has a mistake that Lua finds only when it gets there."""


@dataclass(frozen=True, slots=True)
class Translated:
    regex: re.Pattern[str]
    positions: tuple[bool, ...]  # which captures are positions
    can_be_empty: bool  # may match the empty string


def translate(pattern: str) -> Translated:
    """`pattern` without its leading anchor."""
    out: list[str] = []
    positions: list[bool] = []
    still_open: list[int] = []
    width = 0
    place = 0
    try:
        while place < len(pattern):
            here = pattern[place]
            following = pattern[place + 1 : place + 2]
            if here == "(":
                if len(positions) >= MAX_CAPTURES:
                    raise Untranslatable
                positions.append(following == ")")
                if following == ")":
                    out.append("()")
                    place += 2
                    continue
                still_open.append(len(positions))
                out.append("(")
                place += 1
            elif here == ")":
                if not still_open:
                    raise Untranslatable
                still_open.pop()
                out.append(")")
                place += 1
            elif here == "$" and place + 1 == len(pattern):
                out.append(r"\Z")
                place += 1
            elif here == "%" and following == "f":
                if pattern[place + 2 : place + 3] != "[":
                    raise Untranslatable
                end = class_end(pattern, place + 2)
                out.append(_frontier(members(pattern[place + 2 : end])))
                place = end
            elif here == "%" and following == "b":
                raise Untranslatable
            elif here == "%" and "0" <= following <= "9":
                number = int(following)
                if not 1 <= number <= len(positions) or number in still_open:
                    raise Untranslatable
                out.append("(?!)" if positions[number - 1] else f"(?:\\{number})")
                place += 2
            else:
                end = class_end(pattern, place)
                item = regex_set(members(pattern[place:end]))
                suffix = pattern[end : end + 1]
                out.append(item + _SUFFIXES.get(suffix, ""))
                width += suffix in ("", "+") or suffix not in _SUFFIXES
                place = end + (suffix in _SUFFIXES and suffix != "")
    except LuaError as mistake:
        raise Untranslatable from mistake
    if still_open:
        raise Untranslatable
    return Translated(re.compile("".join(out), re.ASCII | re.DOTALL), tuple(positions), width == 0)


_SUFFIXES = {"*": "*", "+": "+", "-": "*?", "?": "?"}


def _frontier(codes: frozenset[int]) -> str:
    """Between a character outside the set and one inside it; beyond both ends stands a zero byte."""
    inside, outside = regex_set(codes), regex_set(ALL - codes)
    if 0 in codes:
        return f"(?<={outside})(?!{outside})"
    return f"(?<!{inside})(?={inside})"


def regex_set(codes: frozenset[int]) -> str:
    """A regular expression for one character of `codes`."""
    if len(codes) == 256:
        return "."
    if not codes:
        return r"[^\x00-\xff]"
    if len(codes) == 1:
        return re.escape(chr(next(iter(codes))))
    negated = len(codes) > 128
    ordered = sorted(ALL - codes if negated else codes)
    runs: list[list[int]] = []
    for code in ordered:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    body = "".join(
        f"\\x{low:02x}" if low == high else f"\\x{low:02x}-\\x{high:02x}" for low, high in runs
    )
    return f"[{'^' if negated else ''}{body}]"
