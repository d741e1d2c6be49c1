"""What all sessions of one listener share: where mail goes, who is asked, and what is counted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moonpost.inbound.interface import (
    Authenticator,
    Book,
    Bouncer,
    Expander,
    Keeper,
    Tally,
    Tap,
    Witness,
)
from moonpost.inbound.settings import Cap, ListenSettings
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
    expander: Expander | None = None  # None: there are no aliases
    witness: Witness | None = None
    tap: Callable[[str, str], Tap | None] | None = (
        None  # who writes a session out: (address, label)
    )
    tally: Tally = field(default_factory=Tally)
    now: Callable[[], float] = time.time
    landing: memoryview = field(default_factory=lambda: memoryview(bytearray(LANDING_BYTES)))
    sessions: set[SmtpSession] = field(default_factory=set)
    by_block: Counter[str] = field(default_factory=Counter)  # sessions here, by the block of a Cap
    elsewhere: int = 0  # sessions of this listener in other processes
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def admit(self, session: SmtpSession) -> bool:
        """Count a session in, if the limits of the listener leave room for it."""
        settings, tally = self.settings, self.tally
        tally.connections += 1
        full = _reached(settings.listener_sessions, len(self.sessions) + self.elsewhere)
        if full or _reached(settings.service_sessions, tally.open):
            tally.refused_connections += 1
            return False
        tally.open += 1
        self.sessions.add(session)
        return True

    def identify(self, session: SmtpSession, ip: str, caps: tuple[Cap, ...]) -> bool:
        """Count it for who it is, if the limits of its block leave room for it."""
        if any(self._counted(cap)[cap.block] >= cap.sessions for cap in caps):
            self.tally.refused_connections += 1
            return False
        for cap in caps:
            self._counted(cap)[cap.block] += 1
        session.caps = caps
        session.entry = self.book.opened(ip, SERVICE, self.settings.name)
        return True

    def forget(self, session: SmtpSession) -> None:
        """Count it out again."""
        if session not in self.sessions:
            return
        self.sessions.remove(session)
        self.tally.open -= 1
        if session.entry is not None:
            self.book.closed(session.entry)
        for cap in session.caps:
            counted = self._counted(cap)
            counted[cap.block] -= 1
            if not counted[cap.block]:
                del counted[cap.block]

    def count_elsewhere(self, ip: str, change: int) -> None:
        """A session of this listener began (1) or ended (-1) in another process: limits count it here too."""
        self.elsewhere += change
        self.tally.open += change
        for cap in self.settings.of_peer(ip).caps:
            self._counted(cap)[cap.block] += change

    def _counted(self, cap: Cap) -> Counter[str]:
        return self.tally.by_block if cap.everywhere else self.by_block

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
