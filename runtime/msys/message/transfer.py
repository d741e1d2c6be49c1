"""Transfer encodings of RFC 2045 section 6: base64 and quoted-printable, the others as they are. Pure."""

from __future__ import annotations

import binascii
import re

LINE = 76  # RFC 2045 sections 6.7 and 6.8
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
LINE_MAX = 999  # octets before LF, the CR among them: RFC 5322 section 2.1.1

IDENTITY = frozenset(("7bit", "8bit", "binary", ""))


def decoded(body: bytes, encoding: str) -> bytes:
    """The content of an encoded body. Unknown encodings are left alone; damaged ones give what can be read."""
    if encoding == "base64":
        data = NOT_BASE64.sub(b"", body.partition(b"=")[0] if b"=" in body else body)
        whole = len(data) // 4 * 4
        rest = data[whole:]
        if len(rest) == 1:  # six bits are no byte
            rest = b""
        return binascii.a2b_base64(data[:whole] + (rest and rest.ljust(4, b"=")))
    if encoding in ("quoted-printable", "x-quoted-printable"):
        return binascii.a2b_qp(body)
    return body


def encoded(content: bytes, encoding: str) -> bytes:
    """The content in a transfer encoding."""
    if encoding == "base64":
        return base64_lines(content)
    if encoding == "quoted-printable":
        return quoted_printable(content)
    return content


def base64_lines(content: bytes) -> bytes:
    """Base64 in lines of 76, each ended by CRLF."""
    text = binascii.b2a_base64(content, newline=False)
    lines = [text[at : at + LINE] for at in range(0, len(text), LINE)]
    return b"".join(line + b"\r\n" for line in lines)


def quoted_printable(content: bytes) -> bytes:
    """Quoted-printable; CRLF stays a line end, stray CR and LF are encoded."""
    lines = (binascii.b2a_qp(line, istext=False) for line in content.split(b"\r\n"))
    return b"\r\n".join(line.replace(b"=\n", b"=\r\n") for line in lines)


def has_long_line(content: bytes) -> bool:
    """Whether more than LINE_MAX octets stand between two LF."""
    at, end = 0, len(content)
    while end - at > LINE_MAX:
        found = content.rfind(b"\n", at, at + LINE_MAX + 1)
        if found < 0:
            return True
        at = found + 1
    return False


def suits(content: bytes, encoding: str) -> bool:
    """Whether `content` may stand in a body of that identity encoding."""
    if encoding == "binary":
        return True
    if has_long_line(content) or b"\0" in content:
        return False
    return encoding == "8bit" or content.isascii()
