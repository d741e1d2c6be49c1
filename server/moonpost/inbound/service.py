"""What all sessions of one listener share: where mail goes, who is asked, and what is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from moonpost.inbound.interface import Authenticator, Book, Bouncer, Keeper, Tally, Witness
from moonpost.inbound.settings import ListenSettings
from moonpost.policy.interface import Policy
from msys.ports import Log

if TYPE_CHECKING:
    from moonpost.inbound.session import SmtpSession

LANDING_BYTES = 262_144  # what asyncio would allocate for every read
SERVICE = "SMTP"  # as ac:inbound_session_count names it


@dataclass(slots=True)
class Service:
    """One listener's surroundings."""

    settings: ListenSettings
    policy: Policy
    keeper: Keeper
    log: Log
    book: Book
    loop: asyncio.AbstractEventLoop
    bouncer: Bouncer | None = None  # None: senders are not told about refused recipients
    authenticator: Authenticator | None = None  # None: every AUTH fails unless policy passes it
    witness: Witness | None = None
    tally: Tally = field(default_factory=Tally)
    now: Callable[[], float] = time.time
    landing: memoryview = field(default_factory=lambda: memoryview(bytearray(LANDING_BYTES)))
    sessions: set[SmtpSession] = field(default_factory=set)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def admit(self, session: SmtpSession, ip: str) -> bool:
        """Count a session in, if the limits leave room for it."""
        settings, tally = self.settings, self.tally
        tally.connections += 1
        full = _reached(settings.listener_sessions, len(self.sessions))
        full = full or _reached(settings.service_sessions, tally.open)
        if settings.peer_caps and ip and not full:
            peer = ip_address(ip.partition("%")[0])
            cap = next((cap for cap in settings.peer_caps if peer in cap.network), None)
            full = cap is not None and _reached(
                cap.sessions, self.book.count(str(cap.network), SERVICE)
            )
        if full:
            tally.refused_connections += 1
            return False
        tally.open += 1
        session.entry = self.book.opened(ip, SERVICE, settings.name)
        self.sessions.add(session)
        return True

    def forget(self, session: SmtpSession) -> None:
        """Count it out again."""
        if session in self.sessions:
            self.sessions.remove(session)
            self.book.closed(session.entry)
            self.tally.open -= 1

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Finish something that no connection waits for."""
        self.watch(self.loop.create_task(work))

    def watch(self, task: asyncio.Task[None]) -> None:
        """A task that a stop waits for."""
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Wait for everything in the background."""
        while self._running:
            await asyncio.wait(set(self._running))


def _reached(limit: int, now: int) -> bool:
    return bool(limit) and now >= limit
