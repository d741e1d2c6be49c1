"""The trace header of a received message (RFC 5321 section 4.4).

Pure text: everything comes in as an argument. Names from outside are made harmless, never trusted.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

_UNFIT = re.compile(r"[^!-'*-\[\]-~\x80-\xff]")  # outside printable ASCII, or of comment syntax


@lru_cache(maxsize=2)
def date(now: int) -> str:
    """`Mon, 23 Nov 2026 23:33:39 +0000`."""
    return format_datetime(datetime.fromtimestamp(now, UTC))


def received(
    *,
    helo: str,
    remote_ip: str,
    hostname: str,
    protocol: str,
    message_id: str,
    recipient: str,
    now: float,
) -> bytes:
    """The whole header field with its CR LF. recipient: empty when there are several (they stay private)."""
    greeting = _UNFIT.sub("?", helo)[:255] or "unknown"
    address = f"IPv6:{remote_ip}" if ":" in remote_ip else remote_ip
    literal = f" ([{address}])" if address else ""
    for_one = f"\r\n\tfor <{recipient}>" if recipient else ""
    return (
        f"Received: from {greeting}{literal}\r\n\tby {hostname} with {protocol}"
        f" id {message_id}{for_one};\r\n\t{date(int(now))}\r\n"
    ).encode("latin-1", "replace")


_FIELD = re.compile(r"[!-9;-~]+:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*")


def field_text(text: str) -> str | None:
    """A header field that a script wrote, with one CR LF at its end; None when it is no single field."""
    field = text.replace("\r\n", "\n").rstrip("\n").replace("\n", "\r\n")
    return f"{field}\r\n" if _FIELD.fullmatch(field) else None
