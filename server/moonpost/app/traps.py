"""What `SNMP_Traps` means: where the traps of policy go."""

from __future__ import annotations

from moonpost.config.model import Config
from msys.ports import Snmp

PORT = 162
COMMUNITY = "public"


def destinations(config: Config) -> list[tuple[str, int, str]]:
    """Address, port and community of each `Destination` stanza, and of `Trap_Destination`."""
    stanza = config.module("snmp_traps") or {}
    community = str(stanza.get("community") or COMMUNITY)
    found = [(place, community) for place in stanza.get("trap_destination") or ()]
    for place, options in (stanza.get("destination") or {}).items():
        found.append((place, str(options.get("community") or community)))
    return [(*address_of(place), community) for place, community in found]


def address_of(place: str) -> tuple[str, int]:
    """`192.0.2.1:162`, `[2001:db8::1]:162`, or an address alone."""
    host, colon, port = place.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return place.strip("[]"), PORT
    return host.strip("[]"), int(port)


def traps(config: Config) -> Snmp | None:
    """The Snmp port; None without the packages of the extra `snmp`."""
    try:
        from moonpost.adapters.snmp import SnmpTraps
    except ImportError:
        return None
    return SnmpTraps(destinations(config))
