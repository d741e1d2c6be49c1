"""policy.lua (sha256 01f1676721e3), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, string

# Sender domains that tend to send in bursts: so many messages a minute, the next one is asked to wait.

mod = Table()

SERIES = "messages_by_sender_domain"
LIMITS = Table({"eager.example.test": 5, "news.example.test": 1000})


def init(self: msys.Session) -> bool:
    msys.audit_series.define(SERIES, "string", 10, 6)
    return True


mod["init"] = init


def validate_mailfrom(
    self: msys.Session, str_: msys.EcString, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    domain = string.lower(vctx.get(msys.core.VCTX_MESS, "mailfrom_domain"))
    limit = LIMITS[domain]
    if limit is None:
        return msys.core.VALIDATE_CONT
    seen = msys.audit_series.count(SERIES, Table({"startv": 0, "endv": 5, "key": domain}))
    if seen >= limit:
        vctx.set_code(
            451, string.format("4.7.1 %d messages a minute from %s, no more", limit, domain)
        )
        return msys.core.VALIDATE_DONE
    msys.audit_series.add(SERIES, Table({"key": domain}))
    return msys.core.VALIDATE_CONT


mod["validate_mailfrom"] = validate_mailfrom

msys.registerModule("rate_limit", mod)
