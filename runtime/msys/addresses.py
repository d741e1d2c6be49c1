"""Mail addresses as policy and the envelope write them.

Envelope addresses by patterns, header addresses (names, comments, groups) by the standard library.
Pure functions over Lua strings.
"""

from __future__ import annotations

import inspect
import re
from email.utils import getaddresses
from typing import Any

LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff-]+"
QUOTED_LOCAL = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\x20-\x7e])*"'
DOMAIN = r"(?:[A-Za-z0-9_\x80-\xff-]+\.)*[A-Za-z0-9_\x80-\xff-]+\.?"
LITERAL = r"\[(?:[Ii][Pp][Vv]6:)?[0-9A-Fa-f:.]+\]"
ADDRESS = re.compile(f"(?:{LOCAL}|{QUOTED_LOCAL})@(?:{DOMAIN}|{LITERAL})", re.ASCII)
# Newer Pythons answer nothing at all for a header with one odd address, unless told not to
LENIENT: dict[str, Any] = (
    {"strict": False} if "strict" in inspect.signature(getaddresses).parameters else {}
)
MAX_ADDRESS = 320  # 64 octets, `@`, 255 octets: RFC 5321 section 4.5.3.1


def valid_address(text: str) -> bool:
    """Whether `text` is a bare `local@domain`, or `postmaster`."""
    if len(text) > MAX_ADDRESS:
        return False
    if text.lower() == "postmaster":
        return True
    return ADDRESS.fullmatch(text) is not None


def split_address(address: str) -> tuple[str, str]:
    """Local part and domain; without `@` all of it is local part."""
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (address, "")


def same_address(one: str, other: str) -> bool:
    """Whether two bare addresses mean the same mailbox: domains without case, local parts exactly."""
    if one == other:
        return True
    local_1, domain_1 = split_address(one)
    local_2, domain_2 = split_address(other)
    return local_1 == local_2 and domain_1.lower() == domain_2.lower()


def bare(text: str) -> str:
    """An address without the angle brackets and white space around it."""
    address = text.strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1].strip()
    return address


def header_addresses(value: str) -> list[str]:
    """Every address of a header value, groups expanded, names and comments dropped."""
    return [address for _, address in getaddresses([value], **LENIENT) if address]


COMPONENTS = ("all", "localpart", "user", "detail", "domain")


def component_of(address: str, component: str) -> str:
    """One of COMPONENTS of `user+detail@domain`; a missing one is empty."""
    if component == "all":
        return address
    local, domain = split_address(address)
    user, _, detail = local.partition("+")
    return {"localpart": local, "domain": domain, "user": user, "detail": detail}[component]


def address_list(text: str) -> list[str]:
    """Addresses written in a row, between commas or white space, without angle brackets."""
    return [bare(word) for word in re.split(r"[,\s]+", text) if word]
