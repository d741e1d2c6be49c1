"""The form of a received message: what must be there, and what is added. Pure.

Source: Momentum's pages of the options RFC2822_*. They leave open when a missing field is added: here it is after the
last callout about the whole mail, so that policy sees what the sender sent, and before signing.
"""

from __future__ import annotations

import re

from moonpost.phases.options import SessionOptions
from moonpost.phases.received import date
from moonpost.phases.verdicts import Verdict

ADD, REFUSE = "ifneeded", "pedantic"
DATE, MESSAGE_ID = b"date", b"message-id"
BOTH = frozenset((DATE, MESSAGE_ID))

NO_HEADER = Verdict(550, "5.6.0 message has no header", module="rfc2822")
NO_DATE = Verdict(550, "5.6.0 message has no Date header", module="rfc2822")
NO_ID = Verdict(550, "5.6.0 message has no Message-ID header", module="rfc2822")

_FIRST = re.compile(rb"[!-9;-~]+[ \t]*:|\r\n")  # a field, or the end of an empty header
_FIELDS = re.compile(rb"^(date|message-id)[ \t]*:", re.IGNORECASE | re.MULTILINE)


def has_header(content: bytes) -> bool:
    """Whether a content begins with a header, be it empty."""
    return _FIRST.match(content) is not None


def fields_of(head: bytes) -> frozenset[bytes]:
    """Which of DATE and MESSAGE_ID are there. head: a header block, or a content that begins with one."""
    end = head.find(b"\r\n\r\n")
    end = len(head) if end < 0 else end + 2
    if head.find(b"\nDate:", 0, end) >= 0 and (
        head.find(b"\nMessage-ID:", 0, end) >= 0 or head.find(b"\nMessage-Id:", 0, end) >= 0
    ):  # as nearly every program writes them
        return BOTH
    return frozenset(name.lower() for name in _FIELDS.findall(head, 0, end))


def refusal_of(options: SessionOptions, content: bytes, fields: frozenset[bytes]) -> Verdict | None:
    """Why a content can't be taken; None when it can."""
    if not options.allow_missing_headers and not has_header(content):
        return NO_HEADER
    if options.date_header == REFUSE and DATE not in fields:
        return NO_DATE
    if options.message_id_header == REFUSE and MESSAGE_ID not in fields:
        return NO_ID
    return None


def missing_fields(options: SessionOptions, head: bytes, message_id: str, now: float) -> bytes:
    """The header lines to add, each with its CR LF."""
    fields = fields_of(head)
    lines = ""
    if options.date_header == ADD and DATE not in fields:
        lines += f"Date: {date(int(now))}\r\n"
    if options.message_id_header == ADD and MESSAGE_ID not in fields:
        host = options.received_hostname or options.hostname
        lines += f"Message-ID: <{message_id.replace('/', '.')}@{host}>\r\n"
    return lines.encode("latin-1", "replace")
