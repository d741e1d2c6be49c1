"""A small authoritative DNS server for tests and the demo: one zone in a dictionary, over UDP on loopback.

Not a stand-in for a real server in the DNS tests, which talk to nsd: it is here where Debian packages may be missing.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], list[str]]  # (name, type) -> records as text


def answer(zone: Zone, wire: bytes) -> bytes:
    """The reply to one query."""
    query = dns.message.from_wire(wire)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    rtype = dns.rdatatype.to_text(question.rdtype)
    records = zone.get((name, rtype))
    if records:
        reply.answer.append(
            dns.rrset.from_text(question.name, 60, dns.rdataclass.IN, question.rdtype, *records)
        )
    elif not any(known == name for known, _ in zone):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire()


class ZoneServer:
    """Answers in a thread until it is closed. `address` is `127.0.0.1:port`."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                wire, peer = self._socket.recvfrom(4096)
            except OSError:
                return  # closed
            if not wire:
                return
            self._socket.sendto(answer(self._zone, wire), peer)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", self._socket.getsockname())
        self._thread.join(2)
        self._socket.close()
