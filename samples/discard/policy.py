"""policy.lua (sha256 fce81438bbfc), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, string

# Takes mail for mailboxes nobody reads, and drops it without a bounce.

mod = Table()

UNREAD = Table({"noreply@example.test": True, "devnull@example.test": True})


def validate_data_spool_each_rcpt(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    to = string.lower(msg.rcptto())
    if UNREAD[to]:
        msg.discard(f"550 5.7.1 nobody reads {to}")
    return msys.core.VALIDATE_CONT


mod["validate_data_spool_each_rcpt"] = validate_data_spool_each_rcpt

msys.registerModule("discard", mod)
