"""policy.lua (sha256 351a465f4739), translated by moonpost 0.1.0."""

from __future__ import annotations

from typing import Any

import msys
from msys.lua import Table

# Breaks on purpose: what the sender and the operator see when policy has a mistake.

mod = Table()

limits = Table({"example.test": Table({"size": 10240})})


def size_limit(domain: str) -> Any:
    return limits[domain]["size"]  # fails for a domain without limits


def validate_data(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    wanted = msg.header("X-Size-Limit")[1]
    if wanted is not None and msg.get_message_size() > size_limit(wanted):
        vctx.set_code(552, f"5.3.4 too large for {wanted}")
        return msys.core.VALIDATE_DONE
    return msys.core.VALIDATE_CONT


mod["validate_data"] = validate_data

msys.registerModule("broken", mod)
