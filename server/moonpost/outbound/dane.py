"""TLSA records and what they say about a certificate: DANE for SMTP, RFC 7672 over RFC 6698.

Pure: records as text and certificates as DER come in. Whether DNS told the truth is found out elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

TRUST_ANCHOR, END_ENTITY = (
    2,
    3,
)  # certificate usages; RFC 7672 section 3.1.3 rules the PKIX ones, 0 and 1, out
CERTIFICATE, PUBLIC_KEY = 0, 1  # selectors

MATCHED: Mapping[int, Callable[[bytes], bytes]] = {  # matching type -> what is compared
    0: lambda data: data,
    1: lambda data: hashlib.sha256(data).digest(),
    2: lambda data: hashlib.sha512(data).digest(),
}


class Tlsa(NamedTuple):
    """One TLSA record."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def usable(self) -> bool:
        """Whether we can check it: RFC 7672 section 3.1."""
        return (
            self.usage in (TRUST_ANCHOR, END_ENTITY)
            and self.selector in (CERTIFICATE, PUBLIC_KEY)
            and self.matching in MATCHED
            and bool(self.data)
        )

    def fits(self, certificate: bytes) -> bool:
        """Whether the record stands for this certificate (DER)."""
        try:
            part = certificate if self.selector == CERTIFICATE else _public_key(certificate)
        except ValueError:
            return False
        return hmac.compare_digest(MATCHED[self.matching](part), self.data)


def read(text: str) -> Tlsa | None:
    """A record in zone file form, `3 1 1 2bb1…`; None when it is none."""
    words = text.split(None, 3)
    try:
        usage, selector, matching = (int(word) for word in words[:3])
        return Tlsa(usage, selector, matching, bytes.fromhex("".join(words[3].split())))
    except (ValueError, IndexError):
        return None


def usable(texts: Iterable[str]) -> tuple[Tlsa, ...]:
    """The records among these that can be checked."""
    return tuple(found for found in map(read, texts) if found is not None and found.usable)


def objection(
    records: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str], now: datetime
) -> str:
    """Why a server is not the one the records speak of; empty: it is.

    chain: what it showed, its own certificate first (DER). names: one of them must be in the certificate when a record
    names an authority; a record that names the certificate itself needs neither name nor date (section 3.1.1).
    """
    if not chain:
        return "DANE: the host showed no certificate"
    if any(one.usage == END_ENTITY and one.fits(chain[0]) for one in records):
        return ""
    anchors = [
        certificate
        for certificate in chain[1:]
        if any(one.usage == TRUST_ANCHOR and one.fits(certificate) for one in records)
    ]
    if not anchors:
        return "DANE: no TLSA record fits what the host showed"
    return _unanchored(chain, anchors, names, now)


def _unanchored(
    chain: Sequence[bytes], anchors: Sequence[bytes], names: Sequence[str], now: datetime
) -> str:
    why = "no name to check"
    try:
        own, *others = map(x509.load_der_x509_certificate, chain)
        store = Store([x509.load_der_x509_certificate(anchor) for anchor in anchors])
        builder = PolicyBuilder().store(store).time(now)
        for name in names:
            try:
                builder.build_server_verifier(x509.DNSName(name)).verify(own, others)
            except VerificationError as error:
                why = str(error)
            else:
                return ""
    except ValueError as error:
        why = str(error)
    return f"DANE: the certificate does not lead to the authority in TLSA: {why}"


def _public_key(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
