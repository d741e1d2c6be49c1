"""New messages: headers, texts and attachments put together, and what fresh mail must have.

Works on bytes; time, names and ids are arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate

from msys.message import fields, transfer, words
from msys.message.content import Content
from msys.message.wire import CRLF, has_stray, mended, whole_lines


def field(name: bytes, value: bytes) -> bytes:
    """A header field, encoded and folded."""
    return words.folded(name, words.encoded(name, value))


def entity(headers: Sequence[bytes], body: bytes) -> bytes:
    """Fields (each with its line end), the blank line, the body."""
    return b"".join(headers) + CRLF + body


def multipart(kind: bytes, boundary: bytes, parts: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The Content-Type field and the body of a multipart with these entities."""
    mark = b"--" + boundary
    pieces = [mark + CRLF + part + CRLF for part in parts]
    head = b'Content-Type: %b;\r\n boundary="%b"\r\n' % (kind, boundary)
    return head, b"".join(pieces) + mark + b"--" + CRLF


def text_entity(kind: bytes, text: bytes, encoding: str, more: Sequence[bytes] = ()) -> bytes:
    """A part of encoded text."""
    content = mended(text)
    return entity(
        [
            b"Content-Type: " + kind + CRLF,
            b"Content-Transfer-Encoding: " + encoding.encode("ascii") + CRLF,
            *more,
        ],
        transfer.encoded(content, encoding),
    )


def plainest(text: bytes) -> str:
    """The transfer encoding for a text of our own."""
    return "7bit" if transfer.suits(text, "7bit") and not has_stray(text) else "quoted-printable"


def attached_message(content: bytes, name: bytes) -> bytes:
    """A part that holds a whole message (RFC 2046 section 5.2.1: never encoded)."""
    encoding = b"" if content.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return entity(
        [b'Content-Type: message/rfc822; name="%b"\r\n' % name, encoding], whole_lines(content)
    )


def completed(content: Content, now_s: float, host: str, id_text: str) -> Content:
    """The content with Date, Message-ID and Received, where they are missing (RFC 5322 section 3.6)."""
    head = content.head
    present = {one.name for one in fields.fields(head)}
    added = b""
    if b"received" not in present:
        stamp = formatdate(now_s, localtime=False).encode("ascii")
        added += b"Received: by %b (internal) id %b;\r\n %b\r\n" % (
            host.encode("ascii", "replace"),
            id_text.encode("ascii", "replace"),
            stamp,
        )
    if b"message-id" not in present:
        local = id_text.replace("/", ".")
        added += f"Message-ID: <{local}@{host}>\r\n".encode("ascii", "replace")
    if b"date" not in present:
        added += b"Date: " + formatdate(now_s, localtime=False).encode("ascii") + CRLF
    if not added:
        return content
    return Content.of(fields.with_first(head, added), content.body)
