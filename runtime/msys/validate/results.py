"""What a checking module writes into a message: the Authentication-Results field (RFC 8601), and its own status field.

Works on header blocks; who checks and how is elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from msys.lua.bytestr import to_bytes
from msys.message import Message, fields

AUTHENTICATION_RESULTS = b"authentication-results"


def add_results(message: Message, host: str, clauses: Sequence[str]) -> None:
    """Put `Authentication-Results: host; clause; clause` in front of the message, in place of forged ones."""
    drop_forged(message, host)
    name = b"Authentication-Results: "
    text = (";\r\n\t".join([host, *clauses])).encode("latin-1", "replace")
    add_field(message, name + text + b"\r\n")


def add_field(message: Message, line: bytes) -> None:
    """Put a whole field in front of the message."""
    message._set_head(fields.with_first(message.header_block, line), structural=False)


def drop_forged(message: Message, host: str) -> None:
    """Take out results that claim to be ours but came with the mail (RFC 8601 section 5); once for a message."""
    if vars(message).setdefault("results_are_ours", False):
        return
    vars(message)["results_are_ours"] = True
    block = message.header_block
    ours = to_bytes(host.lower())
    forged = [
        one
        for one in fields.fields(block)
        if one.name == AUTHENTICATION_RESULTS and _server(one.value) == ours
    ]
    for one in reversed(forged):
        block = block[: one.start] + block[one.end :]
    if forged:
        message._set_head(block, structural=False)


def _server(value: bytes) -> bytes:
    """Who an Authentication-Results field says has checked."""
    words = fields.unfolded(value).partition(b";")[0].split()
    return words[0].strip(b'"').lower() if words else b""
