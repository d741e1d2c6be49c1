"""policy.lua (sha256 b5b9d157d718), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Table, cstr, first, require, truthy

# Uses a library script: mail from free providers is marked.

domains = require("library.lib.domains")

mod = Table()


def validate_data(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    domain = first(domains["of"](msg.mailfrom()))
    if truthy(first(domains["is_free"](domain))):
        msg.header("X-Sender-Kind", f"free provider {cstr(domain)}")
    return msys.core.VALIDATE_CONT


mod["validate_data"] = validate_data

msys.registerModule("library", mod)
