"""`spf_v1` and `senderid`: whether the client may send for the sender's domain, as headers and context.

`spf_v1` judges MAIL FROM (RFC 7208). `senderid` judges it again by records of Sender ID, and then the address that the
header says is responsible (RFC 4406, RFC 4407). They refuse nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from msys.addresses import header_addresses
from msys.lua.bytestr import to_bytes, to_str
from msys.message import Message, fields
from msys.peer import address_of
from msys.ports import current
from msys.running import host_name
from msys.validate.results import add_field, add_results
from msys.validate.spf import Outcome, Question, check_host, question

Options = Mapping[str, Any]

ATOM = re.compile(r"[A-Za-z0-9._:@+=/-]+\Z")  # what may stand in a header without quotes
# outcome -> the words in brackets of Received-SPF, after the domain's name (RFC 7208 section 9.1)
WORDS = {
    "pass": "designates {ip} as permitted sender",
    "fail": "does not designate {ip} as permitted sender",
    "softfail": "discourages use of {ip} as permitted sender",
    "neutral": "neither permits nor denies {ip}",
    "none": "does not say who is a permitted sender",
    "temperror": "could not be asked about {ip}: {problem}",
    "permerror": "has a record that cannot be used: {problem}",
}


def spf_v1(options: Options) -> dict[str, Any]:
    """Judge MAIL FROM at validate_mailfrom; write headers at validate_data."""
    variable = options.get("context_variable") or "spf_status"

    def validate_mailfrom(command: Any, accept: Any, vctx: Any) -> None:
        asked = _question(accept, vctx, sender_of(vctx))
        outcome = check_host(asked, default_rule=options.get("default_rule") or "")
        vctx.mess[variable] = outcome.result
        _keep("spf_v1", asked, outcome)

    def validate_data(message: Message, accept: Any, vctx: Any) -> None:
        kept = vars(message).pop("spf_v1", None)
        if kept is not None:
            _write(message, options, "spf", "smtp.mailfrom", "mailfrom", *kept)

    return {"validate_mailfrom": validate_mailfrom, "validate_data": validate_data}


def senderid(options: Options) -> dict[str, Any]:
    """Judge MAIL FROM at validate_mailfrom, the responsible address at validate_data, and write headers."""
    variable = options.get("context_variable") or "senderid_status"
    pra_variable = options.get("context_pra_variable") or "senderid_pra_status"

    def validate_mailfrom(command: Any, accept: Any, vctx: Any) -> None:
        asked = _question(accept, vctx, sender_of(vctx), "mfrom")
        outcome = check_host(asked, default_rule=options.get("default_rule") or "")
        vctx.mess[variable] = outcome.result

    def validate_data(message: Message, accept: Any, vctx: Any) -> None:
        field, address = responsible(message.header_block)
        asked = _question(accept, vctx, address, "pra")
        outcome = Outcome("permerror", problem="no address is responsible")
        if address:
            outcome = check_host(asked, default_rule=options.get("default_pra_rule") or "")
        vctx.mess[pra_variable] = outcome.result
        _write(message, options, "sender-id", f"header.{field or 'from'}", "pra", asked, outcome)

    return {"validate_mailfrom": validate_mailfrom, "validate_data": validate_data}


def sender_of(vctx: Any) -> str:
    """The envelope sender as it was received; empty for the null sender."""
    local, domain = vctx.mess.get("mailfrom_localpart", ""), vctx.mess.get("mailfrom_domain", "")
    return f"{local}@{domain}" if domain else local


def responsible(block: bytes) -> tuple[str, str]:
    """The name of the field that says who is responsible, and its address; both empty for nobody.

    RFC 4407 section 2: Resent-Sender, unless a block of trace fields sets an earlier Resent-From apart; Resent-From;
    the only Sender; the only From; it must hold one address.
    """
    found = [one for one in fields.fields(block) if one.value.strip()]
    names = [one.name for one in found]
    chosen = _resent(names)
    if chosen is None:
        for name in b"sender", b"from":
            if name in names:
                chosen = names.index(name) if names.count(name) == 1 else None
                break
    if chosen is None:
        return "", ""
    addresses = header_addresses(to_str(fields.unfolded(found[chosen].value)))
    return (to_str(names[chosen]), addresses[0]) if len(addresses) == 1 else ("", "")


def _resent(names: list[bytes]) -> int | None:
    sender = names.index(b"resent-sender") if b"resent-sender" in names else None
    origin = names.index(b"resent-from") if b"resent-from" in names else None
    if sender is None or origin is None:
        return origin if sender is None else sender
    apart = {b"received", b"return-path"} & set(names[origin:sender])
    return origin if origin < sender and apart else sender


def _question(accept: Any, vctx: Any, sender: str, scope: str = "") -> Question:
    peer = ip_address(address_of(accept.remote_addr.ip))
    return question(peer, sender, vctx.conn.get("ehlo_domain", ""), host_name(), scope)


def _keep(name: str, asked: Question, outcome: Outcome) -> None:
    """Remember an outcome with the message of the transaction."""
    message = current().message
    if message is not None:
        vars(message)[name] = (asked, outcome)


def _write(
    message: Message,
    options: Options,
    method: str,
    about: str,
    identity: str,
    asked: Question,
    outcome: Outcome,
) -> None:
    if options.get("add_authentication_results", True):
        clause = f"{method}={outcome.result} {about}={quoted(asked.sender)}"
        add_results(message, host_name(), [clause])
    if options.get("add_headers", True):
        add_field(message, received_spf(asked, outcome, identity))


def received_spf(asked: Question, outcome: Outcome, identity: str) -> bytes:
    """The whole Received-SPF field (RFC 7208 section 9.1)."""
    domain = asked.sender.rpartition("@")[2]
    words = WORDS[outcome.result].format(ip=asked.ip, problem=outcome.problem)
    said = re.sub(r"[^ !-'*-\[\]-~]", "?", f"{asked.receiver}: {domain} {words}")
    pairs = {
        "client-ip": str(asked.ip),
        "envelope-from": asked.sender,
        "helo": asked.helo,
        "receiver": asked.receiver,
        "identity": identity,
        "mechanism": outcome.mechanism,
    }
    rest = ";\r\n\t".join(f"{key}={quoted(value)}" for key, value in pairs.items() if value)
    return to_bytes(f"Received-SPF: {outcome.result} ({said})\r\n\t{rest}\r\n")


def quoted(text: str) -> str:
    """A value as it may stand in a structured header."""
    if ATOM.match(text):
        return text
    inside = re.sub(r'(["\\])', r"\\\1", re.sub(r"[^ -~\x80-\xff]", "?", text))
    return f'"{inside}"'
