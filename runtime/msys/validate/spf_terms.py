"""SPF records as text: their terms, their macros (RFC 7208 sections 4.6, 5, 6 and 7). Pure.

A record that breaks the grammar anywhere raises `Malformed`; nothing of it is used then.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import quote

NAME_MAX = 253  # octets of a domain name: RFC 7208 section 7.3
LABEL_MAX = 63

QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
MACRO = r"%(?:\{[slodiphcrtvSLODIPHCRTV]\d*[rR]?[.\-+,/_=]*\}|[%_-])"
MACRO_STRING = re.compile(rf"(?:[!-$&-~]|{MACRO})*\Z")
EXPLANATION = re.compile(rf"(?:[ -$&-~]|{MACRO})*\Z")
EXPAND = re.compile(r"%(?:\{([A-Za-z])(\d*)([rR]?)([.\-+,/_=]*)\}|([%_-]))")
# What a domain-spec ends in: a macro, or a label that is not all digits.
DOMAIN_END = re.compile(
    r"(?:.*%\{[^}]*\}|.*\.(?![0-9]+\.?\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?)\Z"
)
TERM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9-]*)([:/].*)?\Z", re.DOTALL)
MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)\Z", re.DOTALL)
PREFIXES = re.compile(r"(?:/(0|[1-9]\d?))?(?://(0|[1-9]\d?\d?))?\Z")
ESCAPES = {"%": "%", "_": " ", "-": "%20"}
ONLY_EXPLAINED = frozenset("crtCRT")  # letters that only an explanation may hold


class Malformed(Exception):
    """A record that is none, and which word of it is wrong."""


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism: what it answers when it matches, and what it compares with."""

    text: str
    result: str
    name: str
    target: str = ""  # the domain-spec, macros and all; empty: the current domain
    prefix4: int = 32
    prefix6: int = 128
    network: IPv4Network | IPv6Network | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record in order."""

    terms: tuple[Term, ...]
    redirect: str = ""
    explanation: str = ""


def parse(text: str) -> Record:
    """The terms after the version word."""
    terms: list[Term] = []
    named: dict[str, str] = {}
    if not text.isascii():
        raise Malformed("characters that are not ASCII")
    for word in text.split(" "):
        modifier = MODIFIER.match(word)
        if modifier is not None:
            _take_modifier(named, modifier.group(1).lower(), modifier.group(2), word)
        elif word:
            terms.append(_term(word))
    return Record(tuple(terms), named.get("redirect", ""), named.get("exp", ""))


def _take_modifier(named: dict[str, str], name: str, value: str, word: str) -> None:
    if name in ("redirect", "exp"):
        if name in named:
            raise Malformed(f"a second {word}")
        named[name] = _domain_spec(value, word)
    elif not MACRO_STRING.match(value):
        raise Malformed(word)


def _term(word: str) -> Term:
    found = TERM.match(word)
    if found is None:
        raise Malformed(word)
    qualifier, name, rest = found.group(1) or "+", found.group(2).lower(), found.group(3) or ""
    reader = READERS.get(name)
    if reader is None:
        raise Malformed(word)
    return reader(word, QUALIFIERS[qualifier], name, rest)


def _bare(word: str, result: str, name: str, rest: str) -> Term:
    if rest:
        raise Malformed(word)
    return Term(word, result, name)


def _network(word: str, result: str, name: str, rest: str) -> Term:
    address, slash, prefix = rest[1:].partition("/")
    if not rest.startswith(":") or (slash and not re.fullmatch(r"0|[1-9]\d{0,2}", prefix)):
        raise Malformed(word)
    try:
        network = ip_network(address + slash + prefix, strict=False)
    except ValueError:
        raise Malformed(word) from None
    if network.version != int(name[2]):
        raise Malformed(word)
    return Term(word, result, name, network=network)


def _addressed(word: str, result: str, name: str, rest: str) -> Term:
    """`a` and `mx`: a domain, and one prefix for each family, all of them optional."""
    prefixes = re.search(r"(?:/[^/:]*)?(?://[^/:]*)?\Z", rest)
    assert prefixes is not None
    tail = prefixes.group()
    lengths = PREFIXES.match(tail)
    if lengths is None:
        # What follows the slash is no length: it belongs to the name, or it is a mistake.
        if re.search(r"/\d+\Z|//", tail) or not rest.startswith(":"):
            raise Malformed(word)
        return Term(word, result, name, _domain_spec(rest[1:], word))
    four, six = (int(group) if group else None for group in lengths.groups())
    if (four or 0) > 32 or (six or 0) > 128:
        raise Malformed(word)
    target = rest[: len(rest) - len(tail)]
    if target and not target.startswith(":"):
        raise Malformed(word)
    spec = _domain_spec(target[1:], word) if target else ""
    return Term(word, result, name, spec, 32 if four is None else four, 128 if six is None else six)


def _named(word: str, result: str, name: str, rest: str) -> Term:
    """`include` and `exists` need a domain."""
    if not rest.startswith(":"):
        raise Malformed(word)
    return Term(word, result, name, _domain_spec(rest[1:], word))


def _maybe_named(word: str, result: str, name: str, rest: str) -> Term:
    return _named(word, result, name, rest) if rest else Term(word, result, name)


READERS: dict[str, Callable[[str, str, str, str], Term]] = {
    "all": _bare,
    "ip4": _network,
    "ip6": _network,
    "a": _addressed,
    "mx": _addressed,
    "include": _named,
    "exists": _named,
    "ptr": _maybe_named,
}


def _domain_spec(text: str, word: str) -> str:
    if not MACRO_STRING.match(text) or not DOMAIN_END.match(text):
        raise Malformed(word)
    if any(letter in ONLY_EXPLAINED for letter, *_ in EXPAND.findall(text) if letter):
        raise Malformed(word)
    if any(digits and not int(digits) for _, digits, *_ in EXPAND.findall(text)):
        raise Malformed(word)
    return text


def transformed(value: str, digits: str, reverse: bool, delimiters: str) -> str:
    """A macro's value split, turned round, cut to its last parts, and joined by dots (section 7.1)."""
    parts = re.split(f"[{re.escape(delimiters or '.')}]", value)
    if reverse:
        parts.reverse()
    if digits and int(digits):
        parts = parts[-int(digits) :]
    return ".".join(parts)


def expanded(text: str, value_of: Callable[[str], str]) -> str:
    """`text` with its macros replaced; `value_of` gives the value of a letter in lower case."""

    def replace(found: re.Match[str]) -> str:
        letter, digits, reverse, delimiters, escape = found.groups()
        if escape:
            return ESCAPES[escape]
        value = transformed(value_of(letter.lower()), digits, bool(reverse), delimiters)
        return quote(value, safe="-._~") if letter.isupper() else value

    return EXPAND.sub(replace, text)


def shortened(name: str) -> str:
    """A name without its last dot, and without labels on the left that make it too long."""
    short = name.removesuffix(".")
    while len(short) > NAME_MAX and "." in short:
        short = short.partition(".")[2]
    return short


def is_domain(name: str) -> bool:
    """Whether a name has more than one label, none of them empty or too long."""
    labels = name.removesuffix(".").split(".")
    return len(labels) > 1 and all(0 < len(label) <= LABEL_MAX for label in labels)
