"""Sending mail from policy: building a message, injecting it, forwarding one, copies."""

from __future__ import annotations

from typing import Any, Self

from msys.addresses import address_list, bare, valid_address
from msys.arguments import bad_argument, check_class, check_integer, check_string, optional_string
from msys.catalog.binding import documented
from msys.constants import (
    EC_MSG_RENDER_HEADERS_ONLY,
    EC_MSG_RENDER_OMIT_DOT,
    EC_MSG_RENDER_OMIT_HEADERS,
    EC_MSG_RENDER_UNSTUFFED,
    P_INTERNAL,
)
from msys.ecstring import EcString
from msys.identity import IDS, NO_ID
from msys.lua import ABSENT
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.errors import RuntimeFault
from msys.message import building, compose, headers, wire
from msys.message.charsets import codec
from msys.message.content import Content
from msys.message.state import MessageState
from msys.message.structure import unused_boundary
from msys.ports import wait
from msys.running import forbid, host_name, ports


class Sending(MessageState):
    """New mail out of this message."""

    @documented(
        "msg:build", assumed="headers in the order of their names, text/plain before other texts"
    )
    def build(self, headers: Any, parts: Any, attachments: Any = ABSENT) -> bool:
        """Fill an empty message (msys.core.ec_message_new(nil)) with headers, texts and attachments.

        headers: name -> value, encoded by the caller. parts: content type -> content, the alternatives; a
        `text/*` without charset is sent quoted-printable, anything else base64. attachments: nil or an array
        of tables `type`, `name`, `headers` (lines joined by CRLF), `content`: a string, an io object whose
        content is base64 already, or a message. The result is multipart/mixed around
        multipart/alternative. Content-Type and MIME-Version among the headers are ignored. True; raises for a
        message that is not empty and for tables of another shape.
        """
        if self._now().size:
            raise RuntimeFault("'build' needs an empty message; this one has content")
        self._replace(Content(building.built(headers, parts, attachments)))
        return True

    @documented(
        "msg:inject",
        assumed="works in every phase; gives true; an invalid address or an empty message raises",
    )
    def inject(self, mailfrom: Any, rcptto: Any) -> bool:
        """Send this message as new mail with the given envelope; this message stays as it is.

        mailfrom: an address, "" for the null sender. rcptto: one address or several between commas; each
        gets its own copy. Date, Message-ID and Received are added when missing; then the binding is chosen,
        and final validation runs. May wait for the spool.
        """
        sender = checked_address("inject", 1, mailfrom, null=True)
        recipients = checked_addresses("inject", 2, rcptto)
        if not self._now().size:
            raise RuntimeFault("'inject': this message is empty")
        submit(self._fresh(self._now(), sender, recipients[0]), sender, recipients)
        return True

    @documented(
        "msg:forward",
        assumed="gives true; subject `Fwd: ` and the original's; charset us-ascii, or utf-8 where needed",
    )
    def forward(
        self, sender: Any, rcptto: Any, text: Any, subject: Any = ABSENT, charset: Any = ABSENT
    ) -> bool:
        """Send a new message with `text` and this message attached; this message goes its way.

        rcptto: one address or several between commas. subject: encoded by the caller. charset: what `text`
        is in. Raises before DATA, when there is nothing to attach. May wait for the spool.
        """
        forbid(
            "forward", ("mailfrom", "rcptto", "rcptto_list"), "there is no content to attach yet"
        )
        origin = checked_address("forward", 1, sender, null=True)
        recipients = checked_addresses("forward", 2, rcptto)
        words = to_bytes(check_string("forward", 3, text))
        content = self._now()
        original = content.values(b"subject")
        heading = "Fwd: " + headers.policy_value(original[0]) if original else "Fwd:"
        named = optional_string("forward", 5, charset, "us-ascii" if words.isascii() else "utf-8")
        if codec(named) is None:
            raise bad_argument("forward", 5, f"unknown charset '{named}'")
        kind = b"text/plain; charset=" + to_bytes(named)
        parts = [
            compose.text_entity(kind, words, compose.plainest(words)),
            compose.attached_message(content.whole, b"Attached Message"),
        ]
        type_field, body = compose.multipart(
            b"multipart/mixed", unused_boundary([content.whole, words]), parts
        )
        fields = [
            headers.field_bytes("forward", b"From", origin or "<>"),
            headers.field_bytes("forward", b"To", ", ".join(recipients)),
            headers.field_bytes(
                "forward", b"Subject", optional_string("forward", 4, subject, heading)
            ),
            b"MIME-Version: 1.0\r\n",
            type_field,
        ]
        whole = Content(compose.entity(fields, body))
        submit(self._fresh(whole, origin, recipients[0]), origin, recipients)
        return True

    def _fresh(self, content: Content, sender: str, recipient: str) -> Self:
        """Mail made here: own ids, no connection, its own copy of the contexts."""
        return self.__class__(
            content=content,
            mailfrom=sender,
            rcptto=recipient,
            id=IDS.next(),
            conn_id=NO_ID,
            conn=dict(self.conn),
            mess=dict(self.mess),
            recv_method=P_INTERNAL,
        )

    def copy(self) -> Self:
        """A message of its own with the same content, envelope and contexts."""
        made: Self = self.copy_for(self.recipient)
        return made

    def snapshot(self) -> Self:
        """The message as it is now, for work in the background."""
        return self.copy()

    def free(self) -> None:
        """Let go of a snapshot. Memory is looked after here: nothing to do."""

    def render_to_string(self, buffer: Any, flags: Any = ABSENT) -> int:
        """Write the message into an ec_string; flags: EC_MSG_RENDER_*. The number of bytes written.

        Without flags: dots stuffed, end marker at the end.
        """
        into = check_class("render_to_string", 1, buffer, EcString, "ec_string")
        wanted = (
            0 if flags is ABSENT or flags is None else check_integer("render_to_string", 2, flags)
        )
        content = self._now()
        if wanted & EC_MSG_RENDER_HEADERS_ONLY:
            into.set(to_str(content.head))
            return len(content.head)
        whole = content.body if wanted & EC_MSG_RENDER_OMIT_HEADERS else content.whole
        if not wanted & EC_MSG_RENDER_UNSTUFFED:
            whole = wire.stuff(whole)
        if not wanted & EC_MSG_RENDER_OMIT_DOT:
            whole = wire.whole_lines(whole) + b".\r\n"
        into.set(to_str(whole))
        return len(whole)


def submit(message: Any, sender: str, recipients: list[str]) -> None:
    """Hand finished mail to the queue."""
    way_out = ports()
    now_s = way_out.clock.now()
    message._content = compose.completed(message._content, now_s, host_name(), message.id.text)
    message.creation_time = int(now_s)
    wait(way_out.outbox.submit(message, sender, recipients))


def checked_address(function: str, position: int, value: Any, *, null: bool = False) -> str:
    """One bare address; the empty one where `null` allows it."""
    address = bare(check_string(function, position, value))
    if (address or not null) and not valid_address(address):
        raise bad_argument(function, position, f"'{value}' is not an address")
    return address


def checked_addresses(function: str, position: int, value: Any) -> list[str]:
    """At least one bare address."""
    found = address_list(check_string(function, position, value))
    for address in found:
        if not valid_address(address):
            raise bad_argument(function, position, f"'{address}' is not an address")
    if not found:
        raise bad_argument(function, position, "at least one address expected")
    return found
