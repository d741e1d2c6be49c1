"""Who is connected: counts by network for limits and for policy.

Shared by all listeners of a process. Counts by single address are kept; wider networks are summed when asked, which
policy does rarely. Knows nothing of sockets.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network


class Registry:
    """Open sessions by service, listener and peer address."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Counter[str]] = {}  # (service, listener) -> by address

    def add(self, service: str, listener: str, ip: str) -> None:
        """A session began."""
        self._counts.setdefault((service, listener), Counter())[ip] += 1

    def remove(self, service: str, listener: str, ip: str) -> None:
        """It ended."""
        counts = self._counts[service, listener]
        counts[ip] -= 1
        if counts[ip] <= 0:
            del counts[ip]

    def total(self, service: str, listener: str | None = None) -> int:
        """All sessions of a service, or of one of its listeners."""
        return sum(counts.total() for counts in self._matching(service, listener))

    def count(self, cidr: str, service: str, listener: str | None = None) -> int:
        """Sessions from a network (`10.0.0.0/8`, or an address). ValueError when it is none."""
        network = ip_network(cidr, strict=False)
        found = 0
        for counts in self._matching(service, listener):
            if network.num_addresses == 1:
                found += counts[str(network.network_address)]
            else:
                found += sum(
                    number
                    for ip, number in counts.items()
                    if ip and ip_address(ip.partition("%")[0]) in network
                )
        return found

    def _matching(self, service: str, listener: str | None) -> list[Counter[str]]:
        return [
            counts
            for (of_service, of_listener), counts in self._counts.items()
            if of_service == service and listener in (None, of_listener)
        ]
