"""Delivery status notifications: RFC 3464 reports in the multipart of RFC 6522.

Pure: envelope, outcome and time in, bytes of a message out. Whatever came from a sender or a host is cleaned on the
way, so that nothing in it becomes a header field of the notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate

from moonpost.spool.record import Record

FAILED, DELAYED = "failed", "delayed"
NONE, HEADERS, ALL = "none", "headers", "all"  # bounces_inline_original

_STATUS = re.compile(r"\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]+")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_FOLD_AT = 76

OPENING = {
    FAILED: "Your message could not be delivered to the recipient below. It will not be tried again.",
    DELAYED: "Your message has not been delivered to the recipient below yet. You need not send it\r\n"
    "again: it will be tried until {until}.",
}
SUBJECT = {FAILED: "Undelivered mail", DELAYED: "Delayed mail"}


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to one recipient."""

    action: str  # FAILED or DELAYED
    text: str  # `550 5.1.1 no such user`
    at: float
    remote: str = ""  # the host that said it
    retried_until: float | None = None


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who sends the notice."""

    hostname: str
    sender: str  # address in From
    message_id: str  # without brackets
    boundary: str  # must not occur in the original


def build(
    record: Record, content: bytes, report: Report, head: Letterhead, inline: str = HEADERS
) -> bytes:
    """The notice, CRLF lines. The original's own RET may ask for less than `inline` allows, not for more."""
    wide = not (record.sender + record.recipient).isascii()
    inline = (
        HEADERS if inline == ALL and record.parameters.get("RET", "").upper() == "HDRS" else inline
    )
    original = _original(content, inline)
    parts = [
        _part("text/plain; charset=utf-8", _explanation(record, report).encode("utf-8")),
        _part("message/delivery-status", _status(record, report, head).encode("ascii", "replace")),
    ]
    if original is not None:
        parts.append(_part(*original))
    mark = f"--{head.boundary}".encode()
    header = [
        f"From: Mail Delivery System <{head.sender}>",
        f"To: <{_clean(record.sender)}>",
        f"Subject: {SUBJECT[report.action]}",
        f"Date: {formatdate(report.at)}",
        f"Message-ID: <{head.message_id}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{head.boundary}"',
    ]
    body = b"".join(mark + b"\r\n" + part for part in parts) + mark + b"--\r\n"
    if not body.isascii() or wide:
        header.append("Content-Transfer-Encoding: 8bit")
    return "\r\n".join(header).encode("latin-1") + b"\r\n\r\n" + body


def status_of(text: str, action: str = FAILED) -> str:
    """The enhanced status code in an answer, or the one that says nothing more than its class."""
    wanted = "5" if action == FAILED else "4"
    found = _STATUS.match(text)
    if found is not None and found[1].startswith(wanted):
        return found[1]
    return f"{wanted}.0.0"


def wants_notice(record: Record, action: str = FAILED) -> bool:
    """What the sender asked for with NOTIFY (RFC 3461 section 4.1)."""
    words = {word for word in record.parameters.get("NOTIFY", "").upper().split(",") if word}
    if not words:
        return True
    return ("FAILURE" if action == FAILED else "DELAY") in words


def _explanation(record: Record, report: Report) -> str:
    until = formatdate(report.retried_until) if report.retried_until is not None else "it expires"
    said = f"The host {report.remote} said:" if report.remote else "The reason:"
    return "\r\n".join(
        (
            OPENING[report.action].format(until=until),
            "",
            f"  <{_readable(record.recipient)}>",
            "",
            said,
            "",
            *(f"  {line}" for line in _wrapped(_readable(report.text))),
            "",
        )
    )


def _status(record: Record, report: Report, head: Letterhead) -> str:
    parameters = record.parameters
    envelope = [f"Reporting-MTA: dns; {head.hostname}"]
    if parameters.get("ENVID"):
        envelope.insert(0, f"Original-Envelope-Id: {_clean(_from_xtext(parameters['ENVID']))}")
    envelope.append(f"Arrival-Date: {formatdate(record.created_at)}")
    recipient = []
    if parameters.get("ORCPT"):
        kind, _, address = _from_xtext(parameters["ORCPT"]).partition(";")
        recipient.append(f"Original-Recipient: {_clean(kind)}; {_clean(address)}")
    recipient += [
        f"Final-Recipient: {_typed_address(record.recipient)}",
        f"Action: {report.action}",
        f"Status: {status_of(report.text, report.action)}",
    ]
    if report.remote:
        recipient.append(f"Remote-MTA: dns; [{report.remote}]")
    recipient.append("\r\n\t".join(_wrapped(f"Diagnostic-Code: smtp; {_ascii(report.text)}")))
    recipient.append(f"Last-Attempt-Date: {formatdate(report.at)}")
    if report.retried_until is not None:
        recipient.append(f"Will-Retry-Until: {formatdate(report.retried_until)}")
    return "\r\n".join((*envelope, "", *recipient, ""))


def _original(content: bytes, inline: str) -> tuple[str, bytes] | None:
    if inline == ALL:
        return "message/rfc822", content
    if inline == HEADERS:
        header, blank, _ = content.partition(b"\r\n\r\n")
        return "text/rfc822-headers", header + b"\r\n" if blank else header
    return None


def _part(kind: str, body: bytes) -> bytes:
    encoding = b"" if body.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    # The line end before a boundary belongs to the boundary: without one more the original would lose its last.
    return b"Content-Type: " + kind.encode() + b"\r\n" + encoding + b"\r\n" + body + b"\r\n"


def _readable(text: str) -> str:
    """Latin-1 text that holds UTF-8, as characters."""
    try:
        return _clean(text.encode("latin-1").decode("utf-8"))
    except UnicodeError:
        return _clean(text)


def _clean(text: str) -> str:
    return _UNSAFE.sub(" ", text)


def _ascii(text: str) -> str:
    return "".join(char if char.isascii() else f"\\x{{{ord(char):X}}}" for char in _readable(text))


def _typed_address(address: str) -> str:
    """RFC 6533 section 3: an address that is not ASCII is written out in ASCII."""
    return f"rfc822; {_clean(address)}" if address.isascii() else f"utf-8; {_ascii(address)}"


def _from_xtext(value: str) -> str:
    return _XTEXT.sub(lambda found: chr(int(found[1], 16)), value)


def _wrapped(text: str) -> Iterable[str]:
    """Lines of a decent length, cut at blanks where there are any."""
    rest = text
    while len(rest) > _FOLD_AT:
        cut = rest.rfind(" ", 20, _FOLD_AT)
        cut = _FOLD_AT if cut < 0 else cut
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    yield rest
