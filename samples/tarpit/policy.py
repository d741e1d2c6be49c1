"""policy.lua (sha256 941e652fd4df), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, string

# Clients that greet us with our own name are made to wait.

mod = Table()

OUR_NAME = "mx.example.test"


def validate_ehlo(
    self: msys.Session, str_: msys.EcString, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    name = vctx.get(msys.core.VCTX_CONN, "ehlo_domain")
    if string.lower(name) == OUR_NAME:
        vctx.set(msys.core.VCTX_CONN, "liar", "yes")
        vctx.tarpit(0.3)
    return msys.core.VALIDATE_CONT


mod["validate_ehlo"] = validate_ehlo

msys.registerModule("tarpit", mod)
