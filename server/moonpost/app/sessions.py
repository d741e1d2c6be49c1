"""The Sessions port: who is connected from the listeners' registry, what came before from the inbound audit."""

from __future__ import annotations

from moonpost.adapters.sessions import SessionBook
from moonpost.inbound.registry import Registry
from msys.ports import Later


class ServerSessions:
    """Counts of this process."""

    def __init__(self, registry: Registry, audit: SessionBook) -> None:
        self._registry = registry
        self._audit = audit

    def count(self, cidr: str, service: str, listener: str | None = None) -> int:
        return self._registry.count(cidr, service, listener)

    def monitor(self, kind: str, monitor: str, cidr: str, start: int, end: int) -> Later[float]:
        return self._audit.monitor(kind, monitor, cidr, start, end)
