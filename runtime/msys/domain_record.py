"""`domain_record`: what the queue knows of a destination domain, as numbers policy can read."""

from __future__ import annotations

from dataclasses import dataclass

from msys.lua import Userdata


@dataclass(slots=True, eq=False)
class DomainRecord(Userdata):
    """Counters of one domain since the server started, and what is queued for it now."""

    domain: str
    deliveries: int = 0
    attempts: int = 0
    transients: int = 0
    failures: int = 0
    dns_failures: int = 0
    mxcnt: int = 0
    active: int = 0
    delayed: int = 0


DomainRecord.lua_type = "msys.core:_domain_record"
DomainRecord.lua_fields = frozenset(DomainRecord.__slots__)
