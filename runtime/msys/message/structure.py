"""The MIME tree of a message, and new parts for it."""

from __future__ import annotations

import secrets
from typing import Any

from msys import constants
from msys.arguments import bad_argument, check_class, check_string, truth
from msys.catalog.binding import documented
from msys.lua import ABSENT, Userdata
from msys.lua.bytestr import to_bytes, to_str
from msys.message.node import Tree
from msys.message.part import Part
from msys.message.state import MessageState

ENCODINGS = {
    constants.EC_MIME_TE_7BIT: "7bit",
    constants.EC_MIME_TE_8BIT: "8bit",
    constants.EC_MIME_TE_BINARY: "binary",
    constants.EC_MIME_TE_QUOTED_PRINTABLE: "quoted-printable",
    constants.EC_MIME_TE_BASE64: "base64",
}


class Structure(MessageState):
    """Taking the tree, making parts."""

    @documented("msg:mime", assumed="read-only unless told otherwise; nil without content")
    def mime(self, readonly: Any = ABSENT) -> Part | None:
        """The top part of the MIME tree; nil when the message has no content.

        readonly: false for a tree that may be changed. Changing a part of a read-only tree raises.
        """
        if not self._now().size:
            return None
        return self._tree(writable=readonly is not ABSENT and not truth(readonly))

    @documented("msg:makeBoundary", assumed="works in every phase")
    def makeBoundary(self, *parts: Any) -> str:
        """A boundary that occurs nowhere in the message or in the given parts."""
        seen = [self._now().whole]
        seen += [
            check_class("makeBoundary", at, part, Part, "message part").raw
            for at, part in enumerate(parts, 1)
        ]
        return to_str(unused_boundary(seen))

    @documented("msg:makeContainer", assumed="anything but multipart/* raises")
    def makeContainer(
        self, mimetype: Any, boundary: Any = ABSENT, add_terminator: Any = ABSENT
    ) -> Part:
        """A new container part that is in no tree yet.

        mimetype: `multipart/mixed` and the like. boundary: made up when nil or absent. add_terminator: the end
        marker is the server's business here; accepted and of no effect.
        """
        kind = check_string("makeContainer", 1, mimetype)
        if not kind.lower().startswith("multipart/") or not _plain(kind):
            raise bad_argument("makeContainer", 1, f"multipart/* expected, got '{kind}'")
        if boundary is ABSENT or boundary is None:
            mark = unused_boundary([self._now().whole])
        else:
            mark = to_bytes(check_string("makeContainer", 2, boundary))
            if not 0 < len(mark) <= 70 or not mark.isascii() or not _plain(to_str(mark)):
                raise bad_argument("makeContainer", 2, "1 to 70 printable characters expected")
        field = b'Content-Type: %b; boundary="%b"\r\n\r\n' % (to_bytes(kind), mark)
        return new_part(field + b"--" + mark + b"--\r\n")

    @documented("msg:makePart", assumed="the body may be a string as well as an io object")
    def makePart(self, mimetype: Any, body: Any = ABSENT, encoding: Any = ABSENT) -> Part:
        """A new leaf part that is in no tree yet.

        body: a string or an io object, in the transfer encoding already; empty when nil or absent.
        encoding: EC_MIME_TE_7BIT (nil, absent), _8BIT, _BINARY, _BASE64 or _QUOTED_PRINTABLE.
        """
        kind = check_string("makePart", 1, mimetype)
        if not _plain(kind) or "/" not in kind:
            raise bad_argument("makePart", 1, f"a MIME type expected, got '{kind}'")
        content = body_bytes("makePart", 2, body)
        number = constants.EC_MIME_TE_7BIT if encoding in (ABSENT, None) else encoding
        if isinstance(number, bool) or number not in ENCODINGS:
            raise bad_argument("makePart", 3, "one of the EC_MIME_TE_* constants expected")
        name = ENCODINGS[number]
        if name == "7bit" and not content.isascii():
            name = "8bit"
        head = b"Content-Type: " + to_bytes(kind) + b"\r\n"
        if name != "7bit":
            head += b"Content-Transfer-Encoding: " + name.encode("ascii") + b"\r\n"
        return new_part(head + b"\r\n", content)


def new_part(source: bytes, body: bytes | None = None) -> Part:
    """A part in no message's tree; with `body`, offsets count from the start of that."""
    part = Part(Tree(writable=True), source)
    if body is not None:
        part.set_body(body)
    return part


def body_bytes(function: str, position: int, body: Any) -> bytes:
    """What a string or an io object holds."""
    if body is ABSENT or body is None:
        return b""
    read = getattr(body, "read_all", None)
    if isinstance(body, Userdata) and callable(read):
        return bytes(read())
    return to_bytes(check_string(function, position, body))


def unused_boundary(contents: list[bytes]) -> bytes:
    """A boundary that none of the contents holds. `=_` cannot occur in base64 or quoted-printable."""
    while True:
        mark = b"=_" + secrets.token_hex(12).encode("ascii")
        if not any(mark in content for content in contents):
            return mark


def _plain(text: str) -> bool:
    return text.isprintable() and text.isascii() and '"' not in text.partition(";")[0]
