"""Content as it comes over SMTP: what makes it unfit, and the dots that are not its own. Pure."""

from __future__ import annotations

from enum import Enum, auto


class Problem(Enum):
    """Why content, or a command line, is not fit to be accepted."""

    TOO_LARGE = auto()
    BARE_NEWLINE = auto()
    LINE_TOO_LONG = auto()


def content_problem(data: bytes, max_line_bytes: int = 0) -> Problem | None:
    """What is wrong with a whole content."""
    lines = data.count(b"\r\n")
    if data.count(b"\n") != lines or data.count(b"\r") != lines:
        return Problem.BARE_NEWLINE
    if max_line_bytes and has_long_line(data, max_line_bytes):
        return Problem.LINE_TOO_LONG
    return None


def has_long_line(data: bytes, max_line_bytes: int) -> bool:
    """Whether a line has more than `max_line_bytes` with its end; looks at few of the bytes."""
    at, size = 0, len(data)
    while size - at > max_line_bytes:
        newline = data.rfind(b"\n", at, at + max_line_bytes)
        if newline < 0:
            return True
        at = newline + 1
    return False


def unstuffed(data: bytes) -> bytes:
    """Without the dot that a sender puts before a line's own (RFC 5321 section 4.5.2)."""
    if b"\r\n." in data:
        data = data.replace(b"\r\n.", b"\r\n")
    return data[1:] if data[:1] == b"." else data
