"""Checking DKIM signatures (RFC 6376 section 6, RFC 8463), in libopendkim's words.

Keys come through the DNS port, so checking waits. Every signature of a message is examined. Short keys
are used all the same: policy may ask for their size.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from dkim.util import InvalidTagValueList, parse_tag_value

from msys.lua.bytestr import to_bytes
from msys.message import Message
from msys.opendkim import dkim as lib
from msys.ports import PortError, current, wait
from msys.validate import canonical
from msys.validate.keys import BadKey, KeyRecord, parse_record

SIGNATURES_MAX = 20  # chosen: more are not looked at; each costs a DNS question
HASH_OF = {"rsa-sha1": "sha1", "rsa-sha256": "sha256", "ed25519-sha256": "sha256"}
NEEDED = {  # tag -> what is said when it is missing, in the order it is looked for
    "a": "signature algorithm missing",
    "d": "domain tag missing",
    "s": "selector tag missing",
    "h": "header list missing",
    "bh": "body hash missing",
    "b": "signature data missing",
}
STATUS = {  # what is wrong -> DKIM_STAT; anything else is a syntax error
    "no signature error": lib.DKIM_STAT_OK,
    "signature verification failed": lib.DKIM_STAT_BADSIG,
    "signature expired": lib.DKIM_STAT_BADSIG,
    "signature timestamp in the future": lib.DKIM_STAT_BADSIG,
    "key not found in DNS": lib.DKIM_STAT_NOKEY,
    "key DNS query failed": lib.DKIM_STAT_KEYFAIL,
    "key revoked": lib.DKIM_STAT_REVOKED,
    "unable to apply public key": lib.DKIM_STAT_CANTVRFY,
    "key DNS reply corrupt": lib.DKIM_STAT_SYNTAX,
}
FUTURE_SLACK_S = 300  # libopendkim's default clock drift


@dataclass(slots=True)
class Signature:
    """One signature and what became of it."""

    tags: dict[str, str] = field(default_factory=dict)
    error: str = ""
    record: KeyRecord | None = None
    key_tried: bool = False

    @property
    def passed(self) -> bool:
        return self.error == "no signature error"

    @property
    def status(self) -> int:
        return STATUS.get(self.error, lib.DKIM_STAT_SYNTAX)

    @property
    def domain(self) -> str:
        return self.tags.get("d", "")

    @property
    def identity(self) -> str:
        return self.tags.get("i") or f"@{self.domain}"

    @property
    def canons(self) -> tuple[str, str]:
        """Header and body canonicalisation."""
        header, _, body = self.tags.get("c", "simple/simple").partition("/")
        return header, body or "simple"

    @property
    def signed_names(self) -> list[str]:
        return [name.strip().lower() for name in self.tags.get("h", "").split(":")]

    @property
    def flags(self) -> int:
        found = lib.DKIM_SIGFLAG_PROCESSED if self.key_tried else 0
        if self.passed:
            found |= lib.DKIM_SIGFLAG_PASSED
        if self.record is not None:
            found |= lib.DKIM_SIGFLAG_KEYLOADED
            found |= lib.DKIM_SIGFLAG_TESTKEY if self.record.testing else 0
            found |= lib.DKIM_SIGFLAG_NOSUBDOMAIN if self.record.exact_domain else 0
        return found


def verify(message: Message) -> list[Signature]:
    """Every signature of the message, from top to bottom, checked."""
    headers = canonical.headers_of(message.header_block)
    signatures = [header for header in headers if header[0].rstrip().lower() == b"dkim-signature"]
    return [_checked(headers, one, message.body_block) for one in signatures[:SIGNATURES_MAX]]


def _checked(headers: list[canonical.Header], header: canonical.Header, body: bytes) -> Signature:
    signature = Signature()
    signature.error = (
        _read(signature, header[1])
        or _find_key(signature)
        or _compare(signature, headers, header, body)
        or "no signature error"
    )
    return signature


def _read(signature: Signature, value: bytes) -> str:
    """Take the tags in; what is wrong with them, or an empty string."""
    try:
        tags = parse_tag_value(value)
    except InvalidTagValueList:
        return "signature data corrupt"
    signature.tags = {
        name.decode("latin-1"): content.decode("latin-1").strip() for name, content in tags.items()
    }
    found = signature.tags
    if found.get("v", "1") != "1":
        return "unsupported signature version"
    for tag, problem in NEEDED.items():
        if not found.get(tag):
            return problem
    if found["a"] not in HASH_OF:
        return "signature algorithm invalid"
    header_canon, body_canon = signature.canons
    if header_canon not in canonical.CANONICAL:
        return "invalid header canonicalization"
    if body_canon not in canonical.CANONICAL:
        return "invalid body canonicalization"
    if "from" not in signature.signed_names:
        return "header list missing required entries"
    if "q" in found and "dns/txt" not in found["q"].replace(" ", "").split(":"):
        return "query method invalid"
    if "l" in found and not found["l"].isdigit():
        return "body length value invalid"
    domain = signature.identity.rpartition("@")[2].lower()
    if domain != signature.domain.lower() and not domain.endswith("." + signature.domain.lower()):
        return "invalid domain coverage"
    return _time_problem(found)


def _time_problem(tags: dict[str, str]) -> str:
    made, until = tags.get("t", ""), tags.get("x", "")
    now = current().ports.clock.now()
    if made.isdigit() and until.isdigit() and int(until) < int(made):
        return "signature timestamp order error"
    if made.isdigit() and int(made) > now + FUTURE_SLACK_S:
        return "signature timestamp in the future"
    return "signature expired" if until.isdigit() and int(until) <= now else ""


def _find_key(signature: Signature) -> str:
    """Get the key from DNS and see whether it may be used for this signature."""
    name = f"{signature.tags['s']}._domainkey.{signature.domain}"
    signature.key_tried = True
    try:
        answers = wait(current().ports.dns.lookup(name, "TXT"))
    except PortError as error:
        missing = error.code in ("NXDOMAIN", "NODATA")
        return "key not found in DNS" if missing else "key DNS query failed"
    if not answers:
        return "key not found in DNS"
    if len(answers) > 1:
        return "multiple keys found"
    try:
        record = parse_record(answers[0].text)
    except BadKey as error:
        return str(error)
    if record.key is None:
        return "key revoked"
    signature.record = record
    algorithm = signature.tags["a"]
    if not algorithm.startswith(record.kind + "-"):
        return "unknown key type"
    if record.hashes and HASH_OF[algorithm] not in record.hashes:
        return "unknown key hash"
    if not record.services & {"*", "email"}:
        return "not an e-mail key"
    domain = signature.identity.rpartition("@")[2].lower()
    if record.exact_domain and domain != signature.domain.lower():
        return "unauthorized subdomain"
    return ""


def _compare(
    signature: Signature, headers: list[canonical.Header], header: canonical.Header, body: bytes
) -> str:
    """Compare hashes and signature."""
    tags, record = signature.tags, signature.record
    assert record is not None
    digest = HASH_OF[tags["a"]]
    header_canon, body_canon = signature.canons
    length = int(tags["l"]) if "l" in tags else None
    try:
        claimed = base64.b64decode("".join(tags["bh"].split()))
        made = base64.b64decode("".join(tags["b"].split()))
    except binascii.Error:
        return "signature data corrupt"
    if length is not None and length > len(canonical.canonical_body(body, body_canon)):
        return "body length value invalid"
    if canonical.body_hash(body, body_canon, digest, length) != claimed:
        return "signature verification failed"
    names = [to_bytes(name) for name in signature.signed_names]
    others = [one for one in headers if one is not header]
    data = canonical.signed_data(others, names, header_canon, header)
    return "" if record.verifies(made, data, digest) else "signature verification failed"
