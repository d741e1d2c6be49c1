"""DNS by dnspython's asyncio resolver, behind a cache that keeps answers for their time to live.

A cached answer is returned at once, without a switch to the event loop; equal questions under way are
asked once. Failures of the name (NXDOMAIN, NODATA) are kept as RFC 2308 section 5 says, failures of
servers are not kept.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.reversename
from dns.nameserver import Do53Nameserver
from dns.rdata import Rdata
from dns.rdatatype import RdataType

from msys.lua.bytestr import to_bytes, to_str
from msys.ports import DnsAnswer, PortError

CACHE_MAX = 10_000  # chosen: names with answers, about 1 KB each
NEGATIVE_TTL_S = 60.0  # when the zone's SOA does not say
NEGATIVE_TTL_MAX_S = 10_800.0  # RFC 2308 section 5: at most three hours
TTL_MAX_S = 86_400.0

Key = tuple[str, str, str | None]


def _host(name: dns.name.Name) -> str:
    text = name.to_text(omit_final_dot=name != dns.name.root)
    return str(text)


# rtype -> one record as (text, preference); types not named here are shown in zone file form
TEXT: dict[RdataType, Callable[[Rdata], DnsAnswer]] = {
    RdataType.MX: lambda r: DnsAnswer(_host(r.exchange), r.preference),  # type: ignore[attr-defined]
    RdataType.TXT: lambda r: DnsAnswer(to_str(b"".join(r.strings))),  # type: ignore[attr-defined]
    RdataType.PTR: lambda r: DnsAnswer(_host(r.target)),  # type: ignore[attr-defined]
    RdataType.NS: lambda r: DnsAnswer(_host(r.target)),  # type: ignore[attr-defined]
    RdataType.CNAME: lambda r: DnsAnswer(_host(r.target)),  # type: ignore[attr-defined]
}


@dataclass(frozen=True, slots=True)
class _Kept:
    answers: tuple[DnsAnswer, ...]
    failure: tuple[str, str] | None  # code and text of a PortError
    until: float
    secure: bool = False  # validated by DNSSEC, says a resolver that is trusted to
    canonical: str = ""  # the name after all aliases

    def give(self) -> tuple[DnsAnswer, ...]:
        if self.failure is not None:
            raise PortError(*self.failure)
        return self.answers


class Proof(NamedTuple):
    """An answer, or that there is none, and whether DNSSEC vouches for that."""

    answers: tuple[DnsAnswer, ...]
    secure: bool
    canonical: str = ""  # the name after all aliases, without the final dot
    failure: str = ""  # NXDOMAIN, NODATA, SERVFAIL, TIMEOUT …; empty: none


@dataclass(slots=True)
class Statistics:
    """What `dns_cache stats` shows."""

    lookups: int = 0
    hits: int = 0
    queries: int = 0
    failures: int = 0


def nameserver(text: str) -> Do53Nameserver:
    """`127.0.0.1`, `127.0.0.1:5353`, `::1` or `[::1]:5353`. ValueError when it is none of them."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    return Do53Nameserver(str(ip_address(host)), int(port))


def servers_in(resolv_conf: str) -> list[str]:
    """The name servers a file lists; none when it cannot be read."""
    resolver = dns.resolver.Resolver(configure=False)
    try:
        resolver.read_resolv_conf(resolv_conf)
    except (dns.resolver.NoResolverConfiguration, OSError, UnicodeError):
        return []
    return [str(server) for server in resolver.nameservers]


def question(name: str, rtype: str) -> tuple[dns.name.Name, RdataType]:
    """The name and type to ask for; PTR takes an address as well. PortError FORMERR for neither."""
    try:
        kind = dns.rdatatype.from_text(rtype)
        if kind is RdataType.PTR:
            try:
                return dns.reversename.from_address(name), kind
            except dns.exception.SyntaxError:
                pass
        text = to_bytes(name).decode("utf-8")
        return dns.name.from_text(text), kind
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise PortError("FORMERR", f"{name} {rtype}: {error}") from None


class Resolver:
    """The Dns port.

    nameservers: `address` or `address:port`; empty: those of `resolv_conf`. now: monotonic seconds. trusted: their
    word that an answer was validated counts (the AD bit), None: when all of them are on this machine; otherwise
    nothing is ever `secure`.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        *,
        now: Callable[[], float],
        resolv_conf: str = "/etc/resolv.conf",
        timeout_s: float = 5.0,
        lifetime_s: float = 15.0,
        trusted: bool | None = None,
    ) -> None:
        servers = list(nameservers) or servers_in(resolv_conf)
        self.trusted = _all_here(servers) if trusted is None else trusted
        self.servers = ", ".join(servers)
        self._now = now
        self._timeout_s = timeout_s
        self._lifetime_s = lifetime_s
        self._resolv_conf = resolv_conf
        self._default = self._resolver(nameservers)
        self._others: dict[str, dns.asyncresolver.Resolver] = {}
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._asking: dict[Key, asyncio.Future[_Kept]] = {}
        self.statistics = Statistics()

    def lookup(
        self, name: str, rtype: str, server: str | None = None
    ) -> Sequence[DnsAnswer] | Awaitable[Sequence[DnsAnswer]]:
        key = (name.lower().rstrip("."), rtype.upper(), server)
        kept = self._cached(key)
        return self._asked(key) if kept is None else kept.give()

    async def prove(self, name: str, rtype: str) -> Proof:
        """The same with what DNSSEC says of it, absence included. Never raises for what DNS says."""
        key = (name.lower().rstrip("."), rtype.upper(), None)
        kept = self._cached(key) or await self._ask_once(key)
        failure = kept.failure[0] if kept.failure is not None else ""
        return Proof(kept.answers, kept.secure, kept.canonical, failure)

    def _cached(self, key: Key) -> _Kept | None:
        self.statistics.lookups += 1
        kept = self._kept.get(key)
        if kept is not None:
            if kept.until > self._now():
                self.statistics.hits += 1
                self._kept.move_to_end(key)
                return kept
            del self._kept[key]
        return None

    async def _asked(self, key: Key) -> Sequence[DnsAnswer]:
        return (await self._ask_once(key)).give()

    def flush(self) -> None:
        self._kept.clear()

    async def _ask_once(self, key: Key) -> _Kept:
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(key))
            self._asking[key] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        # A session that goes away must not take the answer from the others that wait for it.
        return await asyncio.shield(asking)

    async def _ask(self, key: Key) -> _Kept:
        name, rtype, server = key
        self.statistics.queries += 1
        try:
            qname, kind = question(name, rtype)
            answer = await self._for(server).resolve(
                qname, kind, raise_on_no_answer=False, search=False
            )
        except PortError as error:
            return _Kept((), (error.code, str(error)), 0.0)
        except dns.resolver.NXDOMAIN as error:
            return self._keep_failure(
                key, "NXDOMAIN", _negative_ttl_s(error), all(map(self._secure, _responses(error)))
            )
        except dns.resolver.NoNameservers as error:
            code = _server_failure(error)
        except dns.exception.Timeout:
            code = "TIMEOUT"
        except dns.resolver.YXDOMAIN:
            code = "YXDOMAIN"
        except (dns.exception.DNSException, OSError):
            code = "SERVFAIL"
        else:
            if answer.rrset is None:
                ttl_s = _soa_ttl_s(answer.response)
                return self._keep_failure(key, "NODATA", ttl_s, self._secure(answer.response))
            text = TEXT.get(kind, lambda record: DnsAnswer(record.to_text()))
            found = sorted(map(text, answer.rrset), key=lambda one: one.preference or 0)
            ttl_s = min(float(answer.rrset.ttl), TTL_MAX_S)
            secure, canonical = self._secure(answer.response), _host(answer.canonical_name)
            until = self._now() + ttl_s
            return self._keep(key, _Kept(tuple(found), None, until, secure, canonical))
        self.statistics.failures += 1
        return _Kept((), (code, f"{name} {rtype}: {code}"), 0.0)

    def _keep_failure(self, key: Key, code: str, ttl_s: float, secure: bool) -> _Kept:
        failure = (code, f"{key[0]} {key[1]}: {code}")
        until = self._now() + min(ttl_s, NEGATIVE_TTL_MAX_S)
        return self._keep(key, _Kept((), failure, until, secure))

    def _secure(self, response: dns.message.Message) -> bool:
        return self.trusted and bool(response.flags & dns.flags.AD)

    def _keep(self, key: Key, kept: _Kept) -> _Kept:
        self._kept[key] = kept
        while len(self._kept) > CACHE_MAX:
            self._kept.popitem(last=False)
        return kept

    def _for(self, server: str | None) -> dns.asyncresolver.Resolver:
        if server is None:
            return self._default
        found = self._others.get(server)
        if found is None:
            try:
                found = self._others[server] = self._resolver([server])
            except ValueError as error:
                raise PortError("FORMERR", f"DNS server '{server}': {error}") from None
        return found

    def _resolver(self, nameservers: Sequence[str]) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=False)
        if nameservers:
            resolver.nameservers = [nameserver(text) for text in nameservers]
        else:
            # Without any, every question is answered with SERVFAIL; checking the configuration tells.
            resolver.nameservers = list(servers_in(self._resolv_conf))
        if self.trusted:
            resolver.set_flags(
                dns.flags.RD | dns.flags.AD
            )  # asks for the AD bit: RFC 6840 section 5.7
        resolver.timeout = self._timeout_s
        resolver.lifetime = self._lifetime_s
        return resolver


def _all_here(servers: Sequence[str]) -> bool:
    """Whether answers cannot be changed on their way: RFC 7672 section 2.1.1 wants a local resolver."""
    return bool(servers) and all(ip_address(nameserver(one).address).is_loopback for one in servers)


def _server_failure(error: dns.resolver.NoNameservers) -> str:
    """The code of the last server that answered; SERVFAIL when none did."""
    for *_, response in reversed(error.kwargs.get("errors", [])):
        if isinstance(response, dns.message.Message):
            return str(dns.rcode.to_text(response.rcode()))
    return "SERVFAIL"


def _negative_ttl_s(error: dns.resolver.NXDOMAIN) -> float:
    return min((_soa_ttl_s(response) for response in _responses(error)), default=NEGATIVE_TTL_S)


def _responses(error: dns.resolver.NXDOMAIN) -> Collection[dns.message.Message]:
    return list((error.kwargs.get("responses") or {}).values())


def _soa_ttl_s(response: dns.message.Message) -> float:
    """RFC 2308 section 5: the lesser of the SOA's own time to live and its minimum."""
    for rrset in response.authority:
        if rrset.rdtype is RdataType.SOA:
            return float(min(rrset.ttl, rrset[0].minimum))
    return NEGATIVE_TTL_S
