"""Modules that judge mail by themselves once their stanza is there.

Each is registered as a script registers its callouts, before every script, so scripts find the outcome. They decide
nothing: they write headers and context, and policy decides. A listener context `__bypass_NAME = "true"` leaves one out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from msys import feedback
from msys.constants import VALIDATE_CONT
from msys.lua import Table
from msys.lua.bytestr import to_bytes
from msys.lua.environment import BUILT_IN, Registration
from msys.message import Message, fields
from msys.running import host_name
from msys.validate import dk_verifying, dkim, reflection, sender
from msys.validate.results import add_results, drop_forged
from msys.validate.verifying import Signature

Options = Mapping[str, Any]
Judge = Callable[
    [Any, Any, Any], None
]  # what the callout is about, accept construct, validation context
Callouts = dict[str, Judge]

TAG_VALUE = re.compile(r"[A-Za-z0-9._@+-]+\Z")  # what may stand in a header without quotes


def dkim_validate(options: Options) -> Callouts:
    """Check every signature, write `Authentication-Results`, send the report that `reflect` asked for."""

    def validate_data(message: Message, accept: Any, vctx: Any) -> None:
        host = host_name()
        signatures = dkim.results_of(message)
        drop_forged(message, host)
        if signatures:
            add_results(message, host, [clause(one) for one in signatures])
        reflection.fulfil(message, signatures)

    return {"validate_data": validate_data}


def dk_validate(options: Options) -> Callouts:
    """Check the DomainKeys signature: `dk_status`, and `DomainKey-Status` in place of what came with the mail."""

    def validate_data(message: Message, accept: Any, vctx: Any) -> None:
        status = dk_verifying.verify(message)
        block = fields.without(message.header_block, b"DomainKey-Status")
        if status is not None:
            vctx.mess["dk_status"] = status
            word = status.partition(" ")[0]
            block = fields.with_first(block, to_bytes(f"DomainKey-Status: {word}\r\n"))
        if block is not message.header_block:
            message._set_head(block, structural=False)

    return {"validate_data": validate_data}


def clause(signature: Signature) -> str:
    """What Authentication-Results says of one signature (RFC 8601 section 2.7.1)."""
    word = dkim.outcome(signature).name.lower()
    said = "dkim=pass" if signature.passed else f'dkim={word} reason="{signature.error}"'
    for name, tag in ("header.d", "d"), ("header.i", "i"), ("header.s", "s"), ("header.a", "a"):
        value = signature.tags.get(tag, "")
        if TAG_VALUE.match(value):
            said += f" {name}={value}"
    return said


MODULES: dict[str, Callable[[Options], Callouts]] = {
    "dk_validate": dk_validate,  # covers every field below its signature
    "dkim_validate": dkim_validate,  # before the others: what the others write would stand above what is signed
    "spf_v1": sender.spf_v1,
    "senderid": sender.senderid,
    "fbl": feedback.fbl,
    "bounces": feedback.bounces,  # no stanza: the option `bounce_domains`
}


def registrations(stanza: Callable[[str], Options | None]) -> list[Registration]:
    """The configured modules, ready to run. stanza: the options of a module, None when it is not configured."""
    found = []
    for name, module in MODULES.items():
        options = stanza(name)
        if options is not None:
            callouts = {what: _callout(name, judge) for what, judge in module(options).items()}
            found.append(Registration(name, Table(callouts), BUILT_IN))
    return found


def _callout(name: str, judge: Judge) -> Callable[[Any, Any, Any, Any], int]:
    """A judge as a callout that always goes on."""
    bypass = f"__bypass_{name}"

    def callout(self: Any, subject: Any, accept: Any, vctx: Any) -> int:
        if vctx.conn.get(bypass, "").lower() != "true":
            judge(subject, accept, vctx)
        return VALIDATE_CONT

    return callout
