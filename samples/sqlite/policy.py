"""policy.lua (sha256 6df17716a2ba), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, cstr, ge, print, tonumber

# A table says which mailboxes are full; their mail is refused for now.

mod = Table()

QUERY = "SELECT used, quota FROM mailbox WHERE address = ?"


def validate_rcptto(
    self: msys.Session,
    msg: msys.Message,
    str_: msys.EcString,
    ac: msys.Accept,
    vctx: msys.ValidationContext,
) -> int:
    row, err = msys.db.fetch_row(
        "mailboxes", QUERY, Table.array(msg.rcptto()), Table({"raise_error": False})
    )
    if err is not None:
        print(f"mailboxes: {err}")
        vctx.set_code(451, "4.3.0 please try again later")
        return msys.core.VALIDATE_DONE
    if row is not None and ge(tonumber(row["used"]), tonumber(row["quota"])):
        vctx.set_code(452, f"4.2.2 mailbox is full: {cstr(row['used'])} of {cstr(row['quota'])} MB")
        return msys.core.VALIDATE_DONE
    return msys.core.VALIDATE_CONT


mod["validate_rcptto"] = validate_rcptto

msys.registerModule("sqlite", mod)
