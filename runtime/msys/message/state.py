"""What a message is: its bytes, its envelope, its ids and contexts, and what policy decided about it.

Plain attributes that the server fills and reads; the functions policy calls are in the classes built on this one.
Nothing is parsed until someone asks.
"""

from __future__ import annotations

from typing import Any

from msys.arguments import check_number
from msys.catalog.binding import documented
from msys.constants import EM_TRYING, P_ESMTP
from msys.identity import IDS, NO_ID, Id
from msys.lua import Userdata
from msys.lua.errors import RuntimeFault
from msys.message.content import Content
from msys.message.node import Tree
from msys.message.part import Part


class MessageState(Userdata):
    """The data of a message.

    content: its bytes: CRLF lines, no dot stuffing, no end marker.
    sender, recipient: bare envelope addresses; recipient is the one being added, the primary one, or the copy's.
    conn, mess: the context dictionaries, shared with the validation context until fan-out.
    binding_name, binding_group_name, route: what policy assigned; None: nothing. route is the routing domain.
    response: what `msg:code` holds. discarded: the reason `msg:discard` gave; None: not discarded.
    listener, peer: (address, port) it came in on, and from.
    """

    lua_type = "msys.core:_ec_message"
    lua_fields = frozenset(
        ("id", "conn_id", "batch_id", "recv_method", "num_retries", "creation_time")
    )
    lua_writable = frozenset(("priority", "delivered"))
    lua_hidden = frozenset(("copy_for", "release_tree"))

    def __init__(
        self,
        *,
        content: bytes | Content = b"",
        mailfrom: str = "",
        rcptto: str = "",
        id: Id | None = None,
        batch_id: Id | None = None,
        conn_id: Id = NO_ID,
        conn: dict[str, str] | None = None,
        mess: dict[str, str] | None = None,
        recv_method: int = P_ESMTP,
        listener: tuple[str, int] = ("", 0),
        peer: tuple[str, int] = ("", 0),
        creation_time: int = 0,
    ) -> None:
        self._content = content if isinstance(content, Content) else Content(content)
        self._top: Part | None = None  # the writable tree, when policy asked for one
        self._seen: Part | None = None  # the read-only tree
        self.sender = mailfrom
        self.recipient = rcptto
        self._id = id
        self._batch_id = batch_id
        self._conn_id = conn_id
        self.conn: dict[str, str] = {} if conn is None else conn
        self.mess: dict[str, str] = {} if mess is None else mess
        self.recv_method = recv_method
        self.listener = listener
        self.peer = peer
        self.creation_time = creation_time
        self.num_retries = 0
        self._priority = 0
        self.delivered: int = EM_TRYING
        self.binding_name: str | None = None
        self.binding_group_name: str | None = None
        self.route: str | None = None
        self.response: str | None = None
        self.discarded: str | None = None

    # Ids

    @property
    @documented("msg.id", assumed="an object with text, concatenation and equality; read-only")
    def id(self) -> Id:
        """The id of this message: before fan-out the parent's, then that of the recipient's copy."""
        if self._id is None:
            self._id = IDS.next()
        return self._id

    @property
    @documented("msg.conn_id", assumed="all zeros for mail that came over no connection")
    def conn_id(self) -> Id:
        """The id of the inbound connection, equal to `ac.conn_id`."""
        return self._conn_id

    @property
    @documented("msg.batch_id")
    def batch_id(self) -> Id:
        """One id for all recipients' copies of one reception; with a single recipient equal to `msg.id`."""
        return self.id if self._batch_id is None else self._batch_id

    @property
    def priority(self) -> int:
        """0, or 1: taken first from its queue."""
        return self._priority

    @priority.setter
    def priority(self, value: Any) -> None:
        number = check_number("priority", 1, value)
        if number not in (0, 1):
            raise RuntimeFault(f"msg.priority is 0 or 1, not {value}")
        self._priority = int(number)

    # Content

    def _now(self) -> Content:
        """The content, with what was done to its parts."""
        top = self._top
        if top is not None and top.tree is not None and top.tree.changed:
            self._content = Content.of(top.head, top.body)
            top.tree.changed = False
            self._seen = None
        return self._content

    @property
    def content(self) -> bytes:
        """The whole message as spool and delivery take it."""
        return self._now().whole

    @content.setter
    def content(self, whole: bytes) -> None:
        self._replace(Content(whole))

    @property
    def header_block(self) -> bytes:
        """The header with its blank line; `header_block + body_block` is `content`."""
        return self._now().head

    @property
    def body_block(self) -> bytes:
        """The body: the same object in all copies that did not change it."""
        return self._now().body

    def _replace(self, content: Content) -> None:
        """Another content: parts taken earlier are of no use any more."""
        for top in (self._top, self._seen):
            if top is not None and top.tree is not None:
                top.tree.stale = True
        self._top = self._seen = None
        self._content = content

    def _set_head(self, head: bytes, *, structural: bool) -> None:
        """Another header block; parts stay valid. structural: it may say other things about the parts."""
        content = self._now()
        self._seen = None
        if self._top is not None:
            if structural:
                self._top.set_head(head)
                return
            self._top.head = head
            self._top.changed = True
        self._content = content.with_head(head)

    def _tree(self, *, writable: bool) -> Part:
        """The top part, made when first asked for."""
        content = self._now()
        top = self._top if writable else self._seen
        if top is None:
            top = Part(Tree(writable, top_of_message=True), content.whole)
            if writable:
                self._top = top
            else:
                self._seen = top
        return top

    def copy_for(self, recipient: str, id: Id | None = None) -> Any:
        """One recipient's own message: same content until it is changed, its own contexts.

        id: the copy's id; a new one when not given. The batch id is this message's, or its id.
        """
        copy = self.__class__(
            content=self._now(),
            mailfrom=self.sender,
            rcptto=recipient,
            id=id,
            batch_id=self._batch_id,
            conn_id=self._conn_id,
            conn=dict(self.conn),
            mess=dict(self.mess),
            recv_method=self.recv_method,
            listener=self.listener,
            peer=self.peer,
            creation_time=self.creation_time,
        )
        copy._priority = self._priority
        copy.delivered = self.delivered
        copy.binding_name = self.binding_name
        copy.binding_group_name = self.binding_group_name
        copy.route = self.route
        copy.response = self.response
        copy.discarded = self.discarded
        return copy
