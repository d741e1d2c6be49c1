"""From a routing domain to the hosts that take its mail.

The static route for everything first, then routes, then an address literal, then MX by RFC 5321 section 5.1 with its
fallback to the address of the domain itself, and the null MX of RFC 7505. DNS is injected and does its own caching;
nothing is kept here but failure counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.queue.hosts import Host
from moonpost.queue.options import QueueOptions
from msys.ports import Dns, DnsAnswer, PortError

MAX_HOSTS = 30  # chosen: more MX hosts than anybody tries in one go
MAX_ADDRESSES = 30  # chosen: the same for the addresses of one host
NO_SUCH_RECORD = ("NXDOMAIN", "NODATA")

LOOKUP_FAILED = "554 5.4.4 [internal] Domain Lookup Failed"
NO_HOSTS = "454 4.4.4 [internal] no MX or A for domain"
NULL_MX = "550 5.4.4 [internal] NULL MX domain does not accept mail"
PROHIBITED = "551 5.4.6 [internal] Private/Loopback Address"
LOOPS = "554 5.4.6 [internal] mail for this domain loops back to this server"
BAD_ROUTE = "454 4.4.4 [internal] no usable route"


class NoRoute(Exception):
    """Nobody takes this domain's mail; `outcome` says for now or for good."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        fate = Fate.FAILED if text.startswith("5") else Fate.DEFERRED
        self.outcome = Outcome(fate, int(text[:3]), text, Stage.NOT_CONNECTED)


class Router:
    """Finds hosts; remembers how often a domain could not be looked up."""

    def __init__(
        self,
        dns: Dns,
        static_route: Callable[[], str] = lambda: "",
        is_ours: Callable[[str, int], bool] = lambda _address, _port: False,
    ) -> None:
        """static_route: `address:port` that everything goes to, or empty. is_ours: whether we listen there."""
        self._dns, self._static_route, self._is_ours = dns, static_route, is_ours
        self._failures: dict[str, int] = {}  # lookups in a row that found nothing, by domain
        self._mx_failures: dict[str, int] = {}

    async def hosts(self, domain: str, options: QueueOptions) -> list[Host]:
        """The hosts of a routing domain, best first. Raises NoRoute."""
        static = self._static_route()
        try:
            if static:
                found = [_static(static, options.port)]
            elif options.routes:
                found = await self._routed(domain, options)
            else:
                found = await self._by_mx(domain, options, options.port)
        except PortError as error:
            raise self._failed(domain, error.code, options) from error
        if not found:
            raise self._failed(domain, "NODATA", options)
        self.forget(domain)
        allowed = [host for host in found if not _within(host.address, options.prohibited_hosts)]
        if not allowed:
            raise NoRoute(PROHIBITED)
        return allowed

    def forget(self, domain: str) -> None:
        """Start counting failures anew."""
        self._failures.pop(domain, None)
        self._mx_failures.pop(domain, None)

    def failures(self, domain: str) -> int:
        """Lookups in a row that found nothing."""
        return self._failures.get(domain, 0)

    def _failed(self, domain: str, code: str, options: QueueOptions) -> NoRoute:
        if code not in NO_SUCH_RECORD:  # a nameserver that can't answer says nothing about the name
            return NoRoute(f"{NO_HOSTS}: {code}")
        failures = self._failures[domain] = self._failures.get(domain, 0) + 1
        if 0 < options.dns_failures_to_purge <= failures:
            self.forget(domain)
            return NoRoute(LOOKUP_FAILED)
        return NoRoute(NO_HOSTS)

    async def _routed(self, domain: str, options: QueueOptions) -> list[Host]:
        found: list[Host] = []
        for position, route in enumerate(options.routes):
            if route == "__mx__":
                hosts = await self._by_mx(domain, options, options.port)
                found += [host._replace(preference=position) for host in hosts]
                continue
            parts = urlsplit(route if "://" in route else f"smtp://{_bracketed(route)}")
            if parts.scheme not in ("smtp", "lmtp") or not parts.hostname:
                raise NoRoute(f"{BAD_ROUTE}: {route}")
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            port = int(query.get("port", options.port))
            if query.get("type") == "mx":
                hosts = await self._by_mx(parts.hostname, options, port)
            else:
                hosts = await self._addresses(parts.hostname, options, port, 0)
            preference = int(query.get("pref", position))
            found += [host._replace(preference=preference) for host in hosts]
        return sorted(found, key=lambda host: host.preference)

    async def _by_mx(self, domain: str, options: QueueOptions, port: int) -> list[Host]:
        literal = _literal(domain)
        if literal:
            return [Host(literal, literal, port)]
        try:
            answers = await _answer(self._dns.lookup(domain, "MX"))
            self._mx_failures.pop(domain, None)
        except PortError as error:
            if error.code == "NXDOMAIN":
                raise
            if error.code not in NO_SUCH_RECORD and not self._enough_mx_failures(domain, options):
                raise
            return self._better_than_us(await self._addresses(domain, options, port, 0))
        if [answer.text.rstrip(".") for answer in answers] == [""]:
            raise NoRoute(NULL_MX)
        named = [answer for answer in answers if answer.text.rstrip(".")][:MAX_HOSTS]
        groups = await asyncio.gather(
            *(self._mx_addresses(answer, options, port) for answer in named)
        )
        found = [host for hosts, _ in groups for host in hosts]
        failures = [error for _, error in groups if error and error.code not in NO_SUCH_RECORD]
        if failures and not found:
            raise failures[0]
        return self._better_than_us(found)

    def _better_than_us(self, hosts: list[Host]) -> list[Host]:
        """RFC 5321 section 5.1: who is an MX host itself hands mail to better ones only. Raises NoRoute."""
        ours = [host.preference for host in hosts if self._is_ours(host.address, host.port)]
        better = [host for host in hosts if not ours or host.preference < min(ours)]
        if hosts and not better:
            raise NoRoute(LOOPS)
        return better

    def _enough_mx_failures(self, domain: str, options: QueueOptions) -> bool:
        failures = self._mx_failures[domain] = self._mx_failures.get(domain, 0) + 1
        fallback = options.mx_failures_fallback_to_a
        return failures > 1 if fallback < 0 else failures > fallback

    async def _mx_addresses(
        self, answer: DnsAnswer, options: QueueOptions, port: int
    ) -> tuple[list[Host], PortError | None]:
        try:
            return await self._addresses(answer.text, options, port, answer.preference or 0), None
        except PortError as error:
            return [], error  # the other hosts of the domain may be there

    async def _addresses(
        self, name: str, options: QueueOptions, port: int, preference: int
    ) -> list[Host]:
        literal = _literal(name)
        if literal:
            return [Host(literal, literal, port, preference)]
        found: Sequence[DnsAnswer] = ()
        failure: PortError | None = None
        for rtype in ("A", "AAAA") if options.use_ipv6 else ("A",):
            try:
                found = [*found, *await _answer(self._dns.lookup(name, rtype))]
            except PortError as error:
                failure = error
        if not found and failure is not None:
            raise failure
        return [
            Host(name.rstrip("."), answer.text, port, preference)
            for answer in found[:MAX_ADDRESSES]
            if _reachable(answer.text)
        ]


async def _answer(later: Sequence[DnsAnswer] | Awaitable[Sequence[DnsAnswer]]) -> Any:
    return await later if isawaitable(later) else later


def _bracketed(host: str) -> str:
    """An IPv6 address as a URL wants it."""
    bare = host.partition("?")[0]
    return f"[{host}]" if bare.count(":") > 1 and not host.startswith("[") else host


def _static(target: str, port: int) -> Host:
    """The host in `1.2.3.4:1234`, `[::1]:1234` or an address alone. Raises NoRoute."""
    address = _literal(target)
    if not address:
        place, _, given = target.rpartition(":")
        address = _literal(place)
        if not address or not given.isdigit():
            raise NoRoute(f"{BAD_ROUTE}: static_routes target {target!r}")
        port = int(given)
    return Host(address, address, port)


def _literal(domain: str) -> str:
    """The address in `10.0.0.1`, `[10.0.0.1]` or `[IPv6:::1]`; empty for a name."""
    text = domain[1:-1] if domain.startswith("[") and domain.endswith("]") else domain
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _within(address: str, networks: Sequence[str]) -> bool:
    found = _plain(address)
    return any(found in ip_network(network, strict=False) for network in networks)


def _plain(address: str) -> IPv4Address | IPv6Address:
    """An address; one of IPv4 that is dressed up as IPv6 is that of IPv4."""
    found = ip_address(address)
    return getattr(found, "ipv4_mapped", None) or found


def _reachable(address: str) -> bool:
    """Whether there can be a host: 0.0.0.0 in DNS would be this machine, a group of hosts is none."""
    found = _plain(address)
    return not (found.is_unspecified or found.is_multicast)
