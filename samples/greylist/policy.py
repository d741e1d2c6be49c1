"""policy.lua (sha256 fbdd9272be92), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Pattern, Table, cstr, tostring

_IP = Pattern("^(.*):%d+$")

# An unknown client, sender and recipient wait one second before they are believed.

mod = Table()

WAIT = 1  # seconds
DOMAIN = "grey.example.test"
first_seen = Table()


def validate_rcptto(
    self: msys.Session,
    msg: msys.Message,
    str_: msys.EcString,
    ac: msys.Accept,
    vctx: msys.ValidationContext,
) -> int:
    if vctx.get(msys.core.VCTX_MESS, "rcptto_domain") != DOMAIN:
        return msys.core.VALIDATE_CONT
    ip = _IP.capture(tostring(ac.remote_addr))
    key = "|".join([ip if ip is not None else "?", msg.mailfrom(), msg.rcptto()])
    now = msys.core.get_now_ts()
    seen = first_seen[key]
    if seen is None:
        first_seen[key] = now
        vctx.set_code(451, f"4.7.1 please try again in {WAIT} s")
    elif now - seen < WAIT:
        vctx.set_code(451, f"4.7.1 please try again in {cstr(WAIT - (now - seen))} s")
    return msys.core.VALIDATE_CONT


mod["validate_rcptto"] = validate_rcptto

msys.registerModule("greylist", mod)
