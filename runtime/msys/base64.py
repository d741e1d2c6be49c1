"""`msys.base64`: Base64 both ways, with conversion from and to UTF-8 when a charset is named. Pure."""

from __future__ import annotations

import base64 as stdlib_base64
import binascii
from typing import Any

from msys.arguments import check_string, truth
from msys.catalog.binding import documented
from msys.charset import from_utf8, to_utf8
from msys.lua import ABSENT
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.errors import RuntimeFault

__all__ = ["decode", "encode"]

LINE = 76  # characters of output: RFC 2045 section 6.8


@documented("msys.base64.encode", assumed="folding puts CRLF between lines, not after the last")
def encode(original: str, fold: Any = ABSENT, charset: Any = ABSENT) -> str:
    """`original` as Base64.

    fold: any true value puts CRLF after every 76 characters but the last line. charset: convert
    `original` from UTF-8 to it first; without one the bytes are taken as they are. An unknown charset,
    or text it cannot hold, raises. Source: lua.ref.msys.base64.encode.
    """
    content = from_utf8("encode", 3, to_bytes(check_string("encode", 1, original)), charset)
    text = stdlib_base64.b64encode(content).decode("ascii")
    if not truth(fold):
        return text
    return "\r\n".join(text[at : at + LINE] for at in range(0, len(text), LINE))


@documented("msys.base64.decode", assumed="white space is skipped, missing padding accepted")
def decode(encoded_text: str, charset: Any = ABSENT) -> str:
    """The bytes that `encoded_text` stands for.

    White space is skipped and missing padding accepted; anything else that is no Base64 raises. charset:
    what the original was written in; the result is converted to UTF-8. Source: lua.ref.msys.base64.decode.
    """
    text = to_bytes(check_string("decode", 1, encoded_text))
    packed = text.translate(None, b" \t\r\n\f\v").rstrip(b"=")
    try:
        content = stdlib_base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error as error:
        raise RuntimeFault(f"base64.decode: not base64: {error}") from None
    return to_str(to_utf8("decode", 2, content, charset))
