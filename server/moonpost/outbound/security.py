"""What TLS has to be on one connection, and who says so: options, the MTA-STS policy of the domain, or DANE.

Pure. The stricter of options and MTA-STS counts; where DANE speaks, it alone decides (RFC 8461 section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from moonpost.outbound.dane import Tlsa
from moonpost.outbound.letters import IF_AVAILABLE, NO, REQUIRED
from moonpost.outbound.mta_sts import ENFORCE, TESTING, Policy

STRICTNESS = (NO, IF_AVAILABLE, REQUIRED)
CA, HOST, OPTIONAL, DANE = "ca", "host", "optional", "dane"  # what is verified, beside NO


class TlsOptions(Protocol):
    """The options of a queue that matter here."""

    @property
    def tls(self) -> str: ...
    @property
    def tls_fallback(self) -> bool: ...
    @property
    def tls_verify(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Security:
    """How a connection is protected."""

    tls: str = NO  # NO, IF_AVAILABLE, REQUIRED
    verify: str = NO  # NO, CA, HOST, OPTIONAL (whatever it says, mail goes) or DANE
    fallback: bool = True  # plain text when TLS was offered and failed
    names: tuple[str, ...] = ()  # the certificate must be for one of them; the first is asked for
    tlsa: tuple[Tlsa, ...] = ()
    by: str = "options"

    def in_the_clear(self) -> Security:
        """The same after TLS failed and may be done without."""
        return Security(names=self.names)


def of_options(options: TlsOptions, host: str, domain: str) -> Security:
    """What the options say. A certificate may be for the host or for the domain, as in Momentum."""
    return Security(options.tls, options.tls_verify, options.tls_fallback, (host, domain))


def with_policy(security: Security, policy: Policy | None, host: str) -> Security:
    """The stricter of options and MTA-STS policy."""
    if policy is not None and policy.mode == ENFORCE:
        return Security(REQUIRED, HOST, False, (host,), by="MTA-STS")
    if policy is not None and policy.mode == TESTING:
        tls = max(security.tls, IF_AVAILABLE, key=STRICTNESS.index)
        verify = security.verify if security.verify in (CA, HOST) else OPTIONAL
        return Security(tls, verify, security.fallback, security.names)
    return security


def with_records(records: tuple[Tlsa, ...], base: str, host: str, domain: str) -> Security:
    """DANE: TLSA records were found, and are true.

    records: those that can be checked; without any, TLS is required and nothing is verified (RFC 7672 section 2.2).
    """
    names = tuple(dict.fromkeys((base, host, domain)))
    return Security(REQUIRED, DANE if records else NO, False, names, records, "DANE")
