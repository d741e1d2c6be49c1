"""Checking DomainKeys signatures (RFC 4870), in the words of the `dk_validate` module.

The key comes through the DNS port, so checking waits. The first signature of a message is the one that counts.
"""

from __future__ import annotations

import base64
import binascii

from dkim.util import InvalidTagValueList, parse_tag_value

from msys.message import Message
from msys.ports import PortError, current, wait
from msys.validate import domainkeys
from msys.validate.canonical import Header, headers_of
from msys.validate.dkim import responsible_domain
from msys.validate.keys import BadKey, KeyRecord, parse_record

GOOD, BAD, ERROR = "good", "bad", "error"
MALFORMED = "bad (malformed signature)"
SIGNATURE = b"domainkey-signature"
ABSENT_CODES = frozenset({"NXDOMAIN", "NODATA"})


class _Verdict(Exception):
    """What is wrong, as `dk_status` says it."""


def verify(message: Message) -> str | None:
    """`good`, `bad` with its reason, or `error` when DNS could not be asked; None for unsigned mail."""
    headers = headers_of(message.header_block)
    names = [name.rstrip().lower() for name, _ in headers]
    if SIGNATURE not in names:
        return None
    at = names.index(SIGNATURE)
    try:
        tags = _tags(headers[at][1])
        made = _decoded(tags["b"])
        key = _key(f"{tags['s']}._domainkey.{tags['d']}")
        below = _signed(headers[at + 1 :], tags.get("h"))
    except _Verdict as verdict:
        return str(verdict)
    if not _speaks_for(tags["d"], responsible_domain(message) or ""):
        return BAD
    data = domainkeys.canonical_content(below, message.body_block, tags.get("c", "simple"))
    return GOOD if key.verifies(made, data, "sha1") else BAD


def _tags(value: bytes) -> dict[str, str]:
    try:
        found = parse_tag_value(value)
    except InvalidTagValueList:
        raise _Verdict(MALFORMED) from None
    tags = {name.decode("latin-1"): text.decode("latin-1").strip() for name, text in found.items()}
    if not all(tags.get(tag) for tag in ("b", "d", "s")):
        raise _Verdict(MALFORMED)
    if tags.get("a", "rsa-sha1") != "rsa-sha1":
        raise _Verdict(MALFORMED)
    if tags.get("c", "simple") not in domainkeys.CANONICAL:
        raise _Verdict(MALFORMED)
    if tags.get("q", "dns") != "dns":
        raise _Verdict("bad (unsupported query type)")
    return tags


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _Verdict(MALFORMED) from None


def _key(name: str) -> KeyRecord:
    try:
        answers = wait(current().ports.dns.lookup(name, "TXT"))
    except PortError as error:
        raise _Verdict("bad (no key)" if error.code in ABSENT_CODES else ERROR) from None
    if not answers:
        raise _Verdict("bad (no key)")
    try:
        record = parse_record(answers[0].text)
    except BadKey as error:
        kind = str(error) == "unknown key type"
        raise _Verdict("bad (key type)" if kind else "bad (public key)") from None
    if record.kind != "rsa":
        raise _Verdict("bad (key type)")
    if record.key is None:
        raise _Verdict("bad (key revoked)")
    return record


def _signed(below: list[Header], listed: str | None) -> list[Header]:
    """The fields the signature covers: those below it, only the listed ones where there is a list."""
    if listed is None:
        return below
    wanted = {name.strip().lower() for name in listed.split(":")}
    return [one for one in below if one[0].rstrip().lower().decode("latin-1") in wanted]


def _speaks_for(domain: str, sender: str) -> bool:
    """Whether a signature of `domain` may stand for mail of `sender`: the same, or a domain above it."""
    signer, wanted = domain.lower(), sender.lower()
    return wanted == signer or wanted.endswith("." + signer)
