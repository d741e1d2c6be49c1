"""What a finished TLS handshake says, as connection keys of policy."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

_SUBJECT = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}


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
