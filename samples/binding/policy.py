"""policy.lua (sha256 dbbf50aee6de), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, print, string, tostring

# Sends each message from the pool of addresses that its X-Pool header asks for.

mod = Table()

POOLS = Table({"transactional": "fast", "newsletter": "bulk"})


def validate_set_binding(self: msys.Session, msg: msys.Message) -> int:
    wanted = msg.header("X-Pool")[1]
    if wanted is not None:
        binding = POOLS.get(string.lower(wanted), "default")
        if msg.binding(binding) is None:
            print(f"no binding called {binding} for message {tostring(msg.id)}")
        if binding == "fast":
            msg.priority = 1
    return msys.core.VALIDATE_CONT


mod["validate_set_binding"] = validate_set_binding

msys.registerModule("binding", mod)
