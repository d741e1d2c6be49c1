"""How Sieve compares: comparators, match types, wildcards. Pure functions over Lua strings.

RFC 5228 section 2.7, RFC 5231 for relations, RFC 4790 for comparators.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

CASEMAP, OCTET, NUMERIC = "i;ascii-casemap", "i;octet", "i;ascii-numeric"
COMPARATORS = (CASEMAP, OCTET, NUMERIC)
LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def number(text: str) -> float:
    """What `i;ascii-numeric` makes of a text: its first digits; without any it is more than all numbers."""
    digits = re.match(r"[0-9]+", text)
    return int(digits[0]) if digits else float("inf")


def collated(text: str, comparator: str) -> str | float:
    """A text as its comparator orders it."""
    if comparator == NUMERIC:
        return number(text)
    return text.translate(LOWER) if comparator == CASEMAP else text


@lru_cache(maxsize=1000)
def wildcard(pattern: str, comparator: str) -> re.Pattern[str]:
    """`:matches` as a regular expression: `*` takes as little as it can, `?` one byte, a backslash quotes."""
    pieces = []
    for piece in re.findall(r"\\.|[*?]|[^\\*?]+|\\", pattern, re.DOTALL):
        if piece in ("*", "?"):
            pieces.append("(.*?)" if piece == "*" else "(.)")
        else:
            literal = piece[1:] if len(piece) == 2 and piece[0] == "\\" else piece
            pieces.append(re.escape(literal))
    flags = re.DOTALL | re.ASCII
    return re.compile("".join(pieces), flags | (re.IGNORECASE if comparator == CASEMAP else 0))


class Matcher:
    """One test's way of comparing. `captured` is what the wildcards of the last match took."""

    def __init__(self, match_type: str, comparator: str, relation: str) -> None:
        self.match_type = match_type
        self.comparator = comparator
        self.relation = relation
        self.captured: tuple[str, ...] | None = None

    def any(self, values: Sequence[str], keys: Sequence[str]) -> bool:
        """Whether some value fits some key; for `:count` whether their number does."""
        if self.match_type == "count":
            values = [str(len(values))]
        return any(self.fits(value, key) for value in values for key in keys)

    def fits(self, value: str, key: str) -> bool:
        """Whether one value fits one key."""
        if self.match_type in ("count", "value"):
            comparator = NUMERIC if self.match_type == "count" else self.comparator
            compare = RELATIONS[self.relation]
            return compare(collated(value, comparator), collated(key, comparator))
        if self.match_type == "matches":
            found = wildcard(key, self.comparator).fullmatch(value)
            if found is not None:
                self.captured = (value, *found.groups())
            return found is not None
        one, other = collated(value, self.comparator), collated(key, self.comparator)
        if self.match_type == "contains":
            return str(other) in str(one)
        return one == other
