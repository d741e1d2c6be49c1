"""What can be read off a literal Lua pattern without running it."""

from __future__ import annotations

import re

_MAGIC = frozenset("^$*+?.([%-")


def is_plain(pattern: str) -> bool:
    """Whether it has no magic characters, so that it means itself."""
    return not _MAGIC.intersection(pattern) and "\0" not in pattern


def captures_of(pattern: str) -> int | None:
    """How many captures it has; None when it isn't well formed, which Lua finds out when it runs."""
    scanned = _scan(pattern)
    return None if scanned is None else len(scanned)


def has_positions(pattern: str) -> bool:
    """Whether a capture is a position, which gives a number."""
    return any(_scan(pattern) or ())


def positions(pattern: str) -> list[bool]:
    """For each capture of a well-formed pattern, whether it is a position."""
    return _scan(pattern) or []


_EMPTY_FITS = re.compile(
    r"(?:\((?=\))|[()]|(?:%[acdglpsuwxz]|%\W|\.|\[\^?\]?(?:%.|[^\]%])*\]|[^%.\[()^$*+?-])[*?-])*\Z",
    re.IGNORECASE | re.DOTALL,
)
_ANYTHING = re.compile(r"\.[*-]")


def always_matches(pattern: str) -> bool:
    """Whether it matches any text: nothing need be there, and between two anchors a `.*` or `.-` takes the rest."""
    inner = pattern.removeprefix("^")
    at_end = inner.endswith("$") and not inner.endswith("%$")
    inner = inner.removesuffix("$") if at_end else inner
    if captures_of(pattern) is None or not _EMPTY_FITS.match(inner):
        return False
    return not (at_end and pattern.startswith("^")) or bool(_ANYTHING.search(inner))


def _scan(pattern: str) -> list[bool] | None:
    """For each capture, whether it is a position."""
    found: list[bool] = []
    open_captures = 0
    place = 0
    while place < len(pattern):
        char = pattern[place]
        if char == "\0":
            return None
        if char == "%":
            if place + 1 >= len(pattern):
                return None
            if pattern[place + 1] == "b":
                if place + 3 >= len(pattern):
                    return None
                place += 2
            elif pattern[place + 1] == "f" and pattern[place + 2 : place + 3] != "[":
                return None
            elif pattern[place + 1].isdigit():
                return (
                    None
                    if not 1 <= int(pattern[place + 1]) <= len(found) or open_captures
                    else _rest(pattern)
                )
            place += 2
        elif char == "[":
            end = _end_of_set(pattern, place)
            if end is None:
                return None
            place = end
        elif char == "(":
            position = pattern[place + 1 : place + 2] == ")"
            found.append(position)
            open_captures += 1
            place += 1
        elif char == ")":
            if not open_captures:
                return None
            open_captures -= 1
            place += 1
        else:
            place += 1
    return None if open_captures or len(found) > 32 else found


def _rest(pattern: str) -> list[bool] | None:
    """A pattern with back references: its captures if leaving the references out leaves it well formed."""
    return _scan("".join(_without_references(pattern)))


def _without_references(pattern: str) -> list[str]:
    pieces: list[str] = []
    place = 0
    while place < len(pattern):
        if pattern[place] == "%" and pattern[place + 1 : place + 2].isdigit():
            pieces.append("x")
            place += 2
        elif pattern[place] == "%":
            pieces.append(pattern[place : place + 2])
            place += 2
        else:
            pieces.append(pattern[place])
            place += 1
    return pieces


def _end_of_set(pattern: str, start: int) -> int | None:
    """The place after a set's `]`."""
    place = start + 1
    if pattern[place : place + 1] == "^":
        place += 1
    first = True
    while place < len(pattern):
        char = pattern[place]
        if char == "]" and not first:
            return place + 1
        if char == "\0" or (char == "%" and place + 1 >= len(pattern)):
            return None
        place += 2 if char == "%" else 1
        first = False
    return None
