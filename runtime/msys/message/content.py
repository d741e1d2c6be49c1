"""The content of a message: immutable bytes, split and indexed only when someone asks.

Copies of a message share one Content; an edit makes a new one that shares the bytes it did not change.
"""

from __future__ import annotations

from msys.message import fields

LARGE = 1 << 20  # chosen: larger content is not kept both whole and in two pieces


class Content:
    """A whole message, or a header block and a body; each is made from the other when first asked for."""

    __slots__ = ("_body", "_head", "_index", "_whole")

    def __init__(self, whole: bytes) -> None:
        self._whole: bytes | None = whole
        self._head: bytes | None = None
        self._body: bytes = b""
        self._index: dict[bytes, list[bytes]] | None = None

    @classmethod
    def of(cls, head: bytes, body: bytes) -> Content:
        """Content of a header block and a body; the blank line between them is made if it is missing."""
        made = cls(b"")
        if body and head and not (head == b"\r\n" or head.endswith(b"\r\n\r\n")):
            head = b"".join(fields.separated(head))
        elif body and not head and fields.header_end(body):
            head = b"\r\n"  # or the body would be read as header fields
        made._whole, made._head, made._body = None, head, body
        return made

    def _split(self) -> None:
        whole = self._whole
        assert whole is not None
        at = fields.header_end(whole)
        self._head, self._body = whole[:at], whole[at:]
        if len(whole) > LARGE:
            self._whole = None

    @property
    def whole(self) -> bytes:
        """Header block and body."""
        if self._whole is not None:
            return self._whole
        assert self._head is not None
        whole = self._head + self._body
        if len(whole) <= LARGE:
            self._whole = whole
        return whole

    @property
    def head(self) -> bytes:
        """The header block, with the blank line when there is one."""
        if self._head is None:
            self._split()
        assert self._head is not None
        return self._head

    @property
    def body(self) -> bytes:
        """What follows the header block: the same object in every copy that did not change it."""
        if self._head is None:
            self._split()
        return self._body

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._whole) if self._whole is not None else len(self.head) + len(self._body)

    def values(self, name: bytes) -> list[bytes]:
        """The raw values of every field called `name`."""
        if self._index is None:
            self._index = {}
            for field in fields.fields(self.head):
                self._index.setdefault(field.name, []).append(field.value)
        return self._index.get(name.lower(), [])

    def with_head(self, head: bytes) -> Content:
        """The same body under another header block."""
        return Content.of(head, self.body)
