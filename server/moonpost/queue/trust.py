"""How a connection to a host has to be protected: asks MTA-STS and DANE where the options want it.

What the answers mean is decided in `moonpost.outbound.security` and `.dane`; here they are fetched, in the order of
RFC 7672 section 2.2.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from moonpost.outbound import dane
from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.connection import ConnectionFailed
from moonpost.outbound.mta_sts import ENFORCE, Policy
from moonpost.outbound.security import Security, of_options, with_policy, with_records
from moonpost.queue.hosts import Host
from moonpost.queue.options import QueueOptions
from moonpost.queue.router import NoRoute
from msys.ports import DnsAnswer

log = logging.getLogger("moonpost.queue")

NOT_ALLOWED = "451 4.7.5 [internal] MTA-STS: the policy of the domain allows none of its MX hosts"
NOT_PROVED = "451 4.7.5 [internal] DANE: DNS can't be asked"
ABSENT = ("", "NXDOMAIN", "NODATA")  # failures that are answers


class Proof(Protocol):
    """What DNS said, and whether DNSSEC vouches for it."""

    @property
    def answers(self) -> Sequence[DnsAnswer]: ...
    @property
    def secure(self) -> bool: ...
    @property
    def canonical(self) -> str: ...
    @property
    def failure(self) -> str: ...


Prove = Callable[[str, str], Awaitable[Proof]]
PolicyOf = Callable[[str], Awaitable[Policy | None]]


class Trust:
    """Asks for what the options of a queue want.

    prove: DNS that knows about DNSSEC. policy_of: MTA-STS policies. None: nobody can be asked. no_dane: why not, said
    once, when somebody wants DANE.
    """

    def __init__(
        self, prove: Prove | None = None, policy_of: PolicyOf | None = None, no_dane: str = ""
    ) -> None:
        self._prove, self._policy_of, self._no_dane = prove, policy_of, no_dane

    async def policy(
        self, domain: str, hosts: Sequence[Host], options: QueueOptions
    ) -> Policy | None:
        """The MTA-STS policy that mail for this domain obeys on its way to these hosts.

        Hosts that are no names were not found in DNS: an operator sends mail there, whatever the domain wants.
        """
        if not options.mta_sts or options.routes or self._policy_of is None:
            return None
        if all(host.name == host.address for host in hosts):
            return None
        return await self._policy_of(domain)

    async def security(
        self, domain: str, host: Host, options: QueueOptions, policy: Policy | None
    ) -> Security:
        """How to connect to a host of a domain. Raises ConnectionFailed when that cannot be found out safely."""
        usual = with_policy(of_options(options, host.name, domain), policy, host.name)
        if not options.dane or options.routes:
            return usual
        if self._prove is None:
            if self._no_dane:
                log.error("DANE is off reason=%s; mail goes as the tls options say", self._no_dane)
                self._no_dane = ""
            return usual
        return await self._dane(self._prove, domain, host) or usual

    async def _dane(self, prove: Prove, domain: str, host: Host) -> Security | None:
        if host.name == host.address:
            return None
        if host.name != domain and not (await _asked(prove, domain, "MX")).secure:
            return None
        address = await _asked(prove, host.name, "AAAA" if ":" in host.address else "A")
        if not address.secure:
            return None
        for base in dict.fromkeys(name for name in (address.canonical, host.name) if name):
            found = await _asked(prove, f"_{host.port}._tcp.{base}", "TLSA")
            if found.secure and found.answers:
                records = dane.usable(answer.text for answer in found.answers)
                return with_records(records, base, host.name, domain)
        return None


async def _asked(prove: Prove, name: str, rtype: str) -> Proof:
    """The answer, or its absence. A failure of DNS may be somebody who keeps the answer from us."""
    found = await prove(name, rtype)
    if found.failure not in ABSENT:
        text = f"{NOT_PROVED}: {name} {rtype}: {found.failure}"
        raise ConnectionFailed(Outcome(Fate.DEFERRED, 451, text, Stage.AFTER_EHLO))
    return found


def allowed(hosts: Sequence[Host], policy: Policy | None) -> list[Host]:
    """The hosts that a policy lets us use. Raises NoRoute when there is none."""
    if policy is None or policy.mode != ENFORCE:
        return list(hosts)
    found = [host for host in hosts if policy.allows(host.name)]
    if not found:
        raise NoRoute(NOT_ALLOWED)
    return found
