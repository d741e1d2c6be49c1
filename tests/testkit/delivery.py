"""A queue with a spool, a journal that remembers, and hosts from a table: delivery on loopback, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moonpost.adapters.clock import LoopClock
from moonpost.outbound.answers import Outcome
from moonpost.queue.journal import Attempt, Everybody
from moonpost.queue.keeper import Internal, SpoolKeeper
from moonpost.queue.manager import QueueManager
from moonpost.spool.interface import Spool
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.spool.record import Record
from msys.message import Message
from msys.ports import Clock
from msys.testing.fakes import FakeDns

MANAGER_OPTIONS = (
    "notifier", "hooks", "open_connection", "most_connections", "host_option", "scope_of",
    "static_route", "trust",
)  # fmt: skip
Event = tuple[str, str, str]  # kind, message id, text


class RememberingJournal:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.attempts: list[Attempt] = []

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        self.events.append(("R", record.id, ""))

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._note("D", record, attempt, outcome)

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._note("T", record, attempt, outcome)

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._note("P", record, attempt, outcome)

    def _note(self, kind: str, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self.events.append((kind, record.id, outcome.text))
        self.attempts.append(attempt)

    def kinds(self) -> str:
        return "".join(kind for kind, *_ in self.events)

    def texts(self, kind: str) -> list[str]:
        return [text for found, _, text in self.events if found == kind]


class Onlooker:
    """Policy that has nothing to say."""

    def login(self, *_: Any) -> Any:
        return None

    async def before_requeue(self, *_: Any) -> None:
        pass

    async def logged(self, *_: Any) -> None:
        pass


@dataclass(slots=True)
class Line:
    """The line from acceptance to the receiving host."""

    spool: Spool
    manager: QueueManager
    keeper: SpoolKeeper
    journal: RememberingJournal
    options: dict[str, Any] = field(default_factory=dict)

    async def send(
        self,
        *recipients: str,
        sender: str = "a@a.test",
        content: bytes = b"Subject: x\r\n\r\nhi\r\n",
    ) -> list[Record]:
        """Accept one message for these recipients."""
        message = Message(content=content, mailfrom=sender, rcptto=recipients[0])
        copies = [message.copy_for(recipient) for recipient in recipients]
        await self.keeper.keep(copies, Internal(self.manager.clock.now()))
        return [self.keeper.record(copy, Internal(0)) for copy in copies]

    async def until(self, done: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait for something to come true."""
        async with asyncio.timeout(timeout_s):
            while not done():
                await asyncio.sleep(0.005)

    async def events(self, count: int, timeout_s: float = 10.0) -> str:
        """The kinds of the first so many events that are no receptions, when they have happened."""
        await self.until(lambda: len(self.journal.kinds().replace("R", "")) >= count, timeout_s)
        return self.journal.kinds().replace("R", "")


@asynccontextmanager
async def line(
    folder: Path, port: int, *, spool: Spool | None = None, clock: Clock | None = None, **given: Any
) -> AsyncIterator[Line]:
    """Everything for every domain goes to 127.0.0.1:`port`, unless `routes` says otherwise.

    adaptive: makes adaptive delivery from the options that the queues would see without it.
    """
    options: dict[str, Any] = {"remote_smtp_port": port, "routes": ["127.0.0.1"], "idle_timeout": 1}
    hosts, given_dns = given.pop("dns", {}), given.pop("dns_port", None)
    make_adaptive = given.pop("adaptive", None)
    manager_options = {name: given.pop(name) for name in MANAGER_OPTIONS if name in given}
    options.update(given)

    def option(name: str, binding: str, domain: str) -> Any:
        value = options.get(f"{binding}:{domain}:{name}", options.get(f"{domain}:{name}"))
        return options.get(name) if value is None else value

    adaptive = make_adaptive(option) if make_adaptive is not None else None
    clock = clock or LoopClock()
    spool = spool or LmdbSpool(folder / "spool", min_free_bytes=0)
    journal = RememberingJournal()
    told = Everybody(journal, adaptive) if adaptive else journal
    manager = QueueManager(
        spool,
        given_dns or FakeDns(hosts),
        clock,
        adaptive.option if adaptive else option,
        hostname="mta.test",
        journal=told,
        **manager_options,
    )
    if adaptive:
        adaptive.changed = manager.reconsider
        manager.revisers.append(adaptive.revise)
    keeper = SpoolKeeper(spool, manager.accepted, option, told, clock.now, hostname="mta.test")
    await manager.start()
    try:
        yield Line(spool, manager, keeper, journal, options)
    finally:
        await manager.stop(1.0)
        await spool.close()
