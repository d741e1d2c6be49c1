"""`msys.pcre`: Perl-compatible patterns over Lua strings, by PCRE2.

Subjects and patterns that are UTF-8 match as UTF-8, others byte by byte. Patterns are compiled once and
kept; one that backtracks without end is stopped by a limit that policy cannot catch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msys.arguments import check_integer, check_string, truth
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table, call, type
from msys.lua.bytestr import to_bytes, to_str
from msys.pcre_engine import (
    BadPattern,
    expand,
    match_table,
    matches,
    search_bytes,
    substitute_bytes,
    substitute_with,
)

__all__ = ["match", "replace", "search_bytes", "split", "substitute_bytes"]


@documented(
    "msys.pcre.match",
    assumed="a group that took no part is nil; a bad pattern is nil, text and offset; no UTF-8 matches by byte",
)
def match(str: str, pattern: str) -> tuple[Table | None, str | None, int | None]:
    """The first match of `pattern` anywhere in `str`.

    A table: [0] the whole match, [1]… the groups, named groups by name; groups that took no part are nil.
    nil when nothing matches; nil, text and offset for a pattern that does not parse.
    Source: lua.ref.msys.pcre.match.
    """
    subject = to_bytes(check_string("match", 1, str))
    try:
        return search_bytes(subject, check_string("match", 2, pattern)), None, None
    except BadPattern as error:
        return None, error.text, error.offset


def _filler(replacement: Any) -> Callable[[Any], bytes | None]:
    """What replaces a match: a template, or a function of its table (nil or false keeps the match)."""
    if type(replacement) != "function":
        return expand(to_bytes(check_string("replace", 3, replacement)))

    def ask(found: Any) -> bytes | None:
        results = call(replacement, match_table(found))
        answer = results[0] if results else None
        return to_bytes(check_string("replace", 3, answer)) if truth(answer) else None

    return ask


@documented(
    "msys.pcre.replace",
    assumed="$0, ${name} and \\1 work beside $1; a function may give the replacement; a fourth argument "
    "limits how many; a bad pattern is nil, text and offset",
)
def replace(
    subject: str, pattern: str, replacement: Any, limit: Any = ABSENT
) -> tuple[str | None, str | None, int | None]:
    """`subject` with every match replaced.

    replacement: text with `$1`, `${1}`, `${name}`, `\\1` (`$0` is the match; `\\\\` and `\\$` are
    literal), or a function of the match table whose nil or false keeps the match. limit: how many at
    most; nil or 0: all. nil, text and offset for a pattern that does not parse.
    Source: lua.ref.msys.pcre.replace.
    """
    text = to_bytes(check_string("replace", 1, subject))
    source = check_string("replace", 2, pattern)
    most = 0 if limit is ABSENT or limit is None else check_integer("replace", 4, limit)
    try:
        changed, _ = substitute_with(text, source, _filler(replacement), most)
    except BadPattern as error:
        return None, error.text, error.offset
    return to_str(changed), None, None


@documented(
    "msys.pcre.split",
    assumed="empty pieces are left out, groups are not returned; an empty pattern is nil and a text; a third "
    "argument limits the pieces",
)
def split(
    subject: str, pattern: str, limit: Any = ABSENT
) -> tuple[Table | None, str | None, int | None]:
    """The pieces of `subject` between matches, without the empty ones.

    limit: at most so many pieces, the last one holds the rest. nil, text and offset for a pattern that
    does not parse or is empty. Source: lua.ref.msys.pcre.split.
    """
    text = to_bytes(check_string("split", 1, subject))
    source = check_string("split", 2, pattern)
    most = 0 if limit is ABSENT or limit is None else check_integer("split", 3, limit)
    if not source:
        return None, "an empty pattern was provided", 0
    pieces: list[bytes] = []
    at = 0
    try:
        for found in matches(text, source):
            if 0 < most <= len(pieces) + 1:
                break
            start, end = found.span()
            if start > at:
                pieces.append(text[at:start])
            at = max(at, end if end > start else start)
    except BadPattern as error:
        return None, error.text, error.offset
    if at < len(text):
        pieces.append(text[at:])
    return Table.array(*map(to_str, pieces)), None, None
