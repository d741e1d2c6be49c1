"""`msys.snmpTrap`, through the SNMP port."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from msys.arguments import bad_argument, check_number, check_string, check_table
from msys.catalog.binding import documented
from msys.lua import Table
from msys.lua.errors import RuntimeFault
from msys.options import Options
from msys.ports import PortError, current

__all__ = ["snmpTrap"]

OID = re.compile(r"\.?\d+(?:\.\d+)+\Z")
VARIABLE = "1.3.6.1.4.1.19552.1.4.1.0"
PORT = 162
KINDS = ("string", "counter", "gauge", "IP")


def _payload(kind: str, value: Any) -> str | int:
    match kind:
        case "counter" | "gauge":
            number = check_number("snmpTrap", 1, value)
            if not 0 <= number < 1 << 32:
                raise bad_argument("snmpTrap", 1, f"payload {number:g} does not fit 32 bits")
            return int(number)
        case "IP":
            text = check_string("snmpTrap", 1, value)
            try:
                return str(IPv4Address(text))
            except AddressValueError:
                raise bad_argument("snmpTrap", 1, f"payload '{text}' is no IPv4 address") from None
    return check_string("snmpTrap", 1, value)


@documented(
    "msys.snmpTrap", assumed="SNMP version 2c; wrong or missing keys raise; returns nothing"
)
def snmpTrap(traptable: Table) -> None:
    """Send an SNMP trap, without waiting for anything.

    Keys: `mib` (OID of the trap, needed), `type` (`string`, `counter`, `gauge`, `IP`) and `payload` to
    match, `address` and `port` (default: every configured destination, 162), `community` (`public`),
    `trapvar.mib` (OID of the variable). A mismatch raises. Source: lua.ref.msys.snmpTrap.
    """
    check_table("snmpTrap", 1, traptable)
    chosen = Options("snmpTrap", 1, traptable)
    kind = chosen.text("type", "string") or "string"
    if kind not in KINDS:
        raise bad_argument("snmpTrap", 1, f"type must be one of {', '.join(KINDS)}, not '{kind}'")
    oid, variable = chosen.needed("mib"), chosen.text("trapvar.mib", VARIABLE) or VARIABLE
    for text in oid, variable:
        if not OID.match(text):
            raise bad_argument("snmpTrap", 1, f"'{text}' is no OID")
    value = _payload(kind, chosen.table["payload"])
    where = chosen.text("address")
    destination = None if where is None else (where, chosen.integer("port", PORT))
    port = current().ports.snmp
    if port is None:
        raise RuntimeFault("snmpTrap: this server sends no traps; install pysnmp")
    try:
        port.trap(
            oid.lstrip("."),
            variable.lstrip("."),
            kind,
            value,
            destination,
            chosen.text("community"),
        )
    except PortError as error:
        current().ports.log.panic("snmp", str(error), "warning")
