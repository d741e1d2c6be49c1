"""TLS of a listener: the context its options ask for, and what a finished handshake tells policy."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_SUBJECT = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}


VERSIONS = {
    "TLSV1.0": ssl.TLSVersion.TLSv1,
    "TLSV1.1": ssl.TLSVersion.TLSv1_1,
    "TLSV1.2": ssl.TLSVersion.TLSv1_2,
    "TLSV1.3": ssl.TLSVersion.TLSv1_3,
}
OLDEST = ssl.TLSVersion.TLSv1_2  # unless a configuration names an older one: RFC 8996
GONE = frozenset(("SSLV2", "SSLV3"))  # known to Momentum, no longer to OpenSSL


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """What a configuration says of one context. Paths are of PEM files."""

    certificate: str
    key: str = ""  # empty: in the same file
    client_ca: str = ""
    verify_mode: str = ""  # none, require; empty: ask when client_ca names issuers
    ciphers: str = ""  # of TLS up to 1.2, in OpenSSL's words
    protocols: str = ""  # `+TLSv1.2:+TLSv1.3`; empty: 1.2 and newer


def server_context(options: TlsOptions) -> ssl.SSLContext:
    """The context. OSError (of which ssl.SSLError is one) or ValueError says what is wrong with the options."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = version_range(options.protocols)
    context.options |= ssl.OP_NO_RENEGOTIATION  # costs the server more than the client
    if options.ciphers:
        context.set_ciphers(options.ciphers)
    context.load_cert_chain(options.certificate, options.key or None)
    if options.verify_mode == "none":
        return context
    if options.client_ca:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    if options.verify_mode == "require":
        if not options.client_ca:
            raise ValueError(
                "certificates of clients are required, and TLS_Client_CA names no issuers"
            )
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def version_range(protocols: str) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """Oldest and newest version. ValueError: not understood, none left, or one in between left out.

    `+ALL` is what Python's library still speaks safely: 1.2 and newer. An older one must be named.
    """
    every = list(VERSIONS.values())
    chosen = {version for version in every if version >= OLDEST} if not protocols else set()
    for word in protocols.split(":"):
        name = word.strip().lstrip("+-").upper()
        if name == "ALL":
            named = {version for version in every if version >= OLDEST}
        elif name in GONE or not name:
            named = set()
        elif name in VERSIONS:
            named = {VERSIONS[name]}
        else:
            raise ValueError(f"`{word}` is no version of TLS; known: {', '.join(VERSIONS)}")
        chosen = chosen - named if word.strip().startswith("-") else chosen | named
    if not chosen:
        raise ValueError(f"`{protocols}` leaves no version of TLS")
    oldest, newest = min(chosen), max(chosen)
    if {version for version in every if oldest <= version <= newest} != chosen:
        raise ValueError(f"`{protocols}` leaves out a version between two others")
    return oldest, newest


def connection_keys(tls: ssl.SSLObject | ssl.SSLSocket) -> dict[str, str]:
    """`tls`, the cipher, and the client's certificate when it showed one."""
    keys = {"tls": "on"}
    cipher = tls.cipher()
    if cipher is not None:
        name, _protocol, bits = cipher
        keys["tls_cipher"] = name
        keys["tls_cipher_usebits"] = keys["tls_cipher_algbits"] = str(bits)
    certificate = tls.getpeercert()
    if certificate:  # empty unless the context verifies client certificates
        for whose in ("subject", "issuer"):
            names = certificate.get(whose, ())
            keys[f"tls_client_cert_{whose}"] = distinguished(names)
            common = [value for name, value in _pairs(names) if name == "commonName"]
            if common:
                keys[f"tls_client_cert_{whose}_cn"] = common[0]
        keys["tls_client_verified"] = "yes"
    return keys


def distinguished(names: Any) -> str:
    """`/O=Example/CN=mail.example`."""
    return "".join(f"/{_SUBJECT.get(name, name)}={value}" for name, value in _pairs(names))


def _pairs(names: Any) -> Iterable[tuple[str, str]]:
    for relative in names:
        yield from relative
