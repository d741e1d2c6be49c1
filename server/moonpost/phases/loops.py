"""Mail that goes in circles: too many Received headers, or a server that speaks to itself. Pure.

Momentum's module mail_loop; its page says which connection keys a loop leaves. With a code below 400 nothing is
refused: policy reads the keys and decides.
"""

from __future__ import annotations

import re

from moonpost.phases.options import SessionOptions
from moonpost.phases.verdicts import Verdict

_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)


def found_loop(options: SessionOptions, conn: dict[str, str], content: bytes) -> Verdict | None:
    """The refusal of a mail that loops, if it does and is to be refused; `conn` gets the keys that tell policy."""
    looks = options.max_received_headers > 0
    count = _received_headers(content) if looks else 0
    if looks and count > options.max_received_headers:
        conn["mail_loop_header_count"] = str(count)
        text = f"5.4.6 mail loop: {count} Received headers"
    elif "mail_loop_ip" in conn:
        text = "5.4.6 mail loop: this server speaks to itself"
    else:
        return None
    if options.loop_code < 400:
        return None
    if options.loop_code < 500:
        text = "4" + text[1:]
    return Verdict(options.loop_code, text, module="mail_loop")


def _received_headers(content: bytes) -> int:
    head, _, _ = content.partition(b"\r\n\r\n")
    return len(_RECEIVED.findall(head))
