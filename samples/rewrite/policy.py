"""policy.lua (sha256 aeaa559dd3a2), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Pattern, Table, cstr, string

_USER_DOMAIN = Pattern("^(.+)@([^@]+)$")

# Mail for a renamed domain goes to the new one, each recipient on a copy of its own.

mod = Table()

RENAMED = Table({
    "old.example.test": "new.example.test",
    "older.example.test": "new.example.test",
})


def validate_data_spool_each_rcpt(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    address = msg.rcptto()
    user, domain = _USER_DOMAIN.match(address)
    new = RENAMED[string.lower(domain)] if domain is not None else None
    if new is not None:
        msg.rcptto(f"{cstr(user)}@{new}")
        msg.header("X-Original-Recipient", address)
    return msys.core.VALIDATE_CONT


mod["validate_data_spool_each_rcpt"] = validate_data_spool_each_rcpt

msys.registerModule("rewrite", mod)
