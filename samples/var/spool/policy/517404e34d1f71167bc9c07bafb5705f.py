"""policy.lua (sha256 bf9edf824d41), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, string

# At most five messages a minute from one sender domain; the sixth is asked to wait.

mod = Table()

SERIES = "messages_by_sender_domain"
LIMIT = 5


def init(self: msys.Session) -> bool:
    msys.audit_series.define(SERIES, "string", 10, 6)
    return True


mod["init"] = init


def validate_mailfrom(
    self: msys.Session, str_: msys.EcString, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    domain = vctx.get(msys.core.VCTX_MESS, "mailfrom_domain")
    if domain == "":
        return msys.core.VALIDATE_CONT  # bounces are never limited
    domain = string.lower(domain)
    seen = msys.audit_series.count(SERIES, Table({"startv": 0, "endv": 5, "key": domain}))
    if seen >= LIMIT:
        vctx.set_code(
            451, string.format("4.7.1 %d messages a minute from %s, no more", LIMIT, domain)
        )
        return msys.core.VALIDATE_DONE
    msys.audit_series.add(SERIES, Table({"key": domain}))
    return msys.core.VALIDATE_CONT


mod["validate_mailfrom"] = validate_mailfrom

msys.registerModule("rate_limit", mod)
