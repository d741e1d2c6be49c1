"""Who is connected, and what the inbound audit counted: the Sessions port, fed by the listeners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msys.ports import PortError
from msys.ports.memory_state import Windows, address, block_total, network

KINDS = ("connections", "receptions", "rejections")


@dataclass(frozen=True, slots=True)
class Open:
    """One open session, to hand back when it ends."""

    ip: str
    service: str
    listener: str


class SessionBook:
    """The Sessions port. monitors: `"<seconds>,<windows>"` as configured. now: seconds since the epoch."""

    def __init__(self, monitors: Sequence[str] = (), *, now: Callable[[], float]) -> None:
        self._now = now
        self._open: Counter[Open] = Counter()
        self._monitors = {
            monitor: {(kind, family): _windows(monitor) for kind in KINDS for family in (4, 6)}
            for monitor in monitors
        }

    def opened(self, ip: str, service: str = "SMTP", listener: str = "") -> Open:
        """A session began; also counts a connection."""
        session = Open(ip, service, listener)
        self._open[session] += 1
        self.counted("connections", ip)
        return session

    def closed(self, session: Open) -> None:
        """It ended."""
        self._open[session] -= 1
        if self._open[session] <= 0:
            del self._open[session]

    def counted(self, kind: str, ip: str) -> None:
        """Count one of KINDS for an address."""
        if not self._monitors:
            return
        where = address(ip)
        if where is None:
            return
        for counts in self._monitors.values():
            counts[kind, where.version].add(int(where), 1, self._now())

    def count(self, cidr: str, service: str, listener: str | None = None) -> int:
        block = network(cidr)
        if block is None:
            return 0
        return sum(
            number
            for session, number in self._open.items()
            if session.service == service
            and listener in (None, session.listener)
            and (where := address(session.ip)) is not None
            and where in block
        )

    def monitor(self, kind: str, monitor: str, cidr: str, start: int, end: int) -> float:
        counts = self._monitors.get(monitor)
        if counts is None:
            raise PortError("UNDEFINED", f"monitor '{monitor}' is not configured")
        block = network(cidr)
        if block is None:
            return 0
        return block_total(counts[kind, block.version], block, start, end, self._now())


def _windows(monitor: str) -> Windows:
    seconds, _, windows = monitor.partition(",")
    try:
        return Windows(float(seconds), int(windows))
    except ValueError:
        raise PortError(
            "BAD_MONITOR", f"monitor '{monitor}' is not '<seconds>,<windows>'"
        ) from None
