"""TLS towards receiving hosts: contexts made once for each set of options.

Without verification TLS still hides mail from onlookers; that is Momentum's default, and what most mail hosts'
certificates allow.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Protocol


class TlsOptions(Protocol):
    """The options of a queue that matter here."""

    @property
    def tls_verify(self) -> str: ...
    @property
    def tls_ca(self) -> str: ...
    @property
    def tls_certificate(self) -> str: ...
    @property
    def tls_key(self) -> str: ...
    @property
    def tls_ciphers(self) -> str: ...


def context_for(options: TlsOptions) -> ssl.SSLContext:
    """The context for a connection. Raises OSError or ssl.SSLError when its files can't be used."""
    return _context(
        options.tls_verify,
        options.tls_ca,
        options.tls_certificate,
        options.tls_key,
        options.tls_ciphers,
    )


@lru_cache(maxsize=256)
def _context(verify: str, ca: str, certificate: str, key: str, ciphers: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca or None)
    context.check_hostname = verify == "host"
    context.verify_mode = ssl.CERT_REQUIRED if verify in ("ca", "host") else ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None)
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def forget_contexts() -> None:
    """Read certificates and keys anew for the next connections."""
    _context.cache_clear()
