"""policy.lua (sha256 ca624c1e1774), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Pattern, Table, intdiv, string

_EXAMPLE_TEST = Pattern("@example%.test$")

# Momentum's own operators: flags in one number, `!=` and `!`, integer division, an octal number.

mod = Table()

URGENT, INTERNAL, LARGE = 1, 2, 4
LARGE_BYTES = 0o100000  # octal: 32768


def validate_data(
    self: msys.Session, msg: msys.Message, ac: msys.Accept, vctx: msys.ValidationContext
) -> int:
    flags = 0
    priority = msg.header("X-Priority")[1]
    if priority is not None and priority[:1] == "1":
        flags |= URGENT
    if _EXAMPLE_TEST.matches(msg.mailfrom()):
        flags |= INTERNAL
    size = msg.get_message_size()
    if not size < LARGE_BYTES:
        flags |= LARGE
    if flags & (URGENT | INTERNAL) != 0:
        msg.header("X-Flags", string.format("%03d %dk", flags, intdiv(size, 1024)))
    return msys.core.VALIDATE_CONT


mod["validate_data"] = validate_data

msys.registerModule("dialect", mod)
