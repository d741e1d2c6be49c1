"""Content as it comes over SMTP: what makes it unfit, and the dots that are not its own. Pure."""

from __future__ import annotations

import re
from enum import Enum, auto


class Problem(Enum):
    """Why content, or a command line, is not fit to be accepted."""

    TOO_LARGE = auto()
    BARE_NEWLINE = auto()
    LINE_TOO_LONG = auto()


def content_problem(data: bytes, max_line_bytes: int = 0) -> Problem | None:
    """What is wrong with a whole content, which ends with CR LF or is empty."""
    lines = (
        data.splitlines()
    )  # at CR, LF and CR LF alike: every end has two bytes when all are CR LF
    if sum(map(len, lines)) + 2 * len(lines) != len(data):
        return Problem.BARE_NEWLINE
    if max_line_bytes and max(map(len, lines), default=0) + 2 > max_line_bytes:
        return Problem.LINE_TOO_LONG
    return None


_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def mended(data: bytes, *, header: bool, body: bool) -> bytes:
    """The content with each lone CR or LF as a CR LF, in the parts that may be changed."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if header and body:
        return _LONE.sub(b"\r\n", data)
    if header:
        return _LONE.sub(b"\r\n", head) + end + rest
    return head + end + _LONE.sub(b"\r\n", rest)


def unstuffed(data: bytes) -> bytes:
    """Without the dot that a sender puts before a line's own (RFC 5321 section 4.5.2)."""
    if b"\r\n." in data:
        data = data.replace(b"\r\n.", b"\r\n")
    return data[1:] if data[:1] == b"." else data
