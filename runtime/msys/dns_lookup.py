"""`msys.dnsLookup`, through the DNS port and its cache."""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_string, optional_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table
from msys.options import Options
from msys.ports import PortError, current, wait

__all__ = ["dnsLookup"]

TYPES = ("A", "AAAA", "TXT", "MX", "PTR", "NS")
WITH_PREFERENCE = ("MX",)


@documented(
    "msys.dnsLookup",
    assumed="no record of the type is nil and NODATA; PTR takes an address or an arpa name; the strings "
    "of one TXT record are joined",
)
def dnsLookup(
    name: str, recordtype: Any = ABSENT, options: Any = ABSENT
) -> tuple[Table | None, str | None]:
    """Look up DNS records.

    recordtype: A (default), AAAA, TXT, MX, PTR or NS, in any case; another type raises. options: a table
    with `server` (address of another DNS server) and `priority` (true: MX records as
    `{preference, host}`). An array of strings in answer order, MX best first; or nil and one of NXDOMAIN,
    NODATA, SERVFAIL, REFUSED, TIMEOUT, FORMERR. Waits unless the answer is cached.
    Source: lua.ref.msys.dnslookup.
    """
    asked = check_string("dnsLookup", 1, name)
    rtype = optional_string("dnsLookup", 2, recordtype, "A").upper()
    if rtype not in TYPES:
        raise bad_argument("dnsLookup", 2, f"unknown record type '{rtype}'")
    chosen = Options("dnsLookup", 3, options)
    server = chosen.text("server")
    try:
        answers = wait(current().ports.dns.lookup(asked, rtype, server))
    except PortError as error:
        return None, error.code
    if chosen.flag("priority") and rtype in WITH_PREFERENCE:
        return Table.array(*(Table.array(one.preference or 0, one.text) for one in answers)), None
    return Table.array(*(one.text for one in answers)), None
