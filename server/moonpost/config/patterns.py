"""Domain and Host instances that are regular expressions: `"/pattern/"`, PCRE, not anchored."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import pcre2

# A pattern over a domain name that needs more steps than this is a mistake; it then does not match.
_LIMIT: Final = b"(*LIMIT_MATCH=100000)"


class BadPattern(ValueError):
    """A pattern that PCRE does not take."""


def is_pattern(instance: str) -> bool:
    return len(instance) > 1 and instance.startswith("/") and instance.endswith("/")


@lru_cache(maxsize=1000)
def compiled(instance: str) -> Any:
    """The pattern of an instance; BadPattern when it does not parse."""
    try:
        return pcre2.compile(_LIMIT + instance[1:-1].encode())
    except pcre2.PatternError as error:
        raise BadPattern(str(error.msg).rpartition("; ")[2]) from None


def matches(instance: str, name: str) -> bool:
    """Whether the pattern is found in a lower-case name."""
    try:
        return compiled(instance).search(name.encode()) is not None
    except pcre2.LibraryError:
        return False
