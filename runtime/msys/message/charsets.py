"""Charsets as mail names them: bytes to text and back, never failing on the way in.

Bytes that are not text in their charset survive a way in and out unchanged (`exact`), or show as U+FFFD. Pure.
"""

from __future__ import annotations

import codecs
from functools import lru_cache

# What senders mean by names that Python does not know, or takes too narrowly
MEANT = {
    "x-unknown": "us-ascii",
    "unknown-8bit": "us-ascii",
    "unknown": "us-ascii",
    "8bit": "us-ascii",
    "default_charset": "us-ascii",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "gb2312": "gb18030",  # senders use characters of its superset
    "gbk": "gb18030",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "windows-874": "cp874",
    "ks_c_5601-1987": "cp949",
    "utf8mb4": "utf-8",
}
# Beside the families of ISO 8859 and Windows: where the first 128 characters are those of ASCII
ASCII_FIRST = {"ascii", "utf-8", "koi8-r", "koi8-u"}
NOT_CHARSETS = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs"}


@lru_cache(maxsize=200)
def codec(name: str) -> str | None:
    """Python's name of a charset, or None for one nobody knows."""
    wanted = name.strip().strip("\"'").lower()
    try:
        info = codecs.lookup(MEANT.get(wanted, wanted))
        info.name.encode(info.name)  # refuses transforms such as `zlib`, which are not text
    except (LookupError, ValueError, TypeError):
        return None
    return None if info.name.replace("-", "_") in NOT_CHARSETS else info.name


def text_of(content: bytes, charset: str | None) -> str:
    """The text of `content`; what is no text in `charset` becomes U+FFFD. Unknown charsets read as ASCII."""
    return content.decode(codec(charset or "us-ascii") or "ascii", "replace")


def plain(content: bytes, charset: str | None) -> bool:
    """Whether `content` is ASCII and means itself in `charset`: then it is UTF-8 as it stands."""
    name = codec(charset or "us-ascii") or "ascii"
    return content.isascii() and (name in ASCII_FIRST or name.startswith(("iso8859-", "cp125")))


def exact_text_of(content: bytes, charset: str | None) -> str:
    """The text of `content`, with bytes that are no text kept aside in it (see `exact_bytes_of`)."""
    name = codec(charset or "us-ascii") or "ascii"
    try:
        text = content.decode(name, "surrogateescape")
        text.encode("utf-8", "surrogateescape")
        if text.encode(name, "surrogateescape") == content:
            return text
    except UnicodeError:
        pass
    return content.decode("ascii", "surrogateescape")


def exact_bytes_of(text: str, charset: str | None) -> bytes | None:
    """Undo `exact_text_of`; None when the charset lacks a character of the text."""
    try:
        return text.encode(codec(charset or "us-ascii") or "ascii", "surrogateescape")
    except UnicodeError:
        return None
