"""Whether a host may send for a domain: check_host() of RFC 7208.

Asks the DNS port, so it waits. `senderid` uses the same with records of its own (RFC 4406).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from msys.ports import DnsAnswer, PortError, current, wait
from msys.validate.spf_terms import (
    EXPLANATION,
    Malformed,
    Record,
    Term,
    expanded,
    is_domain,
    parse,
    shortened,
)

LOOKUPS_MAX = 10  # terms that ask DNS: RFC 7208 section 4.6.4
VOID_MAX = 2  # answers without a record: the same section
HOSTS_MAX = 10  # hosts of one mx, names of one address: the same section
TIME_MAX_S = 20.0  # after it the outcome is temperror: the least the same section allows
VERSION = "v=spf1"
ABSENT_CODES = frozenset({"NXDOMAIN", "NODATA", "FORMERR", "YXDOMAIN"})
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Outcome:
    """none, neutral, pass, fail, softfail, temperror or permerror; which term said so; the domain's own words."""

    result: str
    mechanism: str = ""
    explanation: str = ""
    problem: str = ""  # what was wrong, for temperror and permerror


@dataclass(slots=True)
class Question:
    """Who asks to send for whom, and how much of the answer's budget is used up."""

    ip: Address
    sender: str  # local@domain
    helo: str
    receiver: str = "unknown"
    scope: str = (
        ""  # `mfrom` or `pra`: records of Sender ID for it come first (RFC 4406 section 4.4)
    )
    lookups: int = 0
    voids: int = 0
    validated: list[str] | None = None
    until: float = float("inf")  # monotonic seconds


class _Stop(Exception):
    """The check ends here: permerror or temperror, and why."""

    def __init__(self, result: str, problem: str) -> None:
        super().__init__(problem)
        self.result = result


def question(
    ip: Address, sender: str, helo: str, receiver: str = "unknown", scope: str = ""
) -> Question:
    """The question for one envelope sender; the empty one is postmaster at the HELO name (section 2.4)."""
    local, at, domain = sender.rpartition("@")
    whole = f"{local or 'postmaster'}@{domain}" if at else f"postmaster@{sender or helo}"
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return Question(mapped or ip, whole, helo, receiver, scope)


def check_host(asked: Question, *, default_rule: str = "") -> Outcome:
    """The outcome for the domain of the sender. default_rule: terms for a domain without a record."""
    domain = asked.sender.rpartition("@")[2]
    asked.until = current().ports.clock.monotonic() + TIME_MAX_S
    try:
        outcome = _check(asked, domain)
        if outcome.result == "none" and default_rule and is_domain(domain):
            outcome = _evaluate(asked, domain, _parsed(default_rule))
        return outcome
    except _Stop as stop:
        return Outcome(stop.result, problem=str(stop))


def _check(asked: Question, domain: str) -> Outcome:
    if not is_domain(domain) or not domain.isascii():
        return Outcome("none")
    text = _record(asked, domain)
    return Outcome("none") if text is None else _evaluate(asked, domain, _parsed(text))


def _parsed(text: str) -> Record:
    try:
        return parse(text)
    except Malformed as error:
        raise _Stop("permerror", f"the record cannot be read: {error}") from None


def _record(asked: Question, domain: str) -> str | None:
    """What follows the version word in the domain's only record; None when there is none."""
    plain, scoped = [], []
    for answer in _lookup(asked, domain, "TXT", void=False):
        version, _, terms = answer.text.partition(" ")
        if version.lower() == VERSION:
            plain.append(terms)
        elif asked.scope and asked.scope in _scopes(version):
            scoped.append(terms)
    found = scoped or plain
    if len(found) > 1:
        raise _Stop("permerror", f"{domain} has {len(found)} records")
    return found[0] if found else None


def _scopes(version: str) -> list[str]:
    """What a record of Sender ID is about: `spf2.0/mfrom,pra`."""
    name, _, scopes = version.lower().partition("/")
    return scopes.split(",") if name == "spf2.0" else []


def _evaluate(asked: Question, domain: str, record: Record) -> Outcome:
    for term in record.terms:
        if MATCHERS[term.name](asked, domain, term):
            said = _explanation(asked, domain, record) if term.result == "fail" else ""
            return Outcome(term.result, term.text, said)
    if not record.redirect:
        return Outcome("neutral")
    _count(asked)
    target = _target(asked, domain, record.redirect)
    outcome = _check(asked, target)
    if outcome.result == "none":
        raise _Stop("permerror", f"redirect={target}: no record there")
    return outcome


# --- mechanisms: (question, current domain, term) -> whether it matches ----------------------------------


def _all(asked: Question, domain: str, term: Term) -> bool:
    return True


def _ip(asked: Question, domain: str, term: Term) -> bool:
    network = term.network
    assert network is not None
    return asked.ip.version == network.version and asked.ip in network


def _a(asked: Question, domain: str, term: Term) -> bool:
    _count(asked)
    return _any_near(asked, _addresses(asked, _target(asked, domain, term.target)), term)


def _mx(asked: Question, domain: str, term: Term) -> bool:
    _count(asked)
    hosts = _lookup(asked, _target(asked, domain, term.target), "MX")
    if len(hosts) > HOSTS_MAX:
        raise _Stop("permerror", f"{term.text}: more than {HOSTS_MAX} hosts")
    return any(_any_near(asked, _addresses(asked, host.text, void=False), term) for host in hosts)


def _include(asked: Question, domain: str, term: Term) -> bool:
    _count(asked)
    target = _target(asked, domain, term.target)
    outcome = _check(asked, target)
    if outcome.result == "none":
        raise _Stop("permerror", f"{term.text}: no record there")
    return outcome.result == "pass"


def _exists(asked: Question, domain: str, term: Term) -> bool:
    _count(asked)
    return bool(_lookup(asked, _target(asked, domain, term.target), "A"))


def _ptr(asked: Question, domain: str, term: Term) -> bool:
    _count(asked)
    target = _target(asked, domain, term.target).lower()
    return any(name == target or name.endswith("." + target) for name in _validated(asked))


MATCHERS: dict[str, Callable[[Question, str, Term], bool]] = {
    "all": _all,
    "ip4": _ip,
    "ip6": _ip,
    "a": _a,
    "mx": _mx,
    "include": _include,
    "exists": _exists,
    "ptr": _ptr,
}


def _count(asked: Question) -> None:
    asked.lookups += 1
    if asked.lookups > LOOKUPS_MAX:
        raise _Stop("permerror", f"more than {LOOKUPS_MAX} terms that ask DNS")


def _any_near(asked: Question, found: Sequence[Address], term: Term) -> bool:
    """Whether an address is in the block around one that was found."""
    network = IPv4Network if asked.ip.version == 4 else IPv6Network
    prefix = term.prefix4 if asked.ip.version == 4 else term.prefix6
    return any(asked.ip in network((int(one), prefix), strict=False) for one in found)


# --- DNS -------------------------------------------------------------------------------------------------


def _lookup(asked: Question, name: str, rtype: str, *, void: bool = True) -> Sequence[DnsAnswer]:
    """The records, none for a name that does not exist. void: an empty answer counts."""
    ports = current().ports
    if ports.clock.monotonic() > asked.until:
        raise _Stop("temperror", f"no outcome within {TIME_MAX_S:.0f} s")
    try:
        found = wait(ports.dns.lookup(name, rtype))
    except PortError as error:
        if error.code not in ABSENT_CODES:
            raise _Stop("temperror", f"{name} {rtype}: {error.code}") from None
        found = ()
    if not found and void:
        asked.voids += 1
        if asked.voids > VOID_MAX:
            raise _Stop("permerror", f"more than {VOID_MAX} questions without an answer")
    return found


def _addresses(asked: Question, name: str, *, void: bool = True) -> list[Address]:
    """Addresses of a host, of the family of the asking one."""
    rtype = "A" if asked.ip.version == 4 else "AAAA"
    return [ip_address(answer.text) for answer in _lookup(asked, name, rtype, void=void)]


def _validated(asked: Question) -> list[str]:
    """Names of the asking address that have that address (section 5.5). A failure of DNS gives none."""
    if asked.validated is None:
        asked.validated = []
        try:
            for answer in _lookup(asked, asked.ip.reverse_pointer, "PTR")[:HOSTS_MAX]:
                name = answer.text.removesuffix(".").lower()
                if _points_back(asked, name):
                    asked.validated.append(name)
        except _Stop as stop:
            if stop.result != "temperror":
                raise
    return asked.validated


def _points_back(asked: Question, name: str) -> bool:
    try:
        return asked.ip in _addresses(asked, name, void=False)
    except _Stop:
        return False


# --- macros ----------------------------------------------------------------------------------------------


def _target(asked: Question, domain: str, spec: str) -> str:
    """The name a term means."""
    return (
        shortened(expanded(spec, lambda letter: _value(asked, domain, letter))) if spec else domain
    )


def _value(asked: Question, domain: str, letter: str) -> str:
    local, _, sender_domain = asked.sender.rpartition("@")
    match letter:
        case "s":
            return asked.sender
        case "l":
            return local
        case "o":
            return sender_domain
        case "d":
            return domain
        case "i":
            return dotted(asked.ip)
        case "c":
            return str(asked.ip)
        case "p":
            return _one_name(asked, domain.lower())
        case "v":
            return "in-addr" if asked.ip.version == 4 else "ip6"
        case "h":
            return asked.helo
        case "r":
            return asked.receiver
    return str(int(current().ports.clock.now()))  # t


def dotted(ip: Address) -> str:
    """An address with a dot between what `%{i}` splits: IPv6 by its 32 digits, capitals as the public suite has."""
    return ".".join(ip.exploded.replace(":", "").upper()) if ip.version == 6 else str(ip)


def _one_name(asked: Question, domain: str) -> str:
    """The validated name that is nearest to the domain; `unknown` for none (section 7.3)."""
    names = _validated(asked)
    below = (name for name in names if name.endswith("." + domain))
    return domain if domain in names else next(below, names[0] if names else "unknown")


def _explanation(asked: Question, domain: str, record: Record) -> str:
    """The words of the domain's owner; empty when there are none to be had (section 6.2)."""
    if not record.explanation:
        return ""
    try:
        found = _lookup(asked, _target(asked, domain, record.explanation), "TXT", void=False)
    except _Stop:
        return ""
    if len(found) != 1 or not found[0].text.isascii() or not EXPLANATION.match(found[0].text):
        return ""
    return expanded(found[0].text, lambda letter: _value(asked, domain, letter))
