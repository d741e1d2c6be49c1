"""Mail that tells somebody how the DKIM signatures of a message fared: what `msys.validate.dkim.reflect` asks for.

The wish is kept with the message, until the signatures were checked; then the report is made and queued.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msys.addresses import bare, valid_address
from msys.constants import P_INTERNAL
from msys.identity import IDS
from msys.lua import LuaError
from msys.lua.bytestr import to_bytes
from msys.message import Message, compose
from msys.message.sending import submit
from msys.message.structure import unused_boundary
from msys.ports import PortError, current
from msys.validate.verifying import Signature

SUBJECT = "DKIM validation result"
NOTE = "This is how the DKIM signatures of your message fared."


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants to be told, and in which words. The first recipient stands in To, the others nowhere."""

    sender: str
    recipients: tuple[str, ...]
    subject: str = SUBJECT
    note: str = NOTE


def wish_of(sender: str, recipients: str, subject: str, note: str) -> Wish | None:
    """The wish that the arguments of `reflect` say; None when an address is none."""
    origin = bare(sender)
    wanted = tuple(bare(one) for one in recipients.split(";") if one.strip())
    if not wanted or not all(map(valid_address, (origin, *wanted))):
        return None
    return Wish(origin, wanted, one_line(subject), note)


def remember(message: Message, wish: Wish) -> None:
    """Keep the wish with the message; a later one replaces it."""
    vars(message)["dkim_reflect"] = wish


def fulfil(message: Message, signatures: Sequence[Signature]) -> None:
    """Send the report that was asked for, if any; one that cannot be queued is logged."""
    wish: Wish | None = vars(message).pop("dkim_reflect", None)
    if wish is None:
        return
    try:
        submit(report(message, signatures, wish), "", list(wish.recipients))
    except (PortError, LuaError) as error:
        log = current().ports.log
        log.panic("dkim_validate", f"report on message {message.id.text} not sent: {error}")


def report(message: Message, signatures: Sequence[Signature], wish: Wish) -> Message:
    """The report, with an empty envelope sender: it must never be answered (RFC 3834)."""
    text = to_bytes(text_of(message, signatures, wish.note))
    header = message.header_block.rstrip() + b"\r\n"
    parts = [
        compose.text_entity(b"text/plain; charset=utf-8", text, compose.plainest(text)),
        compose.entity([b"Content-Type: text/rfc822-headers\r\n"], header),
    ]
    kind, body = compose.multipart(b"multipart/mixed", unused_boundary(parts), parts)
    head = [
        compose.field(b"From", to_bytes(f"<{wish.sender}>")),
        compose.field(b"To", to_bytes(f"<{wish.recipients[0]}>")),
        compose.field(b"Subject", to_bytes(wish.subject)),
        b"Auto-Submitted: auto-generated\r\n",
        b"MIME-Version: 1.0\r\n",
        kind,
    ]
    return Message(
        content=compose.entity(head, body),
        mailfrom="",
        rcptto=wish.recipients[0],
        id=IDS.next(),
        recv_method=P_INTERNAL,
    )


def text_of(message: Message, signatures: Sequence[Signature], note: str) -> str:
    """The words of the report: a line about the message, one about each signature."""
    lines = [note, "", f"Message: {message.id.text} from <{message.sender}>"]
    for number, one in enumerate(signatures, 1):
        said = "pass" if one.passed else f"not valid: {one.error}"
        selector = one.tags.get("s", "")
        lines.append(f"Signature {number}, domain {one.domain}, selector {selector}: {said}")
    if not signatures:
        lines.append("The message has no DKIM signature.")
    return "\r\n".join(lines) + "\r\n"


def one_line(text: str) -> str:
    """Text for a header: line ends become blanks."""
    return " ".join(text.split())
