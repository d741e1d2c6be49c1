"""`msys.qp`: quoted-printable both ways, with conversion from and to UTF-8 when a charset is named. Pure."""

from __future__ import annotations

import quopri
import re
from typing import Any

from msys.arguments import check_string, truth
from msys.catalog.binding import documented
from msys.charset import from_utf8, to_utf8
from msys.lua import ABSENT
from msys.lua.bytestr import to_bytes, to_str

__all__ = ["decode", "encode"]

LINE = 76  # RFC 2045 section 6.7, with the "=" of a soft break
LITERAL = frozenset(range(33, 127)) - {ord("=")}
LINE_END = re.compile(rb"\r\n|\n")


def _encode_line(line: bytes) -> bytes:
    """One line without its end: quoted, with soft breaks where it is too long."""
    last = len(line) - 1
    pieces = [
        bytes((byte,)) if byte in LITERAL or (byte in b" \t" and at != last) else b"=%02X" % byte
        for at, byte in enumerate(line)
    ]
    lines: list[bytes] = []
    row: list[bytes] = []
    used = 0
    for number, piece in enumerate(pieces):
        room = LINE if number == last else LINE - 1
        if used + len(piece) > room:
            lines.append(b"".join(row) + b"=")
            row, used = [], 0
        row.append(piece)
        used += len(piece)
    return b"\r\n".join([*lines, b"".join(row)])


@documented("msys.qp.encode", assumed="lines of at most 76 characters, CRLF line ends")
def encode(original: str, charset: Any = ABSENT, dotstuffing: Any = ABSENT) -> str:
    """`original` as quoted-printable, in lines of at most 76 characters with CRLF ends.

    charset: convert from UTF-8 to it first; without one the bytes are taken as they are. dotstuffing:
    any true value doubles a dot at the start of each line that wrapping made. An unknown charset raises.
    Source: lua.ref.msys.qp.encode.
    """
    content = from_utf8("encode", 2, to_bytes(check_string("encode", 1, original)), charset)
    text = b"\r\n".join(_encode_line(line) for line in LINE_END.split(content))
    if truth(dotstuffing):
        text = text.replace(b"=\r\n.", b"=\r\n..")
    return to_str(text)


@documented("msys.qp.decode", assumed="a stray = is kept as it is")
def decode(encoded_txt: str, charset: Any = ABSENT) -> str:
    """The bytes that quoted-printable text stands for; a stray `=` is kept.

    charset: what the original was written in; the result is converted to UTF-8, and bytes that the
    charset does not know raise. Source: lua.ref.msys.qp.decode.
    """
    content = quopri.decodestring(to_bytes(check_string("decode", 1, encoded_txt)))
    return to_str(to_utf8("decode", 2, content, charset))
