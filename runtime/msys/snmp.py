"""`msys.snmpTrap`, through the SNMP port."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from msys.arguments import bad_argument, check_table, string_or_none
from msys.catalog.binding import documented
from msys.lua import Table, tonumber
from msys.lua import type as type_name
from msys.lua.errors import RuntimeFault
from msys.options import Options
from msys.ports import PortError, current

__all__ = ["send", "snmpTrap"]

OID = re.compile(r"\.?\d+(?:\.\d+)+\Z")
VARIABLE = "1.3.6.1.4.1.19552.1.4.1.0"
PORT = 162
KINDS = ("string", "counter", "gauge", "IP")


def _payload(function: str, position: int, kind: str, value: Any) -> str | int:
    text = string_or_none(value)
    if text is None:
        problem = f"option 'payload': {kind} expected, got {type_name(value)}"
        raise bad_argument(function, position, problem)
    match kind:
        case "counter" | "gauge":
            number = tonumber(text)
            if number is None or not 0 <= number < 1 << 32:
                problem = f"payload '{text}' is no number of 32 bits"
                raise bad_argument(function, position, problem)
            return int(number)
        case "IP":
            try:
                return str(IPv4Address(text))
            except AddressValueError:
                problem = f"payload '{text}' is no IPv4 address"
                raise bad_argument(function, position, problem) from None
    return text


@documented(
    "msys.snmpTrap", assumed="SNMP version 2c; wrong or missing keys raise; returns nothing"
)
def snmpTrap(traptable: Table) -> None:
    """Send an SNMP trap, without waiting for anything.

    Keys: `mib` (OID of the trap, needed), `type` (`string`, `counter`, `gauge`, `IP`) and `payload` to
    match, `address` and `port` (default: every configured destination, 162), `community` (`public`),
    `trapvar.mib` (OID of the variable). A mismatch raises. Source: lua.ref.msys.snmpTrap.
    """
    send("snmpTrap", 1, check_table("snmpTrap", 1, traptable))


def send(function: str, position: int, traptable: Table) -> None:
    """Send the trap that the table at `position` of `function` describes; one that cannot be sent is logged."""
    chosen = Options(function, position, traptable)
    kind = chosen.text("type", "string") or "string"
    if kind not in KINDS:
        problem = f"type must be one of {', '.join(KINDS)}, not '{kind}'"
        raise bad_argument(function, position, problem)
    oid, variable = chosen.needed("mib"), chosen.text("trapvar.mib", VARIABLE) or VARIABLE
    for text in oid, variable:
        if not OID.match(text):
            raise bad_argument(function, position, f"'{text}' is no OID")
    value = _payload(function, position, kind, chosen.table["payload"])
    where = chosen.text("address")
    destination = None if where is None else (where, chosen.integer("port", PORT))
    port = current().ports.snmp
    if port is None:
        raise RuntimeFault(f"{function}: this server sends no traps; install pysnmp")
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
