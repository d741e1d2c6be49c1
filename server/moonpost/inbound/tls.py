"""TLS of a listener: the context its options ask for, and what a finished handshake tells policy."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moonpost.tls import version_range

_SUBJECT = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}


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
