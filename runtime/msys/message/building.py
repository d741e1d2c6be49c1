"""`msg:build`: tables of headers, texts and attachments into a multipart message."""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_string, check_table, optional_table, string_or_none
from msys.lua import Table
from msys.lua import type as type_name
from msys.lua.bytestr import to_bytes
from msys.lua.errors import RuntimeFault
from msys.message import compose, headers, transfer
from msys.message.parameters import content_type
from msys.message.state import MessageState
from msys.message.structure import body_bytes, unused_boundary
from msys.message.wire import CRLF, mended

OURS = frozenset((b"content-type", b"mime-version", b"content-transfer-encoding"))


def built(given: Any, parts: Any, attachments: Any) -> bytes:
    """The whole message."""
    fields = _fields(check_table("build", 1, given))
    alternatives = [
        _alternative(kind, text) for kind, text in _ordered(check_table("build", 2, parts))
    ]
    extra = [_attachment(one) for one in _array(optional_table("build", 3, attachments))]
    inner_type, inner = compose.multipart(
        b"multipart/alternative", unused_boundary(alternatives), alternatives
    )
    entities = [compose.entity([inner_type], inner), *extra]
    outer_type, body = compose.multipart(b"multipart/mixed", unused_boundary(entities), entities)
    return compose.entity([*fields, b"MIME-Version: 1.0\r\n", outer_type], body)


def _fields(given: Table) -> list[bytes]:
    """The header fields in the order of their names; a table value makes several."""
    made: list[bytes] = []
    named = {check_string("build", 1, key): value for key, value in given.items()}
    for key in sorted(named, key=str.lower):
        name = headers.checked_name("build", 1, key)
        if name.lower() in OURS:
            continue
        value = named[key]
        texts = list(value.values()) if isinstance(value, Table) else [value]
        for text in texts:
            wanted = string_or_none(text)
            if wanted is None:
                raise bad_argument(
                    "build", 1, f"header '{key}': string expected, got {type_name(text)}"
                )
            made.append(headers.field_bytes("build", name, wanted))
    return made


def _ordered(parts: Table) -> list[tuple[str, str]]:
    """The alternatives, plainest first: readers show the last one they understand (RFC 2046 5.1.4)."""
    found: list[tuple[str, str]] = []
    for kind, text in parts.items():
        content = string_or_none(text)
        if not isinstance(kind, str) or content is None:
            raise bad_argument("build", 2, "a table of content types and strings expected")
        found.append((kind, content))
    if not found:
        raise bad_argument("build", 2, "at least one part expected")

    def rank(entry: tuple[str, str]) -> tuple[int, str]:
        kind = entry[0].lower()
        return (0 if kind.startswith("text/plain") else 1 if kind.startswith("text/") else 2, kind)

    return sorted(found, key=rank)


def _alternative(kind: str, text: str) -> bytes:
    raw = to_bytes(kind)
    known = content_type(raw, None, None)
    _one_line(kind)
    encoding = "quoted-printable" if known.is_text and known.charset is None else "base64"
    if known.is_text and known.charset is None:
        raw += b"; charset=utf-8"
    return compose.text_entity(raw, to_bytes(text), encoding, [b"Content-Disposition: inline\r\n"])


def _array(attachments: Table | None) -> list[Any]:
    if attachments is None:
        return []
    found: list[Any] = []
    while (one := attachments[len(found) + 1]) is not None:
        found.append(one)
    return found


def _attachment(given: Any) -> bytes:
    """One attachment: type, name, headers and content of its table."""
    table = check_table("build", 3, given)
    content = table["content"]
    if isinstance(content, MessageState):
        return compose.attached_message(content.content, b"Attached Message")
    kind = _text(table, "type", "application/octet-stream")
    name = _text(table, "name", "")
    fields = [b"Content-Type: " + to_bytes(kind)]
    if name:
        fields[0] += b"; name=" + _quoted(name)
        fields.append(
            b"Content-Disposition: attachment; filename=" + _quoted(name.removeprefix("./"))
        )
    for line in to_bytes(_text(table, "headers", "", lines=True)).split(CRLF):
        if line.strip():
            fields.append(line)
    if string_or_none(content) is None:  # an io object: base64 already
        fields.append(b"Content-Transfer-Encoding: base64")
        body = mended(body_bytes("build", 3, content))
    else:
        fields.append(b"Content-Transfer-Encoding: quoted-printable")
        body = transfer.quoted_printable(to_bytes(check_string("build", 3, content)))
    return compose.entity([line + CRLF for line in fields], body)


def _text(table: Table, key: str, default: str, *, lines: bool = False) -> str:
    value = table[key]
    if value is None:
        return default
    text = string_or_none(value)
    if text is None:
        raise bad_argument("build", 3, f"'{key}': string expected, got {type_name(value)}")
    return text if lines else _one_line(text)


def _one_line(text: str) -> str:
    if "\r" in text or "\n" in text:
        raise RuntimeFault(f"'build': a line end in {text!r} would break the message")
    return text


def _quoted(name: str) -> bytes:
    return b'"' + to_bytes(name).replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
