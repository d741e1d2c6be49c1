"""`msys.pbp`: helpers of Momentum's default policy that scripts call on their own.

They have no pages; behaviour is read from the scripts that use them: white lists are context variables named
`dp_whitelist_<name>`, the DNS check leaves `reverse_dns` and `fcdns_status` among the connection's.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from msys.accept import Accept
from msys.arguments import bad_argument, check_class, check_string, check_strings, truth
from msys.constants import VCTX_CONN, VCTX_MESS
from msys.lua import ABSENT, Table
from msys.ports import PortError, wait
from msys.running import ports
from msys.vctx import ValidationContext

__all__ = ["check_whitelist", "fcdns_check", "set_whitelist", "size_in_bytes"]

PREFIX = "dp_whitelist_"
SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgKMG]?)[bB]?\s*", re.ASCII)
FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def set_whitelist(vctx: Any, *arguments: Any) -> None:
    """Put this session on a white list, or take it off.

    arguments: name and value, or VCTX_CONN or VCTX_MESS before them (VCTX_CONN unless given). A value that is
    false or nil takes it off.
    """
    context = check_class("set_whitelist", 1, vctx, ValidationContext, "validation context")
    given = (VCTX_CONN, *arguments) if len(arguments) < 3 else arguments
    kind, name, value = (*given, None, None)[:3]
    key = PREFIX + check_string("set_whitelist", 2 if len(arguments) < 3 else 3, name)
    if truth(value):
        context.set(kind, key, "true")
    else:
        context.delete(kind, key)


def check_whitelist(vctx: Any, names: Any = None) -> bool:
    """Whether this session is on one of these white lists.

    names: a name, an array of names, or a table that has them as `honor_whitelist`. nil: on none.
    """
    context = check_class("check_whitelist", 1, vctx, ValidationContext, "validation context")
    if isinstance(names, Table) and names["honor_whitelist"] is not None:
        names = names["honor_whitelist"]
    if names is None or names is ABSENT:
        return False
    return any(
        context.exists(kind, PREFIX + name)
        for name in check_strings("check_whitelist", 2, names)
        for kind in (VCTX_CONN, VCTX_MESS)
    )


def fcdns_check(ac: Any, vctx: Any) -> tuple[bool, str | None, str | None]:
    """Whether the peer's name in DNS leads back to its address; then the errors of both lookups. Waits for DNS.

    Sets the connection variables `reverse_dns` (the name, "" without one) and `fcdns_status` (`true`, `false`).
    """
    accept = check_class("fcdns_check", 1, ac, Accept, "accept construct")
    context = check_class("fcdns_check", 2, vctx, ValidationContext, "validation context")
    try:
        address = ipaddress.ip_address(accept.remote_addr.ip)
    except ValueError:
        raise bad_argument("fcdns_check", 1, "the connection has no peer address") from None
    names, reverse_error = _lookup(address.reverse_pointer, "PTR")
    name = names[0].rstrip(".").lower() if names else ""
    found, forward_error = (
        _lookup(name, "AAAA" if address.version == 6 else "A") if name else ([], None)
    )
    confirmed = any(_same(text, address) for text in found)
    context.set(VCTX_CONN, "reverse_dns", name)
    context.set(VCTX_CONN, "fcdns_status", confirmed)
    return confirmed, reverse_error, forward_error


def _lookup(name: str, rtype: str) -> tuple[list[str], str | None]:
    try:
        return [answer.text for answer in wait(ports().dns.lookup(name, rtype))], None
    except PortError as error:
        return [], error.code


def _same(text: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ipaddress.ip_address(text) == address
    except ValueError:
        return False


def size_in_bytes(size: Any) -> int:
    """A size such as `30m`, `512k` or a plain number, in bytes."""
    match = SIZE.fullmatch(check_string("size_in_bytes", 1, size))
    if match is None:
        raise bad_argument("size_in_bytes", 1, f"'{size}' is not a size")
    return int(float(match.group(1)) * FACTORS[match.group(2).lower()])
