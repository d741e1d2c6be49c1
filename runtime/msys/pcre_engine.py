"""PCRE over bytes: compiled once, limited, UTF-8 where subject and pattern both are.

The functions of `msys.pcre` and every `*_match` and `*_replace` of messages are built on this. Knows nothing of Lua
functions as replacements or of streaming; a bad pattern is `BadPattern`, a pattern that never ends is `PolicyLimit`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from io import BytesIO
from typing import Any

import pcre2
from pcre2 import (
    _cy as library,
)  # `pcre2.compile` reads `\x{20ac}` as JavaScript does; PCRE does not

from msys.lua import Table
from msys.lua.bytestr import to_bytes, to_str
from msys.ports import PolicyLimit

MATCH_LIMIT = 5_000_000  # chosen: a quarter of a second of backtracking on today's machines, PCRE's default halved
MATCH_LIMIT_ERRORS = {-47, -53, -63, -46}  # match, depth and heap limit; JIT stack overflow
JAVASCRIPT_ESCAPES = 0x2  # PCRE2_ALT_BSUX
CHECKED_AT_ONCE = 1 << 20  # a text takes up to four times the space of its bytes
CACHED = 1000  # compiled patterns kept; policy has tens, patterns built from data must not pile up

REFERENCE = re.compile(rb"\$(\d{1,3})|\$\{(\w+)\}|\\(\d{1,2})|\\([\\$])", re.ASCII)


class BadPattern(Exception):
    """A pattern that PCRE does not take: its text and the offset of the mistake."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(text)
        self.text = text
        self.offset = offset


@lru_cache(maxsize=CACHED)
def compiled(pattern: bytes, utf: bool) -> Any:
    """The pattern with its limits; BadPattern when it does not parse."""
    verbs = b"(*LIMIT_MATCH=%d)" % MATCH_LIMIT
    if utf:
        verbs += b"(*UTF)"
    try:
        code = library.compile(verbs + pattern, 0, JAVASCRIPT_ESCAPES)
        library.jit_compile(code)
        return pcre2.Pattern(code, verbs + pattern, pcre2.NOFLAG, True, None)
    except pcre2.PatternError as error:
        offset = max(0, getattr(error, "pos", len(verbs)) - len(verbs))
        raise BadPattern(str(error.msg), offset) from None


def is_utf8(content: bytes) -> bool:
    """Whether the bytes are UTF-8 (ASCII is)."""
    if content.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(content), CHECKED_AT_ONCE):
            decoder.decode(content[at : at + CHECKED_AT_ONCE])
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def prepare(subject: bytes, pattern: str) -> Any:
    """The compiled form of `pattern` (a Lua string) that suits `subject`."""
    source = to_bytes(pattern)
    plain = (
        subject.isascii() and source.isascii() and b"\\x{" not in source and b"\\p" not in source
    )
    return compiled(source, not plain and is_utf8(source) and is_utf8(subject))


def matches(subject: bytes, pattern: str) -> Iterator[Any]:
    """Each match of `pattern`, from left to right, not overlapping."""
    ready = prepare(subject, pattern)
    try:
        yield from ready.finditer(subject)
    except pcre2.LibraryError as error:
        raise limit_or_bug(error, pattern) from None


def limit_or_bug(error: Any, pattern: str) -> BaseException:
    """The limit as something pcall does not catch; anything else as it is."""
    if error.code in MATCH_LIMIT_ERRORS:
        return PolicyLimit(f"the pattern {pattern!r} was given up: {error.msg}")
    return BadPattern(str(error.msg), 0)


def match_table(match: Any) -> Table:
    """`[0]` the whole match, `[1]`… the captures, named captures by name; unset ones are nil."""
    found = Table({0: to_str(match.group())})
    for number, text in enumerate(match.groups(), 1):
        if text is not None:
            found[number] = to_str(text)
    for name, number in match.re.groupindex.items():
        text = match.group(number)
        if text is not None:
            found[name] = to_str(text)
    return found


def search_bytes(subject: bytes, pattern: str) -> Table | None:
    """The table of the first match, or None. BadPattern when the pattern does not parse."""
    ready = prepare(subject, pattern)
    try:
        found = ready.search(subject)
    except pcre2.LibraryError as error:
        raise limit_or_bug(error, pattern) from None
    return None if found is None else match_table(found)


def expand(template: bytes) -> Callable[[Any], bytes]:
    """A function that fills `$1`, `${1}`, `${name}`, `\\1` from a match; `\\\\` and `\\$` are literal."""
    if b"$" not in template and b"\\" not in template:
        return lambda match: template

    def fill(match: Any) -> bytes:
        def one(reference: re.Match[bytes]) -> bytes:
            literal = reference.group(4)
            if literal is not None:
                return literal
            name = reference.group(1) or reference.group(2) or reference.group(3)
            named = match.re.groupindex.get(name.decode("ascii"), -1)
            number = int(name) if name.isdigit() else named
            if not 0 <= number <= match.re.groups:
                return b""
            return match.group(number) or b""

        return REFERENCE.sub(one, template)

    return fill


def substitute_with(
    subject: bytes, pattern: str, replacement: Callable[[Any], bytes | None], limit: int = 0
) -> tuple[bytes, int]:
    """Replace matches by what `replacement` returns (None keeps one); at most `limit`, 0 for all of them."""
    result = BytesIO()  # grows in place: a list of pieces costs a hundred bytes for each
    view = memoryview(subject)
    at = replaced = 0
    for count, match in enumerate(matches(subject, pattern), 1):
        text = replacement(match)
        if text is not None:
            start, end = match.span()
            result.write(view[at:start])
            result.write(text)
            at = end
            replaced += 1
        if count == limit:
            break
    if not replaced:
        return subject, 0
    result.write(view[at:])
    return result.getvalue(), replaced


def substitute_bytes(
    subject: bytes, pattern: str, replacement: str, limit: int = 0
) -> tuple[bytes, int]:
    """All occurrences replaced, and how many there were."""
    return substitute_with(subject, pattern, expand(to_bytes(replacement)), limit)
