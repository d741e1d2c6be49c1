"""Message bytes between the form we keep and the form of the wire.

Kept: CRLF lines, no dot stuffing, no end marker. What scripts read and write as `raw` and `body` is the wire form
without the end marker, as in Momentum. Pure functions over bytes.
"""

from __future__ import annotations

import re

CRLF = b"\r\n"
END_MARKER = b"\r\n.\r\n"
STRAY_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def stuff(content: bytes) -> bytes:
    """Double the dot at the start of each line that begins with one."""
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return b"." + content if content.startswith(b".") else content


def unstuff(content: bytes) -> bytes:
    """Undo `stuff`. A single dot at the start of a line stays: `stuff` never writes one."""
    if b"\r\n.." in content:
        content = content.replace(b"\r\n..", b"\r\n.")
    return content[1:] if content.startswith(b"..") else content


def stuffed_size(content: bytes) -> int:
    """Length of `stuff(content)`."""
    return len(content) + content.count(b"\r\n.") + content.startswith(b".")


def has_stray(content: bytes) -> bool:
    """Whether a CR or LF stands alone. Counting is a hundred times as fast as looking for one by a pattern."""
    pairs = content.count(CRLF)
    return content.count(b"\r") != pairs or content.count(b"\n") != pairs


def mended(content: bytes) -> bytes:
    """Stray CR and LF made line ends; the same object when there is none."""
    return STRAY_LINE_END.sub(CRLF, content) if has_stray(content) else content


def whole_lines(content: bytes) -> bytes:
    """Every line ended by CRLF: stray CR and LF become line ends, a missing last one is added."""
    content = mended(content)
    return content if not content or content.endswith(CRLF) else content + CRLF


def from_script(content: bytes) -> bytes:
    """What a script set as `raw` or `body`: lines made whole, one end marker and the stuffing taken off."""
    content = whole_lines(content)
    if content.endswith(END_MARKER):
        content = content[: -len(b".\r\n")]
    elif content == b".\r\n":
        content = b""
    return unstuff(content)
