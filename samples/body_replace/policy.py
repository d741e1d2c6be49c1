"""policy.lua (sha256 c008afb02c34), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table

# Masks card numbers in text before a message leaves.

mod = Table()

CARD = "\\b(\\d{4})[ -]?\\d{4}[ -]?\\d{4}[ -]?(\\d{4})\\b"


def validate_data(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    if msg.text_match(CARD)[0] is not False:
        msg.text_replace(CARD, "$1 **** **** $2")
        msg.header("X-Masked", "card", "append")
    return msys.core.VALIDATE_CONT


mod["validate_data"] = validate_data

msys.registerModule("body_replace", mod)
