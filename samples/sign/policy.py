"""policy.lua (sha256 efe05e0e99f7), translated by moonpost 0.1.0."""

from __future__ import annotations

import msys
from msys.lua import Pattern, Table

_DOMAIN = Pattern("@([^@]+)$")

# Signs what our own domain sends, as the last step before the spool.

mod = Table()

SIGNED_DOMAIN = "signed.example.test"


def core_final_validation(
    self: msys.Session, msg: msys.Message, accept: msys.Accept, vctx: msys.ValidationContext
) -> None:
    domain = _DOMAIN.capture(msg.mailfrom())
    if domain == SIGNED_DOMAIN:
        msys.validate.opendkim.sign(msg, vctx, Table({
            "signing_domain": domain,
            "selector": "mail",
            "header_canon": "relaxed",
            "body_canon": "relaxed",
            "digest": "rsa-sha256",
            "keyfile": "sign/private.key",
        }))


mod["core_final_validation"] = core_final_validation

msys.registerModule("sign", mod)
