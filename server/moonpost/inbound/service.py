"""What all sessions of one listener share: where mail goes, who is asked, and what is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from moonpost.inbound.interface import Authenticator, Bouncer, Keeper, Tally
from moonpost.inbound.registry import Registry
from moonpost.inbound.settings import ListenSettings
from moonpost.policy.interface import Policy
from msys.ports import Log

if TYPE_CHECKING:
    from moonpost.inbound.session import SmtpSession

SERVICE = "SMTP"  # as ac:inbound_session_count names it


@dataclass(slots=True)
class Service:
    """One listener's surroundings."""

    settings: ListenSettings
    policy: Policy
    keeper: Keeper
    log: Log
    registry: Registry
    loop: asyncio.AbstractEventLoop
    bouncer: Bouncer | None = None  # None: senders are not told about refused recipients
    authenticator: Authenticator | None = None  # None: every AUTH fails unless policy passes it
    tally: Tally = field(default_factory=Tally)
    now: Callable[[], float] = time.time
    sessions: set[SmtpSession] = field(default_factory=set)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def admit(self, session: SmtpSession, ip: str) -> bool:
        """Count a session in, if the limits leave room for it."""
        settings, registry = self.settings, self.registry
        self.tally.connections += 1
        caps: list[tuple[int, Callable[[], int]]] = [
            (settings.listener_sessions, partial(registry.total, SERVICE, settings.name)),
            (settings.service_sessions, partial(registry.total, SERVICE)),
        ]
        if settings.peer_caps and ip:
            peer = ip_address(ip.partition("%")[0])
            cap = next((cap for cap in settings.peer_caps if peer in cap.network), None)
            if cap is not None:
                network = str(cap.network)
                caps.append((cap.sessions, partial(registry.count, network, SERVICE)))
        if any(limit and count() >= limit for limit, count in caps):
            self.tally.refused_connections += 1
            return False
        registry.add(SERVICE, settings.name, ip)
        session.peer_ip = ip
        self.sessions.add(session)
        return True

    def forget(self, session: SmtpSession) -> None:
        """Count it out again."""
        if session.peer_ip is not None:
            self.registry.remove(SERVICE, self.settings.name, session.peer_ip)
            session.peer_ip = None
        self.sessions.discard(session)

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Finish something that no connection waits for."""
        task = self.loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Wait for everything in the background."""
        while self._running:
            await asyncio.wait(set(self._running))
