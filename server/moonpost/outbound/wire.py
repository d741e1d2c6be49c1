"""How content and commands look on the wire.

Pure. Everything that came from a message or from policy passes here before it is sent: no address can smuggle a
command and no line ending an extra message.
"""

from __future__ import annotations

import re

END = b".\r\n"
_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f<>]|[^\x00-\xff]")
_VALUE = re.compile(r"[!-~]+")  # an ESMTP value holds no blank, no control: RFC 5321 section 4.1.2


def as_data(content: bytes) -> bytes:
    """Content as it is sent after DATA, with the final dot.

    A lone CR or LF becomes a full line ending: some hosts take `LF . LF` for the end of the message.
    """
    lines = content.count(b"\r\n")
    if content.count(b"\n") != lines or content.count(b"\r") != lines:
        content = _LONE.sub(b"\r\n", content)
    if content.startswith(b"."):
        content = b"." + content
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    if content and not content.endswith(b"\r\n"):
        return content + b"\r\n" + END
    return content + END


def is_safe_address(address: str) -> bool:
    """Whether an address can stand between `<` and `>` in a command."""
    return not _UNSAFE.search(address)


def is_safe_value(value: str) -> bool:
    """Whether a parameter value, already in xtext, can be written in a command."""
    return _VALUE.fullmatch(value) is not None
