"""policy.lua (sha256 7970ecb47a23), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, string

# Clients of our own networks are marked as trusted; others may not send as us.

mod = Table()

OUR_DOMAIN = "corp.example.test"


def init(self: msys.Session) -> bool:
    msys.cidr.define("our_networks", Table({
        "type": "rbldnsd",
        "source": "allow_list/networks.txt",
        "value": "txt",
        "default_value": "outside",
    }))
    return True


mod["init"] = init


def validate_connect(self: msys.Session, ac: msys.Accept, vctx: msys.ValidationContext) -> int:
    where = msys.cidr.query("our_networks")
    vctx.set(msys.core.VCTX_CONN, "network", where)
    return msys.core.VALIDATE_CONT


mod["validate_connect"] = validate_connect


def validate_mailfrom(
    self: msys.Session, str_: msys.EcString, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    domain = string.lower(vctx.get(msys.core.VCTX_MESS, "mailfrom_domain"))
    if domain == OUR_DOMAIN and vctx.get(msys.core.VCTX_CONN, "network") == "outside":
        vctx.set_code(550, f"5.7.1 {OUR_DOMAIN} does not send from there")
        return msys.core.VALIDATE_DONE
    return msys.core.VALIDATE_CONT


mod["validate_mailfrom"] = validate_mailfrom

msys.registerModule("allow_list", mod)
