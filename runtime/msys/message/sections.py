"""Where the parts of a multipart body are: offsets into bytes, by RFC 2046 section 5.1.1. Pure.

The CRLF before a delimiter belongs to the delimiter. A body without its closing delimiter ends with its last part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

CRLF = b"\r\n"
AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r\n|\Z)")
MAX_SECTIONS = 10_000  # chosen: no honest message has more; the rest is left as epilogue


@dataclass(frozen=True, slots=True)
class Section:
    """One part: its delimiter line is source[lead:start], the part itself source[start:end]."""

    lead: int
    start: int
    end: int


@dataclass(slots=True)
class Sections:
    """The parts; tail: where the closing delimiter begins (the end of the body when there is none)."""

    parts: list[Section] = field(default_factory=list)
    tail: int = 0
    closed: bool = False


def sections(source: bytes, start: int, end: int, boundary: bytes) -> Sections:
    """The parts of source[start:end]."""
    found = Sections(tail=end)
    needle = b"--" + boundary
    open_lead = open_start = -1  # the part whose end is not known yet
    at = start
    while len(found.parts) < MAX_SECTIONS:
        at = source.find(needle, at, end)
        if at < 0:
            break
        mark = AFTER_BOUNDARY.match(source, at + len(needle), end)
        if mark is None or not (at == start or source[at - 2 : at] == CRLF):
            at += 2
            continue
        floor = start if open_start < 0 else open_start
        lead = at - 2 if at - 2 >= floor else at
        if open_start >= 0:
            found.parts.append(Section(open_lead, open_start, lead))
        if mark.group(1):
            found.tail, found.closed = lead, True
            return found
        open_lead, open_start = lead, mark.end()
        at = mark.end()
    if open_start >= 0:
        if at >= 0:  # stopped at the limit: what follows is left alone
            found.tail = open_lead
        else:
            found.parts.append(Section(open_lead, open_start, end))
    return found


def has_delimiter(content: bytes, boundary: bytes) -> bool:
    """Whether some line of `content` would end a part of a container with this boundary."""
    return re.search(rb"(?:\A|\r\n)--" + re.escape(boundary), content) is not None
