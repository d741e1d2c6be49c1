"""The arguments of MAIL and RCPT: a path and its parameters.

The common forms by one regular expression, everything else by a full parser that the caller injects. Text is Latin-1,
one character per byte. Knows nothing of sessions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from moonpost.phases import replies

# ASCII letters, digits and specials of RFC 5321 atoms, dots, and bytes of UTF-8 (RFC 6531).
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff-]+"
_NAME = r"[A-Za-z0-9_.\x80-\xff-]+"
_COMMON = re.compile(rf"<({_ATOM})@({_NAME})>(?: +([!-~\x80-\xff ]*))?")
_SPACED = re.compile(r"\s*<\s*([^<>\s]*)\s*>\s*")
_ROUTE = re.compile(r"<@[^:<>]*:")
_LITERAL = re.compile(r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]+)\]", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*"')
_NAME_ONLY = re.compile(_NAME)
_ATOM_ONLY = re.compile(_ATOM)
_DOTS = re.compile(r"\.|.*\.\.|.*\.$")  # where RFC 5321 wants none: section 4.1.2, Dot-string
_PATH_END = re.compile(r'<(?:"(?:[^"\\]|\\.)*"|[^"<>])*>')

MAX_LOCALPART = (
    64 * 4
)  # RFC 5321 section 4.5.3.1.1 says 64 octets; generated bounce addresses are longer
MAX_DOMAIN = 255  # RFC 5321 section 4.5.3.1.2

Fallback = Callable[[str], tuple[str | None, str | None]]


class Path(NamedTuple):
    """A reverse or forward path. The null sender has three empty strings."""

    address: str
    localpart: str
    domain: str
    parameters: str

    @property
    def is_literal(self) -> bool:
        return self.domain.startswith("[")

    @property
    def has_odd_dots(self) -> bool:
        """`a..b@x`, `.a@x` or `a.@x`."""
        return not self.localpart.startswith('"') and _DOTS.match(self.localpart) is not None

    @property
    def needs_utf8(self) -> bool:
        return not self.address.isascii()


NULL = Path("", "", "", "")


def parse_path(
    text: str, fallback: Fallback, *, default_domain: str = "", spaces: bool = False
) -> Path | None:
    """What follows `FROM:` or `TO:`; None when it is no path.

    default_domain: for an address without one; empty leaves such an address without (`postmaster`).
    spaces: whether white space between brackets and address is forgiven.
    """
    match = _COMMON.fullmatch(text)
    if match is None:
        return _uncommon(text, fallback, default_domain, spaces)
    localpart, domain, parameters = match.groups("")
    if len(localpart) > MAX_LOCALPART or len(domain) > MAX_DOMAIN:
        return None
    return Path(f"{localpart}@{domain}", localpart, domain, parameters)


def _uncommon(text: str, fallback: Fallback, default_domain: str, spaces: bool) -> Path | None:
    text = text.strip(" ")
    if spaces and (spaced := _SPACED.match(text)):
        text = f"<{spaced.group(1)}> {text[spaced.end() :]}".rstrip()
    text = _ROUTE.sub("<", text, count=1)
    end = _PATH_END.match(text)
    if end is None:
        return None
    inner, parameters = end.group()[1:-1], text[end.end() :]
    if parameters and not parameters.startswith(" "):
        return None
    if not inner:
        return Path("", "", "", parameters.strip())
    if "@" not in inner:
        if not _ATOM_ONLY.fullmatch(inner) and not _QUOTED.fullmatch(inner):
            return None
        address = f"{inner}@{default_domain}" if default_domain else inner
    elif _ATOM_ONLY.fullmatch(inner.partition("@")[0]):
        address = inner
    else:
        try:
            parsed, rest = fallback(f"<{inner}>")
        except Exception:
            return None  # the standard library's parser trips over some nonsense in its own ways
        if parsed != inner or rest:
            return (
                None  # it repairs what senders should; an envelope is taken as it is or not at all
            )
        address = inner
    return _checked(address, parameters.strip())


def _checked(address: str, parameters: str) -> Path | None:
    """The path, if its parts are fit to be written into logs, headers and commands."""
    localpart, at, domain = address.rpartition("@")
    if not at:
        localpart, domain = address, ""
    if len(localpart) > MAX_LOCALPART or len(domain) > MAX_DOMAIN:
        return None
    if not (_ATOM_ONLY.fullmatch(localpart) or _QUOTED.fullmatch(localpart)):
        return None
    if domain and not (_NAME_ONLY.fullmatch(domain) or _LITERAL.fullmatch(domain)):
        return None
    if at and not domain:
        return None
    return Path(address, localpart, domain, parameters)


# Parameter -> what its value must look like; None: it takes none. RFC 1870, 6152, 6531, 3461, 4954.
MAIL_PARAMETERS: dict[str, re.Pattern[str] | None] = {
    "SIZE": re.compile(r"\d{1,20}"),
    "BODY": re.compile(r"7BIT|8BITMIME", re.IGNORECASE),
    "SMTPUTF8": None,
    "RET": re.compile(r"FULL|HDRS", re.IGNORECASE),
    "ENVID": re.compile(r"[!-<>-~]{1,100}"),
    "AUTH": re.compile(r"[!-<>-~]{1,500}|<>"),
    "XAGE": re.compile(r"\d{1,9}"),  # ours: seconds since another server accepted the message
}
_NOTIFY_WORDS = r"(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*"
RCPT_PARAMETERS: dict[str, re.Pattern[str] | None] = {
    "NOTIFY": re.compile(rf"NEVER|{_NOTIFY_WORDS}", re.IGNORECASE),
    "ORCPT": re.compile(r"[A-Za-z0-9-]+;[!-<>-~\x80-\xff]{1,500}"),
}


class BadParameter(ValueError):
    """A parameter that is not known, or known with another value."""

    def __init__(self, *, known: bool) -> None:
        super().__init__()
        self.known = known


def parse_parameters(text: str, allowed: dict[str, re.Pattern[str] | None]) -> dict[str, str]:
    """`SIZE=1 SMTPUTF8` as a dictionary with upper-case keys. Raises BadParameter."""
    found: dict[str, str] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        key = key.upper()
        if key not in allowed:
            raise BadParameter(known=False)
        pattern = allowed[key]
        if key in found or (pattern is None) == bool(equals):
            raise BadParameter(known=True)
        if pattern is not None and not pattern.fullmatch(value):
            raise BadParameter(known=True)
        found[key] = value
    return found


def read_parameters(
    text: str, allowed: dict[str, re.Pattern[str] | None]
) -> dict[str, str] | bytes:
    """The parameters, or what to say when they are no good."""
    if not text:
        return {}
    try:
        return parse_parameters(text, allowed)
    except BadParameter as bad:
        return replies.BAD_PARAMETER_VALUE if bad.known else replies.BAD_PARAMETER
