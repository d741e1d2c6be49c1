"""SNMP traps: version 2c messages, made by pysnmp, sent as UDP datagrams."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from pyasn1.codec.ber import encoder
from pysnmp.proto import rfc1902
from pysnmp.proto.api import v2c

from msys.lua.bytestr import to_bytes
from msys.ports import PortError

VALUES = {
    "string": lambda value: rfc1902.OctetString(to_bytes(str(value))),
    "counter": lambda value: rfc1902.Counter32(int(value)),
    "gauge": lambda value: rfc1902.Gauge32(int(value)),
    "IP": lambda value: rfc1902.IpAddress(str(value)),
}


def oid_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def encode_trap(
    oid: str, variable: str, kind: str, value: str | int, community: str, uptime_s: float
) -> bytes:
    """One trap as it goes on the wire."""
    pdu = v2c.TrapPDU()
    v2c.apiTrapPDU.set_defaults(pdu)
    v2c.apiTrapPDU.set_varbinds(
        pdu,
        [
            (
                v2c.ObjectIdentifier((1, 3, 6, 1, 2, 1, 1, 3, 0)),
                v2c.TimeTicks(int(uptime_s * 100) % 2**32),
            ),
            (v2c.apiTrapPDU.snmpTrapOID, v2c.ObjectIdentifier(oid_of(oid))),
            (v2c.ObjectIdentifier(oid_of(variable)), VALUES[kind](value)),
        ],
    )
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, community)
    v2c.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


class SnmpTraps:
    """The Snmp port. destinations: (address, port, community) of the configuration."""

    def __init__(self, destinations: Sequence[tuple[str, int, str]] = ()) -> None:
        self._destinations = tuple(destinations)
        self._began = time.monotonic()

    def trap(
        self,
        oid: str,
        variable: str,
        kind: str,
        value: str | int,
        destination: tuple[str, int] | None,
        community: str | None,
    ) -> None:
        targets = self._destinations if destination is None else ((*destination, "public"),)
        if not targets:
            raise PortError(
                "NO_DESTINATION", "trap not sent: no Destination in SNMP_Traps, no address given"
            )
        for host, port, its_community in targets:
            packet = encode_trap(
                oid,
                variable,
                kind,
                value,
                community or its_community,
                time.monotonic() - self._began,
            )
            try:
                self._send(host, port, packet)
            except OSError as error:
                raise PortError("SEND", f"trap to {host}:{port} not sent: {error}") from None

    def _send(self, host: str, port: int, packet: bytes) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.setblocking(False)
            udp.sendto(packet, (host, port))
