"""Character classes of Lua patterns, as sets of character codes.

The C locale's idea of letters, digits and so on: nothing beyond ASCII is a letter.
"""

from __future__ import annotations

import string as _ascii
from functools import lru_cache

from msys.lua.errors import RuntimeFault

ALL = frozenset(range(256))


def _codes(text: str) -> frozenset[int]:
    return frozenset(map(ord, text))


_SETS = {
    "a": _codes(_ascii.ascii_letters),
    "c": frozenset((*range(32), 127)),
    "d": _codes(_ascii.digits),
    "l": _codes(_ascii.ascii_lowercase),
    "p": _codes(_ascii.punctuation),
    "s": _codes(" \t\n\v\f\r"),
    "u": _codes(_ascii.ascii_uppercase),
    "w": _codes(_ascii.ascii_letters + _ascii.digits),
    "x": _codes(_ascii.hexdigits),
    "z": frozenset((0,)),
}
CLASSES = {**_SETS, **{name.upper(): ALL - codes for name, codes in _SETS.items()}}


def class_end(pattern: str, place: int) -> int:
    """The place after the single-character class that begins at `place`."""
    size = len(pattern)
    first = pattern[place]
    place += 1
    if first == "%":
        if place >= size:
            raise RuntimeFault("malformed pattern (ends with '%')")
        return place + 1
    if first == "[":
        if pattern[place : place + 1] == "^":
            place += 1
        while True:  # a bracket right after the opening is a member
            if place >= size:
                raise RuntimeFault("malformed pattern (missing ']')")
            place += 1
            if pattern[place - 1] == "%" and place < size:
                place += 1
            if pattern[place : place + 1] == "]":
                return place + 1
    return place


@lru_cache(maxsize=1024)
def members(item: str) -> frozenset[int]:
    """The codes that one class item (`a`, `.`, `%a`, `[^%s-]`) matches."""
    if item[0] == "%":
        return CLASSES.get(item[1]) or frozenset((ord(item[1]),))
    if item == ".":
        return ALL
    if item[0] == "[" and len(item) > 1:
        return _bracket(item)
    return frozenset((ord(item),))


def _bracket(item: str) -> frozenset[int]:
    end = len(item) - 1
    place = 1
    negated = item[1] == "^"
    if negated:
        place += 1
    codes: set[int] = set()
    while place < end:
        here = item[place]
        if here == "%":
            codes |= CLASSES.get(item[place + 1]) or {ord(item[place + 1])}
            place += 2
        elif item[place + 1] == "-" and place + 2 < end:
            codes |= set(range(ord(here), ord(item[place + 2]) + 1))
            place += 3
        else:
            codes.add(ord(here))
            place += 1
    return ALL - codes if negated else frozenset(codes)
