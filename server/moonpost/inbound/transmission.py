"""The body of an injection over HTTP: JSON in, envelope and content out.

The form is that of the Momentum 4 REST interface, as far as it makes sense without templates: recipients, a return
path, and either a whole message (`email_rfc822`) or its parts. What is not understood is an error, never left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from moonpost.phases.addresses import parse_path
from moonpost.phases.content import Problem, content_problem

MOST_RECIPIENTS = 2000  # chosen: the copies of one request are one commit
TOP = ("recipients", "return_path", "content")
PARTS = ("from", "subject", "text", "html", "reply_to", "headers")
RECIPIENT = ("email", "name", "header_to")
KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
_NAME = re.compile(r"[!-9;-~]{1,100}")  # RFC 5322 section 2.2
# Fields that have another place in the request, and those that the server writes.
_OWN = frozenset(
    "from to cc bcc subject reply-to date message-id received return-path mime-version sender".split()
) | {"content-type", "content-transfer-encoding"}


class NotUnderstood(Exception):
    """What is wrong with a request, for who sent it."""


@dataclass(frozen=True, slots=True)
class Recipient:
    address: str  # one character per byte
    to: str = ""  # the value of the To field of this copy; empty: the content has its own


@dataclass(frozen=True, slots=True)
class Transmission:
    """What is to be sent, and to whom."""

    sender: str  # empty: the null sender
    recipients: tuple[Recipient, ...]
    content: bytes
    has: frozenset[str] = field(default_factory=frozenset)  # fields of the header, in lower case


def read_transmission(body: bytes) -> Transmission:
    """The request. Raises NotUnderstood."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise NotUnderstood("the body is no JSON") from None
    _only(request, TOP, "the request")
    content = _part(request, "content", dict)
    people = _part(request, "recipients", list)
    if not 0 < len(people) <= MOST_RECIPIENTS:
        raise NotUnderstood(f"recipients must be 1 to {MOST_RECIPIENTS}")
    whole = "email_rfc822" in content
    recipients = tuple(_recipient(one, whole) for one in people)
    if whole:
        _only(content, ("email_rfc822",), "content with email_rfc822")
        if "return_path" not in request:
            raise NotUnderstood("return_path is missing; email_rfc822 says nothing of the envelope")
        data = _lines(_part(content, "email_rfc822", str))
        sender = _part(request, "return_path", str)
    else:
        _only(content, PARTS, "content")
        data = _composed(content)
        _, email = _mailbox(content["from"], "content.from")
        sender = _part(request, "return_path", str) if "return_path" in request else email
    return Transmission(
        "" if sender in ("", "<>") else _address(sender, "return_path"),
        recipients,
        data,
        _fields(data),
    )


def missing_fields(transmission: Transmission, message_id: str, hostname: str, now: float) -> bytes:
    """Date and Message-ID, where the content has none (RFC 6409 section 8)."""
    lines = []
    if "date" not in transmission.has:
        lines.append(f"Date: {format_datetime(datetime.fromtimestamp(int(now), UTC))}\r\n")
    if "message-id" not in transmission.has:
        lines.append(f"Message-ID: <{message_id.replace('/', '.')}@{hostname}>\r\n")
    return "".join(lines).encode("ascii", "replace")


def _only(found: Any, known: tuple[str, ...], where: str) -> None:
    if not isinstance(found, dict):
        raise NotUnderstood(f"{where} must be an object")
    for name in found:
        if name not in known:
            raise NotUnderstood(f"`{name}` in {where} is not provided; known: {', '.join(known)}")


def _part(found: dict[str, Any], name: str, kind: type) -> Any:
    if not isinstance(found.get(name), kind):
        raise NotUnderstood(f"`{name}` must be {KINDS[kind]}")
    return found[name]


def _recipient(found: Any, whole: bool) -> Recipient:
    _only(found, ("address",), "a recipient")
    name, email = _mailbox(found.get("address"), "address")
    address = _address(email, "address")
    if whole:
        return Recipient(address)
    shown = found["address"].get("header_to") if isinstance(found["address"], dict) else None
    return Recipient(address, _field("To", _shown(name, str(shown or email))))


def _mailbox(found: Any, where: str) -> tuple[str, str]:
    """Name and address of `"ann@x"` or `{"email": "ann@x", "name": "Ann"}`."""
    if isinstance(found, str):
        return "", found
    _only(found, RECIPIENT, where)
    name = found.get("name", "")
    if not isinstance(name, str):
        raise NotUnderstood(f"`name` in {where} must be a text")
    return name, _part(found, "email", str)


def _address(text: str, where: str) -> str:
    """An envelope address, one character per byte."""
    raw = text.encode("utf-8", "surrogateescape").decode("latin-1")
    path = parse_path(f"<{raw}>", lambda whole: (whole.strip("<>"), ""))
    if path is None or not path.address or not path.domain or path.parameters:
        raise NotUnderstood(f"{where} is no address: {text[:100]!r}")
    return path.address


def _shown(name: str, email: str) -> Address:
    try:
        return Address(display_name=name, addr_spec=email)
    except (ValueError, HeaderParseError, IndexError):
        raise NotUnderstood(f"no address for a header: {email[:100]!r}") from None


def _field(name: str, value: Any) -> str:
    """A header field's value as it is written, one character per byte."""
    message = EmailMessage(policy=SMTP)
    try:
        message[name] = value
        written: bytes = SMTP.fold_binary(name, message[name])
    except (ValueError, HeaderParseError, IndexError) as error:
        raise NotUnderstood(f"{name}: {error}") from None
    return written.decode("latin-1").partition(":")[2].strip()


def _composed(content: dict[str, Any]) -> bytes:
    """The parts of a message put together; no To, which differs by recipient."""
    if not any(isinstance(content.get(name), str) for name in ("text", "html")):
        raise NotUnderstood("content needs a text or html")
    if "from" not in content:
        raise NotUnderstood("content needs a from")
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = _shown(*_mailbox(content["from"], "content.from"))
        message["Subject"] = _part(content, "subject", str)
        if "reply_to" in content:
            message["Reply-To"] = _part(content, "reply_to", str)
        headers = content.get("headers", {})
        if not isinstance(headers, dict):
            raise NotUnderstood("`headers` must be an object")
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or name.lower() in _OWN or not isinstance(value, str):
                raise NotUnderstood(f"`{name[:100]}` can't be set in headers")
            message[name] = value
        if "text" in content:
            message.set_content(_part(content, "text", str))
            if "html" in content:
                message.add_alternative(_part(content, "html", str), subtype="html")
        else:
            message.set_content(_part(content, "html", str), subtype="html")
        return message.as_bytes()
    except (ValueError, HeaderParseError, IndexError) as error:  # CR or LF in a field, for one
        raise NotUnderstood(f"content: {error}") from None


def _lines(text: str) -> bytes:
    """A whole message with CR LF at the end of each line."""
    data = re.sub(rb"\r?\n", b"\r\n", text.encode("utf-8", "surrogateescape"))
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    if content_problem(data) is Problem.BARE_NEWLINE:
        raise NotUnderstood("email_rfc822 holds a bare CR")
    if not _fields(data):
        raise NotUnderstood("email_rfc822 has no header")
    return data


def _fields(data: bytes) -> frozenset[str]:
    head = data.partition(b"\r\n\r\n")[0].decode("latin-1")
    names = (re.match(r"([!-9;-~]+)[ \t]*:", line) for line in head.split("\r\n"))
    return frozenset(name.group(1).lower() for name in names if name)
