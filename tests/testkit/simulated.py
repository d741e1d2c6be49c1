"""Delivery in simulated time: real queues and spool rules, hosts that are functions, days in seconds.

`async with world(host, **options) as made:` then `made.accept(...)` and `await made.until(seconds)`. A host is asked
`(now, domain, recipient) -> reply`: a code and text, or an exception for a connection that cannot be made. Nothing in it
waits for real time, so what happens depends on the options alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from moonpost.outbound.answers import Answer, Outcome, Stage
from moonpost.outbound.connection import Connection, ConnectionFailed, Target
from moonpost.outbound.letters import Letter
from moonpost.queue.journal import Attempt
from moonpost.queue.keeper import Internal, SpoolKeeper
from moonpost.queue.manager import QueueManager
from moonpost.spool.memory import MemorySpool
from moonpost.spool.record import Record
from msys.message import Message
from msys.testing.fakes import FakeClock, FakeDns

Host = Callable[[float, str, str], str]  # seconds since the start, address, recipient -> `250 ok`
Told = tuple[float, str, str, str]  # seconds since the start, kind, recipient, text
STEPS = 40  # turns of the loop in which everything that can happen at one moment has happened


class SlowClock(FakeClock):
    """A FakeClock whose sleepers sleep until somebody else moves it on."""

    def sleep(self, seconds: float) -> Any:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        self.call_later(seconds, wake)
        return woken

    @property
    def next_at(self) -> float | None:
        return self._due[0][0] if self._due else None


class Talk:
    """What stands in for a Connection: each letter is answered at once."""

    def __init__(self, made: World, target: Target, idle_s: float, on_idle_end: Any) -> None:
        self.usable, self.shows_client = True, False
        self.delivered = self.recipients = self.bytes_sent = 0
        self._made, self._target, self._idle_s = made, target, idle_s
        self._on_idle_end = on_idle_end
        self._cancel: Callable[[], None] = lambda: None
        self._rest()

    async def send(self, letter: Letter) -> tuple[Outcome, ...]:
        outcomes = []
        for recipient in letter.recipients:
            reply = self._made.host(self._made.seconds, self._target.address, recipient)
            code, _, text = reply.partition(" ")
            outcomes.append(Answer(int(code), (text,)).outcome(Stage.CONFIRMATION))
        self.recipients += len(letter.recipients)
        self.delivered += any(outcome.code < 300 for outcome in outcomes)
        self._made.letters.append((self._made.seconds, len(letter.recipients)))
        self._rest()
        return tuple(outcomes)

    def _rest(self) -> None:
        self._cancel()
        self._cancel = self._made.clock.call_later(self._idle_s, self._end)

    def _end(self) -> None:
        self.usable = False
        self._on_idle_end(self)

    def close(self) -> None:
        self.usable = False
        self._cancel()


@dataclass(slots=True)
class World:
    """Queues, a spool, hosts and a clock."""

    host: Host
    clock: SlowClock
    options: dict[str, Any]
    told: list[Told] = field(default_factory=list)
    letters: list[tuple[float, int]] = field(default_factory=list)  # when, recipients
    calls: list[tuple[float, str]] = field(default_factory=list)  # when, address
    warned: list[tuple[float, str, str]] = field(default_factory=list)  # when, kind, recipient
    start: float = 0.0
    spool: MemorySpool = field(default_factory=MemorySpool)
    manager: QueueManager = field(init=False)
    keeper: SpoolKeeper = field(init=False)

    @property
    def seconds(self) -> float:
        return round(self.clock.now() - self.start, 6)

    async def accept(self, *recipients: str) -> None:
        """One message to each, together."""
        message = Message(content=b"\r\nx\r\n", mailfrom="a@a.test", rcptto=recipients[0])
        copies = [message.copy_for(recipient) for recipient in recipients]
        await self.keeper.keep(copies, Internal(self.clock.now()))
        await self.settled()

    async def settled(self) -> None:
        """Everything that can happen now has happened."""
        quiet = 0
        while quiet < STEPS:
            seen = len(self.told), len(self.calls), len(self.letters)
            await asyncio.sleep(0)
            quiet = quiet + 1 if seen == (len(self.told), len(self.calls), len(self.letters)) else 0

    async def until(self, seconds: float) -> None:
        """Let time pass, to this many seconds after the start."""
        await self.settled()
        while self.clock.next_at is not None and self.clock.next_at <= self.start + seconds:
            self.clock.advance(self.clock.next_at - self.clock.now())
            await self.settled()
        self.clock.advance(self.start + seconds - self.clock.now())
        await self.settled()

    def attempts(self, recipient: str) -> list[float]:
        """When a message was tried: deferrals, deliveries and refusals of a host, not what we gave up ourselves."""
        return [
            at for at, kind, whom, text in self.told
            if whom == recipient and kind in "TD"
        ]  # fmt: skip

    def end(self, recipient: str) -> tuple[float, str, str]:
        """When and how a message ended."""
        ((at, kind, _, text),) = [
            one for one in self.told if one[2] == recipient and one[1] in "DP"
        ]
        return at, kind, text

    # Journal

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        pass

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._note("D", record, outcome)

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._note("T", record, outcome)

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._note("P", record, outcome)

    def _note(self, kind: str, record: Record, outcome: Outcome) -> None:
        self.told.append((self.seconds, kind, record.recipient, outcome.text))

    async def tell(self, kind: str, record: Record) -> None:
        self.warned.append((self.seconds, kind, record.recipient))


class Notifier:
    """Remembers whom it would have told."""

    def __init__(self, made: World) -> None:
        self._made = made

    async def failed(self, record: Record, *_: Any) -> None:
        await self._made.tell("failed", record)

    async def delayed(self, record: Record, *_: Any) -> None:
        await self._made.tell("delayed", record)


@asynccontextmanager
async def world(host: Host, **options: Any) -> AsyncIterator[World]:
    """`dns` gives records; `DOMAIN:option` is for one domain; every domain goes to 192.0.2.1 unless `routes` say so."""
    clock = SlowClock()
    dns = FakeDns(options.pop("dns", {}))
    scope_of = options.pop("scope_of", None)
    made = World(host, clock, {"routes": ["192.0.2.1"], **options}, start=clock.now())

    def option(name: str, _binding: str, domain: str) -> Any:
        value = made.options.get(f"{domain}:{name}")
        return made.options.get(name) if value is None else value

    async def open_connection(
        target: Target, settings: Any, timeouts: Any, tls: Any, on_idle_end: Any
    ) -> Connection:
        made.calls.append((made.seconds, target.address))
        reply = made.host(made.seconds, target.address, "")
        if not reply.startswith("2"):
            code, _, text = reply.partition(" ")
            stage = Stage.NOT_CONNECTED
            raise ConnectionFailed(Answer(int(code), (text,)).outcome(stage))
        return cast(Connection, Talk(made, target, timeouts["idle_timeout"], on_idle_end))

    made.manager = QueueManager(
        made.spool, dns, clock, option, hostname="mta.test", journal=made, notifier=Notifier(made),
        open_connection=open_connection, scope_of=scope_of,
    )  # fmt: skip
    made.keeper = SpoolKeeper(
        made.spool, made.manager.accepted, option, made, clock.now, hostname="mta.test"
    )
    await made.manager.start()
    try:
        yield made
    finally:
        await made.manager.stop(0.1)
