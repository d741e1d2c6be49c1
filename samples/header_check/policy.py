"""policy.lua (sha256 e16ede66a605), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, string

# Mail must say who wrote it and when; a spam mark set upstream is believed.

mod = Table()

REQUIRED = ["From", "Date"]


# The first required header that is absent, or nothing.
def missing(msg: msys.Message) -> str | None:
    for name in REQUIRED:
        if len(msg.header(name)) == 0:
            return name
    return None


def validate_data(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    name = missing(msg)
    if name is not None:
        vctx.set_code(550, f"5.6.0 a {name} header is required")
        return msys.core.VALIDATE_DONE
    flag = msg.header("X-Spam-Flag")[1]
    if flag is not None and string.upper(flag) == "YES":
        vctx.set_code(554, "5.7.1 marked as spam before it reached us")
        return msys.core.VALIDATE_DONE
    return msys.core.VALIDATE_CONT


mod["validate_data"] = validate_data

msys.registerModule("header_check", mod)
