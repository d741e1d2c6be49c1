"""Lua strings and bytes: the one place where they are converted.

A Lua string is a `str` with one character per byte (Latin-1), so lengths and positions are those of the bytes. Text
that people read is UTF-8 inside such a string.
"""

from __future__ import annotations

import string as _ascii


def to_str(data: bytes) -> str:
    """The Lua string that holds these bytes."""
    return data.decode("latin-1")


def to_bytes(text: str) -> bytes:
    """The bytes of a Lua string. A character beyond one byte is not a Lua string: UnicodeEncodeError."""
    return text.encode("latin-1")


def u8(text: str) -> str:
    """The Lua string that holds this readable text as UTF-8: how non-ASCII literals are emitted."""
    return text.encode("utf-8").decode("latin-1")


def readable(text: str) -> str:
    """A Lua string for people: UTF-8 decoded where it is UTF-8, byte by byte elsewhere."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


# Case mapping of the C locale: only ASCII letters, or the bytes of UTF-8 text would change.
_LOWER = str.maketrans(_ascii.ascii_uppercase, _ascii.ascii_lowercase)
_UPPER = str.maketrans(_ascii.ascii_lowercase, _ascii.ascii_uppercase)


def ascii_lower(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_LOWER)


def ascii_upper(text: str) -> str:
    return text.upper() if text.isascii() else text.translate(_UPPER)
