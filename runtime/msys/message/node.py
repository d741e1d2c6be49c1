"""A MIME tree over bytes: parts that know where they are, and put the message together again.

Bytes of parts that nobody changed come out as they went in, delimiters and preambles included. Children are found when
asked for. Knows nothing of Lua.
"""

from __future__ import annotations

from collections.abc import Iterator

from msys.message import fields
from msys.message.parameters import ContentType, content_type
from msys.message.sections import sections
from msys.message.transfer import IDENTITY

CRLF = b"\r\n"
MAX_DEPTH = 50  # chosen: deeper nesting is an attack; what is below is one leaf
MAX_NODES = 20_000  # chosen: what is beyond is left unparsed


class Tree:
    """What the parts of one tree have in common.

    writable: whether it may be changed. changed: whether it was, since the message last looked. stale: the
    message has other content now. top_of_message: whether it is a message's, not a loose part's.
    nodes: how many parts were made so far.
    """

    __slots__ = ("changed", "nodes", "stale", "top_of_message", "writable")

    def __init__(self, writable: bool, top_of_message: bool = False) -> None:
        self.writable = writable
        self.top_of_message = top_of_message
        self.changed = False
        self.stale = False
        self.nodes = 0


class Node:
    """One part: a header block, then a slice of some bytes (a leaf) or children between delimiters."""

    __slots__ = (
        "_children", "_closed", "_index", "_joined", "_lead", "_preamble", "_tail", "_type", "begin",
        "changed", "default_type", "depth", "end", "head", "parent_node", "source", "start", "tree",
    )  # fmt: skip

    def __init__(
        self,
        tree: Tree | None,
        source: bytes,
        start: int = 0,
        end: int | None = None,
        *,
        default_type: str = "text/plain",
    ) -> None:
        limit = len(source) if end is None else end
        self.tree = tree
        self.source = source
        self.start = start  # of the header block; begin, end: of the body
        self.begin = fields.header_end(source, start, limit)
        self.end = limit
        self.head = source[start : self.begin]
        self.changed = False
        self.default_type = default_type
        self.depth = 0
        self.parent_node: Node | None = None
        self._lead = b""
        self._index = 0
        self._children: list[Node] | None = None
        self._preamble = self._tail = b""
        self._closed = True
        self._joined = False  # whether a changed body is put together from the children
        self._type: ContentType | None = None
        if tree is not None:
            tree.nodes += 1

    # What it is

    def field(self, name: bytes) -> bytes | None:
        """The raw value of the first field of that name."""
        for found in fields.fields(self.head):
            if found.name == name:
                return found.value
        return None

    @property
    def kind(self) -> ContentType:
        """What the Content-* fields say."""
        if self._type is None:
            self._type = content_type(
                self.field(b"content-type"),
                self.field(b"content-disposition"),
                self.field(b"content-transfer-encoding"),
                self.default_type,
            )
        return self._type

    @property
    def children(self) -> list[Node]:
        """The parts inside: of a multipart, or the message inside message/rfc822. Empty for a leaf."""
        if self._children is None:
            self._children = self._parse()
        return self._children

    @property
    def is_container(self) -> bool:
        """Whether it may have children."""
        return self.kind.is_multipart or bool(self.children)

    def _parse(self) -> list[Node]:
        tree, kind = self.tree, self.kind
        if self.depth >= MAX_DEPTH or (tree is not None and tree.nodes >= MAX_NODES):
            return []
        start, end = self.begin, self.end
        if kind.is_multipart:
            assert kind.boundary is not None
            found = sections(self.source, start, end, kind.boundary)
            self._closed = found.closed
            first = found.parts[0].lead if found.parts else found.tail
            self._preamble = self.source[start:first]
            self._tail = self.source[found.tail : end]
            inner = "message/rfc822" if kind.mimetype == "multipart/digest" else "text/plain"
            children = []
            for part in found.parts:
                node = self._make(part.start, part.end, inner)
                node._lead = self.source[part.lead : part.start]
                children.append(node)
        elif kind.mimetype == "message/rfc822" and kind.encoding in IDENTITY and end > start:
            children = [self._make(start, end, "text/plain")]
        else:
            return []
        self._adopt(children)
        self._joined = bool(children)
        return children

    def _make(self, start: int, end: int, default_type: str) -> Node:
        return type(self)(self.tree, self.source, start, end, default_type=default_type)

    def _adopt(self, children: list[Node]) -> None:
        for index, child in enumerate(children):
            child.parent_node, child._index, child.depth = self, index, self.depth + 1

    def walk(self) -> Iterator[Node]:
        """This part and all below it, in the order of the document."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.after(self)

    def after(self, top: Node | None = None) -> Node | None:
        """The next part in the order of the document, not leaving `top`."""
        if self.children:
            return self.children[0]
        node: Node = self
        while node is not top and node.parent_node is not None:
            siblings = node.parent_node.children
            if node._index + 1 < len(siblings):
                return siblings[node._index + 1]
            node = node.parent_node
        return None

    def sibling(self) -> Node | None:
        """The next part of the same container."""
        if self.parent_node is None:
            return None
        siblings = self.parent_node.children
        return siblings[self._index + 1] if self._index + 1 < len(siblings) else None

    # Its bytes

    @property
    def body(self) -> bytes:
        """The body as it goes out: a slice, or the children put together again."""
        if not self.changed or not self._joined:
            return self.source[self.begin : self.end]
        pieces = [self._preamble]
        before = bool(self._preamble)  # whether anything but the last delimiter line came before
        for child in self.children:
            if before and not child._lead.startswith(CRLF):
                pieces.append(CRLF)
            pieces.append(child._lead)
            content = child.raw
            pieces.append(content)
            before = bool(content)
        if before and self._tail and not self._tail.startswith(CRLF) and self.kind.is_multipart:
            pieces.append(CRLF)
        pieces.append(self._tail)
        return b"".join(pieces)

    @property
    def raw(self) -> bytes:
        """Header block and body; a changed part gets its blank line if it had none."""
        if not self.changed:
            return self.source[self.start : self.end]
        body = self.body
        if body and not (self.head == CRLF or self.head.endswith(b"\r\n\r\n")):
            if self.head:
                return b"".join(fields.separated(self.head)) + body
            if fields.header_end(body):
                return CRLF + body  # or the body would be read as header fields
        return self.head + body

    # Changing it

    def touch(self) -> None:
        """This part differs from its source now, and so does everything around it."""
        node: Node | None = self
        while node is not None:
            node.changed = True
            node._type = None
            node = node.parent_node
        if self.tree is not None:
            self.tree.changed = True

    def set_head(self, head: bytes) -> None:
        """Another header block over the same body."""
        known = self.children  # found while the old boundary is known
        self.head = head
        if not known and not self._joined:
            self._children = None  # the new Content-Type may say that there are some
        self.touch()

    def set_body(self, body: bytes) -> None:
        """Another body, whose parts are looked for anew."""
        self.source, self.start, self.begin, self.end = body, 0, 0, len(body)
        self._children, self._joined = None, False
        self._preamble = self._tail = b""
        self.touch()

    def set_raw(self, raw: bytes) -> None:
        """Other header block and body, read from one piece of bytes."""
        end = fields.header_end(raw)
        self.head = raw[:end]
        self._type = None
        self.set_body(raw[end:])

    def insert(self, index: int, child: Node) -> None:
        """Put an unlinked part among the children of this multipart."""
        boundary = self.kind.boundary
        assert boundary is not None
        children = self.children
        child._lead = (CRLF if index or self._preamble else b"") + b"--" + boundary + CRLF
        children.insert(index, child)
        self._restructured(children)
        child.join(self.tree)
        self.touch()

    def take_out(self) -> None:
        """Leave the container; this part becomes the top of a tree of its own."""
        parent = self.parent_node
        assert parent is not None
        children = parent.children
        del children[self._index]
        self.parent_node, self._index, self._lead = None, 0, b""
        parent._restructured(children)
        parent.touch()
        self.join(Tree(writable=True))

    def _restructured(self, children: list[Node]) -> None:
        """The children are others now: number them, and close a multipart that was left open."""
        boundary = self.kind.boundary
        if boundary is not None and self.kind.is_multipart and not (self._closed and self._tail):
            self._tail, self._closed = CRLF + b"--" + boundary + b"--" + CRLF, True
        self._adopt(children)
        self._joined = True

    def join(self, tree: Tree | None) -> None:
        """Belong to `tree`, with everything below."""
        for node in self.walk():
            node.tree = tree
            if node.parent_node is not None:
                node.depth = node.parent_node.depth + 1
