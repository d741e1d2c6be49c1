"""What Content-Type and Content-Disposition say, read with the standard library's `email`. Pure.

Damaged fields never fail: they read as if the damaged piece were not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message as Fields
from functools import lru_cache

from msys.message.charsets import text_of
from msys.message.fields import unfolded
from msys.message.words import decoded


@dataclass(frozen=True, slots=True)
class ContentType:
    """mimetype, charset and encoding in lower case; boundary and filename as bytes of the wire and of UTF-8."""

    mimetype: str
    charset: str | None
    encoding: str
    boundary: bytes | None
    is_attachment: bool
    filename: bytes | None
    written: bool = True  # whether there is a Content-Type field

    @property
    def is_text(self) -> bool:
        return self.mimetype.startswith("text/")

    @property
    def is_multipart(self) -> bool:
        return self.mimetype.startswith("multipart/") and bool(self.boundary)


@lru_cache(maxsize=256)
def content_type(
    type_value: bytes | None,
    disposition_value: bytes | None,
    encoding_value: bytes | None,
    default: str = "text/plain",
) -> ContentType:
    """Put together from the raw values of the three fields; None for a field that is not there."""
    reading = Fields()
    if type_value is not None:
        reading["Content-Type"] = unfolded(type_value).decode("latin-1")
    if disposition_value is not None:
        reading["Content-Disposition"] = unfolded(disposition_value).decode("latin-1")
    reading.set_default_type(default)
    filename = _filename(reading)
    charset = _text(reading, "charset")
    encoding = unfolded(encoding_value or b"").decode("latin-1").partition(";")[0].strip().lower()
    boundary = _text(reading, "boundary")
    return ContentType(
        mimetype=reading.get_content_type(),
        charset=charset.lower() if charset else None,
        encoding=encoding or "7bit",
        boundary=boundary.rstrip().encode("latin-1", "replace") if boundary else None,
        is_attachment=filename is not None or _disposition(reading) == "attachment",
        filename=filename,
        written=type_value is not None,
    )


def _text(reading: Fields, name: str) -> str | None:
    """A parameter of Content-Type; of an RFC 2231 value the text alone."""
    try:
        value = reading.get_param(name)
    except (ValueError, LookupError, TypeError):
        return None
    if isinstance(value, tuple):
        value = value[2]
    return value or None


def _disposition(reading: Fields) -> str | None:
    try:
        return reading.get_content_disposition()
    except (ValueError, LookupError, TypeError):
        return None


def _filename(reading: Fields) -> bytes | None:
    """Content-Disposition's filename, else Content-Type's name, as UTF-8."""
    for field, name in (("Content-Disposition", "filename"), ("Content-Type", "name")):
        try:
            value = reading.get_param(name, None, field)
        except (ValueError, LookupError, TypeError):
            continue
        if isinstance(value, tuple):
            charset, _, text = value
            return _decoded_2231(text or "", charset)
        if value:
            return decoded(value.encode("latin-1", "replace"))
    return None


def _decoded_2231(text: str, charset: str | None) -> bytes:
    raw = text.encode("latin-1", "replace")
    return text_of(raw, charset or "us-ascii").encode("utf-8", "replace")
