"""A part of a message's MIME tree, as policy sees it.

Positions and bytes are `Node`'s business, text and headers that of their modules; here are the names, the checks of
arguments and the rules of who may change what.
"""

from __future__ import annotations

from typing import Any, cast, overload

from msys.arguments import check_class, check_number, check_string, optional_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table, Userdata
from msys.lua.bytestr import to_str
from msys.lua.errors import RuntimeFault
from msys.message import fields, headers, matching, text
from msys.message.node import Node
from msys.message.sections import has_delimiter
from msys.message.wire import has_stray, mended
from msys.running import forbid

NODE_NAMES = frozenset(name for name in dir(Node) if not name.startswith("_"))


class Part(Node, Userdata):
    """One MIME part.

    parts: the first child, nil for a leaf. next: the next part of the same container. parent: the container.
    thread: the next part in the order of the document. body_start, body_end: which slice of its bytes is
    the body; both can be set on a leaf.
    """

    __slots__ = ()
    lua_type = "msys.core:_ec_message_part"
    lua_fields = frozenset(
        ("parts", "next", "parent", "thread", "boundary", "type", "encoding", "headers_start")
    )
    lua_writable = frozenset(("body_start", "body_end"))
    lua_hidden = NODE_NAMES

    # Fields

    @property
    def parts(self) -> Part | None:
        self._readable()
        return cast("Part", self.children[0]) if self.children else None

    @property
    def next(self) -> Part | None:
        self._readable()
        return cast("Part | None", self.sibling())

    @property
    def parent(self) -> Part | None:
        self._readable()
        return cast("Part | None", self.parent_node)

    @property
    def thread(self) -> Part | None:
        self._readable()
        return cast("Part | None", self.after())

    @property
    def boundary(self) -> str | None:
        return None if self.kind.boundary is None else to_str(self.kind.boundary)

    @property
    def type(self) -> str:
        return self.kind.mimetype

    @property
    def encoding(self) -> str:
        return self.kind.encoding

    @property
    def headers_start(self) -> int:
        return self.start

    @property
    def body_start(self) -> int:
        return self.begin

    @body_start.setter
    def body_start(self, value: Any) -> None:
        self._writable("body_start")
        self.begin = self._offset("body_start", value)
        self.touch()

    @property
    def body_end(self) -> int:
        return self.end

    @body_end.setter
    def body_end(self, value: Any) -> None:
        self._writable("body_end")
        self.end = self._offset("body_end", value)
        self.touch()

    def _offset(self, name: str, value: Any) -> int:
        offset = int(check_number(name, 1, value))
        if not 0 <= offset <= len(self.source):
            raise RuntimeFault(f"{name} must lie between 0 and {len(self.source)}, not {offset}")
        return offset

    def _readable(self) -> None:
        if self.tree is not None and self.tree.stale:
            raise RuntimeFault(
                "this part is of no use any more: the message got another body; take msg:mime() again"
            )

    def _writable(self, name: str) -> None:
        self._readable()
        if self.tree is not None and not self.tree.writable:
            raise RuntimeFault(f"'{name}': this part is read-only; take it from msg:mime(false)")
        forbid(name, ("set_binding",), "the content is settled before a binding is chosen")

    # Headers

    @overload
    def header(self, name: Any) -> Table: ...
    @overload
    def header(self, name: Any, value: None) -> bool: ...
    @overload
    def header(self, name: Any, value: Any, mode: Any = ...) -> bool: ...
    @documented(
        "msgpart:header",
        assumed="reading always gives a table; writing gives whether something changed",
    )
    def header(self, name: Any, value: Any = ABSENT, mode: Any = ABSENT) -> Table | bool:
        """Read, remove or write header fields of this part.

        name: of any case. Without value: an array of the values, unfolded, encoded words as UTF-8; empty when
        there is none. value nil or "": all fields of that name go; true if there was one. value a string
        or a table of strings: mode `replace` (also nil and absent) removes the others and adds at the end,
        `append` adds at the end, `prepend` at the start; true. The body is never encoded anew.
        """
        self._readable()
        field = headers.checked_name("header", 1, name)
        if value is ABSENT:
            return headers.values_table(self._values(field))
        self._writable("header")
        head = headers.edited("header", self.head, field, value, mode)
        if head is self.head:
            return False
        self.set_head(head)
        return True

    def _values(self, name: bytes) -> list[bytes]:
        wanted = name.lower()
        return [field.value for field in fields.fields(self.head) if field.name == wanted]

    @documented(
        "msgpart:address_header", assumed="the default component is `all`; groups are expanded"
    )
    def address_header(self, headername: Any, component: Any = ABSENT) -> Table:
        """An array of the addresses in every field of that name.

        component: `all` (also nil and absent), `localpart`, `user`, `detail` or `domain` of
        `user+detail@domain`. Empty without such a field. Another component raises.
        """
        self._readable()
        name = headers.checked_name("address_header", 1, headername)
        return headers.addresses_table("address_header", self._values(name), component)

    @documented(
        "msgpart:content_type",
        assumed="charset and filename are nil when missing; everything but the file name in lower case",
    )
    def content_type(self) -> Table:
        """mimetype, charset, encoding, is_attachment and filename of this part, as a table.

        Without fields: `text/plain`, encoding `7bit`, no charset, no filename. is_attachment is true with a
        file name. The file name is decoded to UTF-8.
        """
        self._readable()
        kind = self.kind
        found = Table(
            {
                "mimetype": kind.mimetype,
                "encoding": kind.encoding,
                "is_attachment": kind.is_attachment,
            }
        )
        if kind.charset is not None:
            found["charset"] = kind.charset
        if kind.filename is not None:
            found["filename"] = to_str(kind.filename)
        return found

    # Text

    @overload
    def text(self) -> str | None: ...
    @overload
    def text(self, value: Any, type: Any = ..., charset: Any = ...) -> bool: ...
    @documented(
        "msgpart:text",
        assumed="a leaf that is no text reads as its decoded bytes, a container as nil; setting gives true",
    )
    def text(
        self, value: Any = ABSENT, type: Any = ABSENT, charset: Any = ABSENT
    ) -> str | bool | None:
        """Read or replace the text of this part.

        Without value: the text after transfer decoding, in UTF-8; nil when there is no body. value: UTF-8 text
        that becomes the whole body. type: its MIME type, `text/plain` when nil or absent. charset: what it is
        converted to; `us-ascii` for ASCII, else `utf-8`. Raises when the text does not fit the charset.
        """
        self._readable()
        if value is ABSENT:
            return text.text_str(self)
        self._writable("text")
        text.set_text(
            self,
            "text",
            check_string("text", 1, value),
            optional_string("text", 2, type, "text/plain"),
            optional_string("text", 3, charset, "") or None,
        )
        return True

    # Searching and replacing

    @documented(
        "msgpart:text_match", assumed="the table of the first match; false for a part without text"
    )
    def text_match(self, pattern: Any) -> matching.MatchResult:
        """Search the decoded UTF-8 text of this part with a PCRE pattern (options inline: `(?i)`).

        The match table ([0] whole, [1].. captures, named ones by name), or false. A bad pattern: false, the
        error, its offset.
        """
        self._readable()
        wanted = check_string("text_match", 1, pattern)
        found = text.text_bytes(self) if self.kind.is_text else None
        return matching.no_match(wanted) if found is None else matching.match(found, wanted)

    @documented(
        "msgpart:text_replace",
        assumed="true if anything changed; a container means all text below it",
    )
    def text_replace(self, pattern: Any, replacement: Any) -> bool:
        """Replace every match in the text of this part, `$1` meaning a capture.

        Text is decoded and written back in the part's charset and encoding; parts that do not change keep
        their bytes. False when nothing changed, or the pattern is bad (logged).
        """
        self._writable("text_replace")
        wanted = check_string("text_replace", 1, pattern)
        by = check_string("text_replace", 2, replacement)
        return matching.replaced_any(text.text_leaves(self), wanted, by)

    @documented("msgpart:body_match", assumed="the table of the first match")
    def body_match(self, pattern: Any) -> matching.MatchResult:
        """Search the body of this part, not decoded. Results as `text_match`."""
        self._readable()
        return matching.match(self.body, check_string("body_match", 1, pattern))

    @documented("msgpart:body_replace", assumed="true if anything changed")
    def body_replace(self, pattern: Any, replacement: Any) -> bool:
        """Replace in the body of this part, not decoded. Keeping its encoding right is up to the caller."""
        self._writable("body_replace")
        wanted = check_string("body_replace", 1, pattern)
        by = check_string("body_replace", 2, replacement)
        body = matching.replaced(self.body, wanted, by)
        if body is None:
            return False
        self.set_body(body)
        return True

    @documented("msgpart:raw_match", assumed="the table of the first match")
    def raw_match(self, pattern: Any) -> matching.MatchResult:
        """Search headers and body of this part, not decoded. Results as `text_match`."""
        self._readable()
        return matching.match(self.raw, check_string("raw_match", 1, pattern))

    @documented("msgpart:raw_replace", assumed="true if anything changed")
    def raw_replace(self, pattern: Any, replacement: Any) -> bool:
        """Replace in headers and body of this part, not decoded; both are read anew."""
        self._writable("raw_replace")
        wanted = check_string("raw_replace", 1, pattern)
        by = check_string("raw_replace", 2, replacement)
        raw = matching.replaced(self.raw, wanted, by)
        if raw is None:
            return False
        self.set_raw(raw)
        return True

    # The tree

    @documented("msgpart:addFirstChild", assumed="false for a part that is in a tree already")
    def addFirstChild(self, child: Any) -> bool:
        """Put `child` before the other children of this container. False if it cannot be done."""
        self._writable("addFirstChild")
        return self._add("addFirstChild", 0, child)

    @documented("msgpart:addLastChild", assumed="false for a part that is in a tree already")
    def addLastChild(self, child: Any) -> bool:
        """Put `child` after the other children of this container. False if it cannot be done."""
        self._writable("addLastChild")
        return self._add("addLastChild", len(self.children), child)

    def _add(self, function: str, index: int, child: Any) -> bool:
        part = check_class(function, 1, child, Part, "message part")
        if not self.kind.is_multipart or not part._loose() or part._holds(self):
            return False
        for node in list(part.walk()):
            if not node.is_container and has_stray(node.body):
                node.set_body(mended(node.body))
        if any(
            around.kind.boundary and has_delimiter(part.raw, around.kind.boundary)
            for around in self._containers()
        ):
            return False  # a line of the child would end this container
        self.insert(index, part)
        return True

    def _loose(self) -> bool:
        """Whether it is in no tree: has no container and is no message's top."""
        return self.parent_node is None and (self.tree is None or not self.tree.top_of_message)

    def _holds(self, other: Node) -> bool:
        node: Node | None = other
        while node is not None:
            if node is self:
                return True
            node = node.parent_node
        return False

    def _containers(self) -> list[Node]:
        found: list[Node] = []
        node: Node | None = self
        while node is not None:
            found.append(node)
            node = node.parent_node
        return found

    @documented(
        "msgpart:insertAfter", assumed="true, or false when `after` is a top part or in no tree"
    )
    def insertAfter(self, after: Any) -> bool:
        """Put this part into the tree as the successor of the part `after`."""
        return self._insert("insertAfter", after, 1)

    @documented(
        "msgpart:insertBefore", assumed="true, or false when `before` is a top part or in no tree"
    )
    def insertBefore(self, before: Any) -> bool:
        """Put this part into the tree as the predecessor of the part `before`."""
        return self._insert("insertBefore", before, 0)

    def _insert(self, function: str, neighbour: Any, offset: int) -> bool:
        other = check_class(function, 1, neighbour, Part, "message part")
        container = other.parent
        if container is None:
            return False
        container._writable(function)
        return container._add(function, other._index + offset, self)

    @documented("msgpart:unlink", assumed="unlinking the top part raises")
    def unlink(self) -> None:
        """Take this part with its children out of the tree. Read `thread` first when walking.

        A multipart that loses its last part stays, empty.
        """
        self._writable("unlink")
        if self.parent_node is None:
            raise RuntimeFault("'unlink': the top part of a message cannot be unlinked")
        self.take_out()
