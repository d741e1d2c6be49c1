"""`msys.parseRFC2822Addresses`: the addresses in a header value. Pure."""

from __future__ import annotations

from msys.addresses import COMPONENTS, component_of, header_addresses
from msys.arguments import bad_argument, check_string
from msys.catalog.binding import documented
from msys.lua import Table

__all__ = ["parseRFC2822Addresses"]


@documented(
    "msys.parseRFC2822Addresses",
    assumed="a missing part is the empty string, no address an empty table, another component raises",
)
def parseRFC2822Addresses(addressstring: str, component: str) -> Table:
    """One part of every address in a header value, in order.

    component: `all`, `localpart`, `user`, `detail` or `domain` of `user+detail@domain`; another raises.
    Names and comments are dropped, groups expanded; no address gives an empty table.
    Source: lua.ref.msys.parseRFC2822Addresses.
    """
    text = check_string("parseRFC2822Addresses", 1, addressstring)
    part = check_string("parseRFC2822Addresses", 2, component)
    if part not in COMPONENTS:
        wanted = ", ".join(COMPONENTS)
        raise bad_argument("parseRFC2822Addresses", 2, f"one of {wanted} expected, got '{part}'")
    return Table.array(*(component_of(one, part) for one in header_addresses(text)))
