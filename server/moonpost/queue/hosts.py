"""Which of a domain's hosts to connect to next.

Pure. A worse preference is never used while a better one is reachable; equal ones are filled evenly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Place = tuple[str, int]  # address and port


class Host(NamedTuple):
    """One address that takes a domain's mail."""

    name: str
    address: str
    port: int
    preference: int = 0

    @property
    def place(self) -> Place:
        """What is quarantined and counted: two names may stand for the same place."""
        return self.address, self.port


def choose(
    hosts: Sequence[Host],
    now: float,
    quarantined_until: Mapping[Place, float],
    connections: Mapping[Place, int],
) -> Host | None:
    """The host for the next connection; None: all failed a moment ago."""
    usable = [host for host in hosts if quarantined_until.get(host.place, 0) <= now]
    if not usable:
        return None
    return min(usable, key=lambda host: (host.preference, connections.get(host.place, 0)))


def usable_at(hosts: Sequence[Host], quarantined_until: Mapping[Place, float]) -> float:
    """When the first of them may be tried again."""
    return min((quarantined_until.get(host.place, 0.0) for host in hosts), default=0.0)


def wanted_connections(ready: int, aggressiveness: float, most: int) -> int:
    """How many connections so many ready messages deserve: one for the first, then a share for each."""
    if ready <= 0:
        return 0
    return max(1, min(most, round(1 + (ready - 1) * aggressiveness)))
