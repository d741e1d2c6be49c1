"""`msys.rfc3464`: delivery reports: reading those that came, making and sending our own.

Momentum calls them MDNs. Actions are `msys.core.FAILED`, `DELAYED`, `DELIVERED`, `RELAYED`, `EXPANDED`.
"""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Any

from msys.arguments import bad_argument, check_class, check_integer, check_string
from msys.catalog.binding import documented
from msys.constants import DELAYED, DELIVERED, EXPANDED, FAILED, P_INTERNAL, RELAYED
from msys.identity import IDS
from msys.lua import ABSENT, LuaError
from msys.lua.bytestr import to_bytes, to_str
from msys.message import Message, compose, fields, words
from msys.message.node import Node
from msys.message.sending import submit
from msys.message.structure import unused_boundary
from msys.named_values import NamedValues
from msys.ports import PortError, current
from msys.running import host_name

__all__ = [
    "compute_delivery_status",
    "compute_delivery_status_string",
    "create_mdn",
    "extract_delivery_status",
    "send_mdn",
]

WORDS = {
    FAILED: "failed",
    DELAYED: "delayed",
    DELIVERED: "delivered",
    RELAYED: "relayed",
    EXPANDED: "expanded",
}
CLASS_OF = {FAILED: "5", DELAYED: "4"}  # the others succeeded
SUBJECTS = {
    FAILED: "Undelivered mail returned to sender",
    DELAYED: "Delivery of your mail is delayed",
    DELIVERED: "Your mail was delivered",
    RELAYED: "Your mail was relayed",
    EXPANDED: "Your mail was expanded to a list",
}
STATUS = re.compile(r"\A\s*(?:(\d)\d\d)?[ -]?\s*([245]\.\d{1,3}\.\d{1,3})?")
LINE_ENDS = re.compile(r"[\r\n]+\s*")


def _action(function: str, position: int, action: Any) -> int:
    number = check_integer(function, position, action)
    if number not in WORDS:
        raise bad_argument(
            function, position, "one of msys.core.FAILED, DELAYED, DELIVERED, … expected"
        )
    return number


def _status(text: str, action: int) -> str:
    """The enhanced status in a reply, or what its first digit or the action says."""
    found = STATUS.match(text)
    digit, enhanced = found.groups() if found is not None else (None, None)
    return enhanced or f"{digit or CLASS_OF.get(action, '2')}.0.0"


def _fields(message: Message, action: int) -> list[tuple[str, str]]:
    """The fields about the whole message, then an empty pair, then those about the recipient."""
    text = LINE_ENDS.sub(" ", message.response or "")
    now = current().ports.clock.now()
    found = [("Reporting-MTA", f"dns; {host_name()}")]
    if message.creation_time:
        found.append(("Arrival-Date", formatdate(message.creation_time)))
    found += [
        ("", ""),
        ("Final-Recipient", f"rfc822; {message.recipient}"),
        ("Action", WORDS[action]),
        ("Status", _status(text, action)),
    ]
    remote = message.mess.get("DLV_Remote_IP_Address", "")
    if remote:
        found.append(("Remote-MTA", f"dns; {remote}"))
    if text:
        found += [("Diagnostic-Code", f"smtp; {text}"), ("Last-Attempt-Date", formatdate(now))]
    return found


@documented(
    "msys.rfc3464.compute_delivery_status",
    assumed="fields that are not known yet are left out; another action raises",
)
def compute_delivery_status(msg: Message, action: float) -> NamedValues:
    """The fields of a delivery report on this message, name → value, without line ends.

    Source: lua.ref.msys.rfc3464.compute_delivery_status.
    """
    function = "compute_delivery_status"
    message = check_class(function, 1, msg, Message, "message")
    found = NamedValues()
    for name, value in _fields(message, _action(function, 2, action)):
        if name:
            found[name] = value
    return found


@documented(
    "msys.rfc3464.compute_delivery_status_string",
    assumed="takes a message and an action as well as a reply; every line ends with CRLF",
)
def compute_delivery_status_string(response_text: str | Message, action: Any = ABSENT) -> str:
    """Report fields as text, each line ended by CRLF.

    Of a message and an action: all fields. Of a reply: Action, Status and Diagnostic-Code.
    Source: lua.ref.msys.rfc3464.compute_delivery_status_string.
    """
    function = "compute_delivery_status_string"
    if isinstance(response_text, Message):
        return _lines(_fields(response_text, _action(function, 2, action)))
    text = LINE_ENDS.sub(" ", check_string(function, 1, response_text))
    kind = {"4": DELAYED, "2": DELIVERED}.get(text.lstrip()[:1], FAILED)
    if action is not ABSENT and action is not None:
        kind = _action(function, 2, action)
    return _lines(
        [
            ("Action", WORDS[kind]),
            ("Status", _status(text, kind)),
            ("Diagnostic-Code", f"smtp; {text}"),
        ]
    )


def _lines(found: list[tuple[str, str]]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in found if name)


@documented(
    "msys.rfc3464.extract_delivery_status",
    assumed="the message's fields with those of the first recipient; names are found in any case",
)
def extract_delivery_status(msg: Message) -> NamedValues | None:
    """The fields of the delivery report in a message; nil when it has none.

    Source: lua.ref.msys.rfc3464.extract_delivery_status.
    """
    message = check_class("extract_delivery_status", 1, msg, Message, "message")
    top = message.mime()
    part = None if top is None else _report_part(top)
    if part is None:
        return None
    found = NamedValues()
    groups = [group for group in _groups(part.body) if group]
    for group in groups[:2]:
        for field in fields.fields(group):
            name = to_str(group[field.start : field.end].partition(b":")[0].rstrip())
            found.put(name, to_str(words.decoded(fields.unfolded(field.value))))
    return found if len(found) else None


def _report_part(top: Node) -> Node | None:
    """The machine-readable part of a report."""
    if top.kind.mimetype != "multipart/report":
        return None
    kinds = "message/delivery-status", "message/global-delivery-status"
    return next((node for node in top.walk() if node.kind.mimetype in kinds), None)


def _groups(body: bytes) -> list[bytes]:
    """Blocks of fields between empty lines."""
    return [
        block.strip(b"\r\n") + b"\r\n"
        for block in re.split(rb"\r\n(?:[ \t]*\r\n)+", body)
        if block.strip()
    ]


@documented(
    "msys.rfc3464.create_mdn",
    assumed="nil for mail without a sender; the original as bounces_inline_original says, its header by default",
)
def create_mdn(msg: Message, action: float) -> Message | None:
    """A delivery report on a message, to its sender, not sent yet; nil when there is nobody to send it to.

    The envelope sender is empty, From is the option `mailerdaemon`. Source:
    lua.ref.msys.rfc3464.create_mdn.
    """
    return _made("create_mdn", msg, action)


def _made(function: str, msg: Any, action: Any) -> Message | None:
    original = check_class(function, 1, msg, Message, "message")
    kind = _action(function, 2, action)
    if not original.sender:
        return None
    return Message(
        content=_report(original, kind),
        mailfrom="",
        rcptto=original.sender,
        id=IDS.next(),
        recv_method=P_INTERNAL,
        creation_time=int(current().ports.clock.now()),
    )


def _report(original: Message, kind: int) -> bytes:
    """The bytes of a report: explanation, fields, original."""
    option = current().ports.configuration.option
    daemon = str(option("mailerdaemon") or f"mailer-daemon@{host_name()}")
    reason = LINE_ENDS.sub(" ", original.response or "")
    told = f"{SUBJECTS[kind]}.\r\n\r\nRecipient: <{original.recipient}>\r\n"
    told += f"Reason: {reason}\r\n" if reason else ""
    status = _fields(original, kind)
    text = to_bytes(told)
    parts = [
        compose.text_entity(b"text/plain; charset=utf-8", text, compose.plainest(text)),
        compose.entity([b"Content-Type: message/delivery-status\r\n"], to_bytes(_blocks(status))),
        *_inlined(original, str(option("bounces_inline_original") or "headers")),
    ]
    boundary = unused_boundary(parts)
    head, body = compose.multipart(
        b"multipart/report; report-type=delivery-status", boundary, parts
    )
    return compose.entity(
        [
            compose.field(b"From", to_bytes(f"Mail Delivery System <{daemon}>")),
            compose.field(b"To", to_bytes(f"<{original.sender}>")),
            compose.field(b"Subject", to_bytes(SUBJECTS[kind])),
            b"Auto-Submitted: auto-replied\r\n",
            b"MIME-Version: 1.0\r\n",
            head,
        ],
        body,
    )


def _blocks(found: list[tuple[str, str]]) -> str:
    return "".join(f"{name}: {value}\r\n" if name else "\r\n" for name, value in found)


def _inlined(original: Message, how: str) -> list[bytes]:
    """The original, or its header, or nothing."""
    match how.lower():
        case "full" | "all" | "true":
            return [compose.attached_message(original.content, b"original.eml")]
        case "none" | "false":
            return []
    return [
        compose.entity(
            [b"Content-Type: text/rfc822-headers\r\n"], original.header_block.rstrip() + b"\r\n"
        )
    ]


@documented("msys.rfc3464.send_mdn")
def send_mdn(msg: Message, action: float) -> int:
    """Make a delivery report on a message and queue it: 1 when it was queued, 0 when not.

    The message itself does not fail by this. Source: lua.ref.msys.rfc3464.send_mdn.
    """
    report = _made("send_mdn", msg, action)
    if report is None:
        return 0
    try:
        submit(report, "", [report.recipient])
    except (PortError, LuaError) as error:
        current().ports.log.panic("rfc3464", f"report on {msg.id.text} not sent: {error}")
        return 0
    return 1
