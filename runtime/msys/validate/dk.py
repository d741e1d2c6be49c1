"""`msys.validate.dk`: DomainKeys, the forerunner of DKIM."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from msys.catalog.binding import documented
from msys.lua import ABSENT
from msys.message import Message, fields
from msys.options import Options
from msys.ports import current
from msys.validate import domainkeys
from msys.validate.canonical import headers_of
from msys.validate.dkim import responsible_domain
from msys.validate.keys import BadKey, private_key

__all__ = ["get_responsible_domain", "sign"]


def _message(msg: Any) -> Message | None:
    found = current().message if msg is None or msg is ABSENT else msg
    return found if isinstance(found, Message) else None


@documented("msys.validate.dk.get_responsible_domain", assumed="nil when there is none")
def get_responsible_domain(msg: Any = ABSENT, ctx: Any = ABSENT) -> str | None:
    """The domain of the address in `Sender`, else in `From`; nil when there is none.

    Source: lua.ref.msys.validate.dk.get_responsible_domain.
    """
    return responsible_domain(_message(msg))


@documented(
    "msys.validate.dk.sign", assumed="1 when a signature was added, else 0, which is logged"
)
def sign(msg: Any = ABSENT, ctx: Any = ABSENT, options: Any = ABSENT) -> int:
    """Put a DomainKey-Signature in front of the message (nil: the one in hand), in core_final_validation.

    options, over those of the `dk_sign` stanza: `base_domain`, `selector`, `keyfile` (`%{d}` and `%{s}`
    filled) or `keybuf`. The stanza's `canon` is `simple` or `nofws`. Source: lua.ref.msys.validate.dk.sign.
    """
    call = current()
    message = _message(msg)
    stanza = call.ports.configuration.module("dk_sign") or {}
    chosen = Options("sign", 3, options)

    def setting(*names: str, default: str = "") -> str:
        for name in names:
            found = chosen.text(name) or stanza.get(name)
            if found:
                return str(found)
        return default

    domain, selector = setting("base_domain"), setting("selector")
    canon = str(stanza.get("canon", "nofws"))
    problem = ""
    if message is None:
        problem = "there is no message to sign"
    elif not domain or not selector:
        problem = "base_domain or selector is not set"
    elif "/" in domain + selector or ".." in domain or ".." in selector:
        problem = "domain and selector cannot be parts of a path"
    elif canon not in domainkeys.CANONICAL:
        problem = f"canon '{canon}' is none of {', '.join(domainkeys.CANONICAL)}"
    path = setting("keyfile", "key").replace("%{d}", domain).replace("%{s}", selector)
    if message is not None and not problem:
        try:
            key = private_key(call.ports, path, setting("keybuf"))
            if isinstance(key, rsa.RSAPrivateKey):
                headers = headers_of(message.header_block)
                field = domainkeys.signature_field(
                    headers, message.body_block, key, domain, selector, canon
                )
                message._set_head(fields.with_first(message.header_block, field), structural=False)
                return 1
            problem = "DomainKeys needs an RSA key"
        except BadKey as error:
            problem = str(error)
    call.ports.log.panic("dk_sign", f"message stays unsigned: {problem}")
    return 0
