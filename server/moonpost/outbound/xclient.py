"""Telling the next host who connected to us: Postfix's XCLIENT.

Pure. https://www.postfix.org/XCLIENT_README.html; values are xtext, of RFC 3461 section 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ATTRIBUTES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
UNAVAILABLE = "[UNAVAILABLE]"
_WRITTEN = re.compile(r"[^!-*,-<>-~]")  # what xtext writes as +XX


def client_of(peer: str, listener: str, protocol: str, helo: str, login: str) -> dict[str, str]:
    """The attributes of a reception; peer and listener are `address:port`. Empty when nobody connected."""
    address, port = _split(peer)
    if not address:
        return {}
    arrived, arrived_port = _split(listener)
    known = {
        "NAME": "", "ADDR": address, "PORT": port, "PROTO": "SMTP" if protocol == "smtp" else "ESMTP",
        "HELO": helo, "LOGIN": login, "DESTADDR": arrived, "DESTPORT": arrived_port,
    }  # fmt: skip
    return {name: value or UNAVAILABLE for name, value in known.items()}


def command(client: Mapping[str, str], offered: str) -> bytes:
    """The XCLIENT line with the attributes that the host takes; empty when it takes none of them."""
    names = offered.upper().split()
    said = [
        f"{name}={_xtext(client[name])}" for name in ATTRIBUTES if name in names and name in client
    ]
    return " ".join(["XCLIENT", *said]).encode("latin-1") if said else b""


def _split(place: str) -> tuple[str, str]:
    """`address:port` taken apart; an IPv6 address is written as XCLIENT wants it."""
    address, _, port = place.rpartition(":")
    address = address.strip("[]")
    return (f"IPV6:{address}" if ":" in address else address), port


def _xtext(value: str) -> str:
    if value == UNAVAILABLE:
        return value
    return _WRITTEN.sub(lambda found: f"+{ord(found[0]):02X}", value)
