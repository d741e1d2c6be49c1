"""policy.lua (sha256 2b096d0acda2), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Pattern, Table, tostring

_DIGITS = Pattern("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
_IP = Pattern("^([%d%.]+):%d+$")

# Refuses clients that a DNS block list names, and tells them why.

mod = Table()

ZONE = "bl.example.test"


def reversed(ip: str) -> str | None:
    a, b, c, d = _DIGITS.match(ip)
    if a is not None:
        return f"{d}.{c}.{b}.{a}.{ZONE}"
    return None  # not an IPv4 address


def validate_connect(self: msys.Session, ac: msys.Accept, vctx: msys.ValidationContext) -> int:
    ip = _IP.capture(tostring(ac.remote_addr))
    name = reversed(ip) if ip is not None else None
    if name is None:
        return msys.core.VALIDATE_CONT
    found, err = msys.dnsLookup(name, "A")
    if found is not None:
        why = msys.dnsLookup(name, "TXT")[0]
        text = why and why[1]
        if text is None:
            text = f"listed by {ZONE}"
        vctx.set(msys.core.VCTX_CONN, "dnsbl", found[1])
        vctx.disconnect(550, f"5.7.1 {text}")
        return msys.core.VALIDATE_DONE
    elif err != "NXDOMAIN":
        # A list that does not answer stops nobody, but it is noted.
        vctx.set(msys.core.VCTX_CONN, "dnsbl_error", err)
    return msys.core.VALIDATE_CONT


mod["validate_connect"] = validate_connect

msys.registerModule("dnsbl", mod)
