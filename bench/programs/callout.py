"""The callout of callout.lua as a careful person writes it in Python, on the same API."""

from __future__ import annotations

import re
from typing import Any

import msys
from msys.lua import Table

ADDRESS = re.compile(r"([^<@\s]+)@([A-Za-z0-9.-]+)>?\Z", re.ASCII)

POOLS = {"example.com": "gold", "example.org": "silver", "shop.example.net": "bulk"}


def validate_data(self: Any, msg: Any, ac: Any, vctx: Any) -> int:
    senders = msg.header("From")
    if not senders:
        vctx.set(msys.core.VCTX_MESS, "why", "no From")
        return msys.core.VALIDATE_CONT
    found = ADDRESS.search(senders[1])
    if found is None:
        vctx.set(msys.core.VCTX_MESS, "why", "strange From")
        return msys.core.VALIDATE_CONT
    user, domain = found.groups()
    domain = domain.lower()
    text = vctx.get(msys.core.VCTX_CONN, "limit")
    limit = int(text) if text else 10
    pool = POOLS.get(domain, "default")
    if len(user) > limit:
        pool = "slow"
    msg.context_set(msys.core.VCTX_MESS, "pool", pool)
    msg.header("X-Route", f"{pool}; {user} at {domain}; limit {limit}")
    return msys.core.VALIDATE_CONT


msys.registerModule("callout", Table({"validate_data": validate_data}))
