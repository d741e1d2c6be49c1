"""Charset names and conversions shared by `msys.base64` and `msys.qp`. Pure."""

from __future__ import annotations

import codecs
from typing import Any

from msys.arguments import bad_argument, check_string
from msys.lua import ABSENT
from msys.lua.errors import RuntimeFault


def codec_of(function: str, position: int, charset: Any) -> str | None:
    """Python's name of the charset; None when none was given (nil counts as none)."""
    if charset is ABSENT or charset is None:
        return None
    name = check_string(function, position, charset)
    try:
        return codecs.lookup(name.partition("//")[0]).name
    except (LookupError, ValueError):
        raise bad_argument(function, position, f"unknown charset '{name}'") from None


def from_utf8(function: str, position: int, content: bytes, charset: Any) -> bytes:
    """UTF-8 bytes in another charset; a character it lacks raises."""
    codec = codec_of(function, position, charset)
    if codec is None or codec == "utf-8":
        return content
    return _convert(function, content, "utf-8", codec)


def to_utf8(function: str, position: int, content: bytes, charset: Any) -> bytes:
    """Bytes of a charset as UTF-8; bytes that it does not know raise."""
    codec = codec_of(function, position, charset)
    if codec is None or codec == "utf-8":
        return content
    return _convert(function, content, codec, "utf-8")


def _convert(function: str, content: bytes, source: str, target: str) -> bytes:
    try:
        return content.decode(source).encode(target)
    except UnicodeError as error:
        raise RuntimeFault(
            f"{function}: cannot convert from {source} to {target}: {error}"
        ) from None
