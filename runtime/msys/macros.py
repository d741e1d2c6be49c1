"""`msys.expandMacro`: `%{…}` macros and the custom logger's `%x` letters, filled from the running call.

A macro that is unknown, or whose source is not there yet, is empty; other text stays as it is and `%%` is
one `%`. Each family is one function in FAMILIES; letters are one function each in LETTERS.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from msys.addresses import split_address
from msys.arguments import check_string
from msys.catalog.binding import documented
from msys.constants import PROTOCOLS
from msys.lua import Table, tostring
from msys.lua.bytestr import to_str
from msys.message.node import Node
from msys.message.text import text_str
from msys.peer import address_of
from msys.ports import Call, current
from msys.ports.memory_state import address
from msys.validate.spf_terms import transformed

if TYPE_CHECKING:
    from msys.message import Message

__all__ = ["expandMacro"]

LETTER = r"BI|CI|OC|PG|h\{[^}]*\}|t\{[^}]*\}|T\{\d+\}|us\{\d\}|vctx_(?:conn|mess)\{[^}]*\}|[A-Za-z]"
MACRO = re.compile(rf"%(?:%|\{{([^}}]*)\}}|({LETTER}))")
SPF = re.compile(r"([slodiprtvhc])(\d*)(r?)([.\-+,/_=]*)\Z", re.IGNORECASE)
UNPRINTED = re.compile(r"[\x00-\x1f\x7f]")


def _dictionary(call: Call, name: str) -> dict[str, str]:
    """A context dictionary: of the session, or of the message after it."""
    for holder in call.vctx, call.message:
        found: dict[str, str] | None = getattr(holder, name, None)
        if found is not None:
            return found
    return {}


def _peer(call: Call) -> str:
    """The peer's address, from the session or from what the message remembers."""
    remote = getattr(call.accept, "remote_addr", None)
    if remote is not None:
        return address_of(tostring(remote))
    return "" if call.message is None else call.message.peer[0]


def _mailfrom(call: Call) -> tuple[str, str]:
    return split_address("" if call.message is None else call.message.sender)


def _rcptto(call: Call) -> tuple[str, str]:
    return split_address("" if call.message is None else call.message.recipient)


# --- %{rfc2822:…} -----------------------------------------------------------------------------------------


def _ended(text: str) -> str:
    """With a line end, unless it is empty."""
    return text if not text or text.endswith("\r\n") else text + "\r\n"


def _portion(text: str, limit: str) -> str:
    """All of it, the first n lines (`n`) or the first n bytes (`nb`)."""
    if limit.endswith("b") and limit[:-1].isdigit():
        return text[: int(limit[:-1])]
    if limit.isdigit():
        return "".join(text.splitlines(keepends=True)[: int(limit)])
    return text


def _rfc2822(call: Call, key: str) -> str:
    message = call.message
    if message is None:
        return ""
    what, _, rest = key.partition(",")
    match what.strip():
        case "message":
            return _ended(_portion(to_str(message.content), rest.strip()))
        case "headers":
            return _ended(to_str(message.header_block.removesuffix(b"\r\n")))
        case "body":
            return _ended(_portion(to_str(message.body_block), rest.strip()))
        case "text":
            return _ended(_text(message, rest))
        case "part" | "mime":
            return _ended(_numbered(_leaves(message), rest))
    return ""


def _leaves(message: Message) -> list[Node]:
    """Every part that has no parts inside, in order; a message without MIME is one."""
    top = message.mime()
    return [] if top is None else [node for node in top.walk() if not node.is_container]


def _numbered(parts: Sequence[Node], number: str) -> str:
    """The part of that number, counted from 1, with its header; empty when there is none."""
    wanted = int(number) if number.strip().isdigit() else 0
    return to_str(parts[wanted - 1].raw) if 1 <= wanted <= len(parts) else ""


def _text(message: Message, rest: str) -> str:
    """The first text part as UTF-8, or the n-th with its header, or m lines of that."""
    texts = [part for part in _leaves(message) if part.kind.is_text]
    if not rest.strip():
        return (text_str(texts[0]) or "") if texts else ""
    number, _, lines = rest.partition(",")
    return _portion(_numbered(texts, number), lines.strip())


# --- %{spfv1:…}: RFC 7208 section 7 -----------------------------------------------------------------------


def _spf_value(call: Call, letter: str) -> str:
    local, domain = _mailfrom(call)
    helo = _dictionary(call, "conn").get("ehlo_domain", "") or _dictionary(call, "conn").get(
        "ehlo_string", ""
    )
    if not domain:
        local, domain = "postmaster", helo
    peer = address(_peer(call))
    match letter:
        case "s":
            return f"{local}@{domain}"
        case "l":
            return local
        case "o" | "d":
            return domain
        case "h":
            return helo
        case "v":
            return "ip6" if isinstance(peer, IPv6Address) else "in-addr"
        case "i":
            if isinstance(peer, IPv6Address):
                return ".".join(peer.exploded.replace(":", ""))
            return "" if peer is None else str(peer)
        case "c":
            return "" if peer is None else str(peer)
        case "r":
            return str(current().ports.configuration.option("hostname") or "unknown")
        case "t":
            return str(int(current().ports.clock.now()))
    return "unknown"  # p: what RFC 7208 section 7.3 gives when no name is validated


def _spf(call: Call, key: str) -> str:
    found = SPF.match(key)
    if found is None:
        return ""
    letter, count, reverse, delimiters = found.groups()
    return transformed(
        _spf_value(call, letter.lower()), count or "", bool(reverse), delimiters or ""
    )


# --- letters of the custom logger ---------------------------------------------------------------------------


def _attribute(name: str) -> Callable[[Call], str]:
    """A plain attribute of the message."""

    def read(call: Call) -> str:
        found = getattr(call.message, name, None)
        return "" if found is None else tostring(found)

    return read


def _of(pair: Callable[[Call], tuple[str, str]], place: int) -> Callable[[Call], str]:
    return lambda call: pair(call)[place]


def _context(dictionary: str, key: str) -> Callable[[Call], str]:
    return lambda call: _dictionary(call, dictionary).get(key, "")


def _size(call: Call) -> str:
    return "" if call.message is None else str(len(call.message.content))


LETTERS: dict[str, Callable[[Call], str]] = {
    "A": _context("conn", "auth_method"),
    "B": _size,
    "BI": _attribute("batch_id"),
    "CI": _attribute("conn_id"),
    "H": _peer,
    "M": _of(_mailfrom, 1),
    "N": _attribute("num_retries"),
    "P": _context("conn", "pathway"),
    "PG": _context("conn", "pathway_group"),
    "R": _of(_rcptto, 1),
    "U": _context("conn", "auth_user"),
    "b": _attribute("binding_name"),
    "d": lambda call: _attribute("route")(call) or _rcptto(call)[1],
    "g": _attribute("binding_group_name"),
    "i": lambda call: _attribute("id")(call) if call.message is not None else _peer(call),
    "m": _of(_mailfrom, 0),
    "n": _attribute("response"),
    "p": lambda call: PROTOCOLS.get(getattr(call.message, "recv_method", -1), ""),
    "r": _of(_rcptto, 0),
    "t": lambda call: str(int(current().ports.clock.now())),
    "T": lambda call: _letter(call, "T{2}"),
}


def _letter(call: Call, name: str) -> str:
    """A letter, or one with an argument in braces."""
    plain = LETTERS.get(name)
    if plain is not None:
        return plain(call)
    kind, found, argument = name.rstrip("}").partition("{")
    now = current().ports.clock.now()
    match kind if found else "":
        case "h":
            values = call.message.header(argument) if call.message is not None else Table()
            return UNPRINTED.sub(" ", values[1] or "")
        case "t":
            return time.strftime(argument, time.gmtime(now))
        case "us":
            return f"{now:.{argument}f}"
        case "T":
            born = 0 if call.message is None else call.message.creation_time
            return f"{now - born:.{argument}f}" if born else ""
        case "vctx_conn" | "vctx_mess":
            return _dictionary(call, kind.removeprefix("vctx_")).get(argument, "")
    return ""


FAMILIES: dict[str, Callable[[Call, str], str]] = {
    "vctx_conn": lambda call, key: _dictionary(call, "conn").get(key, ""),
    "vctx_mess": lambda call, key: _dictionary(call, "mess").get(key, ""),
    "rfc822": lambda call, key: (
        formatdate(current().ports.clock.now(), localtime=True) if key == "date" else ""
    ),
    "rfc2822": _rfc2822,
    "spfv1": _spf,
    "custom_logger": _letter,
}


@documented(
    "msys.expandMacro",
    assumed="an unknown or unset macro is empty; %% is one %; the custom logger's letters work with and "
    "without braces",
)
def expandMacro(string: str) -> str:
    """`string` with its macros filled from the running session and message.

    `%{vctx_conn:key}`, `%{vctx_mess:key}`, `%{rfc822:date}`, `%{rfc2822:…}`, `%{spfv1:…}`, and the custom
    logger's letters as `%x`, `%{x}` or `%{custom_logger:x}`. Source: lua.ref.msys.expandMacro.
    """
    text = check_string("expandMacro", 1, string)
    call = current()

    def fill(found: re.Match[str]) -> str:
        inner, letter = found.groups()
        if letter is not None:
            return _letter(call, letter)
        if inner is None:
            return "%"
        family, colon, key = inner.partition(":")
        if not colon:
            return _letter(call, inner)
        expand = FAMILIES.get(family)
        return "" if expand is None else expand(call, key)

    return MACRO.sub(fill, text)
