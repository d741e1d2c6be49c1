"""TLS towards receiving hosts: contexts made once for each set of options, and the check of what a host showed.

Without verification TLS still hides mail from onlookers; that is Momentum's default, and what most mail hosts'
certificates allow.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from moonpost.outbound import dane
from moonpost.outbound.security import CA, DANE, HOST, Security
from moonpost.tls import version_range


class TlsFiles(Protocol):
    """The options of a queue that matter here."""

    @property
    def tls_ca(self) -> str: ...
    @property
    def tls_certificate(self) -> str: ...
    @property
    def tls_key(self) -> str: ...
    @property
    def tls_ciphers(self) -> str: ...
    @property
    def tls_protocols(self) -> str: ...


def context_for(options: TlsFiles, security: Security) -> ssl.SSLContext:
    """The context for a connection. Raises OSError or ssl.SSLError when its files can't be used."""
    return _context(
        security.verify in (CA, HOST),
        options.tls_ca,
        options.tls_certificate,
        options.tls_key,
        options.tls_ciphers,
        options.tls_protocols,
    )


@lru_cache(maxsize=256)
def _context(
    verified: bool, ca: str, certificate: str, key: str, ciphers: str, protocols: str
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca or None)
    context.check_hostname = False  # `objection` does it: one of several names may fit
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None)
    if ciphers:
        context.set_ciphers(ciphers)
    if protocols:
        context.minimum_version, context.maximum_version = version_range(protocols)
    return context


def forget_contexts() -> None:
    """Read certificates and keys anew for the next connections."""
    _context.cache_clear()


def objection(security: Security, tls: Any) -> str:
    """Why a handshake that succeeded is not good enough; empty: it is. tls: ssl.SSLObject."""
    if security.verify == HOST and not any(
        _is_for(name, tls.getpeercert() or {}) for name in security.names
    ):
        return f"{security.by}: the certificate is not for {' or '.join(security.names)}"
    if security.verify == DANE:
        return dane.objection(security.tlsa, _chain(tls), security.names, datetime.now(UTC))
    return ""


def _is_for(name: str, certificate: Mapping[str, Any]) -> bool:
    """RFC 6125: the names of subjectAltName; the common name only where there are none."""
    wanted = name.lower().rstrip(".")
    alternatives = certificate.get("subjectAltName", ())
    names = [text for kind, text in alternatives if kind in ("DNS", "IP Address")]
    if not names:
        subject = certificate.get("subject", ())
        names = [text for part in subject for kind, text in part if kind == "commonName"]
    return any(_fits(text.lower(), wanted) for text in names)


def _fits(pattern: str, name: str) -> bool:
    """`*` stands for the whole first label, and for nothing else."""
    if not pattern.startswith("*."):
        return pattern == name
    label, _, rest = name.partition(".")
    return bool(label) and "." in rest and rest == pattern[2:]


def _chain(tls: Any) -> list[bytes]:
    """What the host showed, DER, its own certificate first. Public in Python from 3.13 on."""
    if hasattr(tls, "get_unverified_chain"):
        return list(tls.get_unverified_chain())
    shown: Iterable[Any] = tls._sslobj.get_unverified_chain() or ()
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in shown]
