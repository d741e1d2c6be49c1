"""A process that accepts mail: runs sessions and policy, writes to the spool, and tells the owner what it wrote.

`python -m moonpost.app.processes.acceptor DESCRIPTOR`: started by the owner, with one end of a socket pair. It is
handed configuration and policy, and reads neither. When the owner is gone it finishes the replies under way and ends.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import traceback
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from moonpost.adapters.clock import LoopClock
from moonpost.app.delivery_hooks import DeliveryHooks
from moonpost.app.events import EventStream
from moonpost.app.listeners import esmtp_listeners, hostname
from moonpost.app.log import ServerLog
from moonpost.app.outbox import Injection, Outbox
from moonpost.app.policy import How, Running, monitors, stanzas, start_policy
from moonpost.app.processes.book import CLOSED, OPENED, Event, SharedBook
from moonpost.app.processes.link import (
    Abandon,
    Adopt,
    Alive,
    Answer,
    Begin,
    Configure,
    Delay,
    Failed,
    Link,
    Ping,
    Prepare,
    Prepared,
    Ready,
    Reopen,
    Sessions,
    Staged,
    Stop,
    Traced,
)
from moonpost.app.processes.telling import FollowingConfiguration, Questions, Telling
from moonpost.app.receiving import Reception, services
from moonpost.app.sockets import without_path
from moonpost.app.starting import reason
from moonpost.app.storage import open_logs
from moonpost.app.vitals import start_vitals
from moonpost.config.model import Config
from moonpost.observe.trace import Tracers
from moonpost.outbound.notices import Notices
from moonpost.policy.generation import Generation
from moonpost.policy.host import Host
from moonpost.policy.loader import Handed, LoadFailed
from moonpost.policy.timing import TIMINGS
from moonpost.queue.journal import Everybody
from moonpost.queue.keeper import Internal, SpoolKeeper
from moonpost.spool.lmdb_store import LmdbSpool
from msys.bounce_codes import SMTP_RULES, match
from msys.validate.automatic import registrations


class Acceptor:
    """Everything of one accepting process."""

    def __init__(self, begin: Begin, link: Link) -> None:
        self._begin, self._link = begin, link
        self._stack = AsyncExitStack()
        self._clock = LoopClock()
        self.live = FollowingConfiguration(begin.staged.config, link)
        self._questions = Questions(link)
        self.ending = asyncio.Event()
        self._staged: tuple[Staged, Generation] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()  # first come, first served
        self._telling = Telling(link)
        self._tracers = Tracers(self._clock.now, lambda: int(self.live.option("trace_smtp_mode")))
        self._stack.callback(self._tracers.close)

    # --- life

    async def start(self) -> None:
        """Start all parts and accept. Raises what prevented it, with nothing left running."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def _start(self) -> None:
        config, staged = self.live.current, self._begin.staged
        self._logs = open_logs(
            config, self._clock.now, lambda text, domain: match(SMTP_RULES, text, domain)
        )
        self._stack.callback(self._logs.close)
        events = EventStream(self._logs.events, self._clock.now)
        events.watchers.append(self._telling.event)
        self._log = ServerLog(self._logs.troubles, events)
        spool = LmdbSpool(Path(config.option("spoolbase")), owner=False)
        self._stack.push_async_callback(spool.close)
        self._book = SharedBook(monitors(config), now=self._clock.now, tell=self._telling.session)
        how = How(compiled=self._begin.ahead, book=self._book, staged=staged)
        running = await start_policy(self.live, self._clock, self._log, events, self._stack, how)
        self._running = running
        keeper, notices = self._line_to_spool(spool, events, running)
        self.reception = Reception(
            *services(
                self.live, running, keeper, notices, self._log, events, self._clock.now,
                self._tracers.inbound,
            )
        )  # fmt: skip
        for settings in esmtp_listeners(config):
            descriptor = self._begin.sockets.get(settings.name)
            if descriptor is not None:
                listening = socket.socket(fileno=descriptor)
                await self.reception.open(without_path(settings), listening)
        start_vitals(spool.folder, self._vitals, self._log, self._stack)
        self._tracers.follow(self._begin.traced)
        for session, number in self._begin.opened.items():
            self._heard([(OPENED, session)] * number)

    def _vitals(self) -> Mapping[str, Any]:
        """What `moonpost top` shows of this process; called in a thread of its own."""
        generation = self._running.host.current().number
        return {
            "role": "acceptor",
            "sessions": self.reception.tally.open,
            "generation": generation,
        }

    def _line_to_spool(
        self, spool: LmdbSpool, events: EventStream, running: Running
    ) -> tuple[SpoolKeeper, Notices]:
        """From a session, or from policy that sends mail, to the spool: the same steps as in one process."""
        config, name = self.live.current, hostname(self.live.current)
        keeper = SpoolKeeper(
            spool,
            self._telling.kept,
            self.live.delivery_option,
            Everybody(self._logs.mail, events),
            self._clock.now,
            hostname=name,
            group_of=lambda binding: self.live.current.group_of(binding),
        )
        injection = Injection(running.host, keeper, self._clock, self._log, events)
        running.ports.outbox = Outbox(
            injection,
            lambda domain, note: self._link.send(Delay(domain, note)),
            partial(self._questions.ask, "domain"),
            partial(self._questions.ask, "failure_rate"),
        )
        hooks = DeliveryHooks(running.host, self._log, lambda _domain: None, events)
        notices = Notices(
            injection.inject,
            self.live.delivery_option,
            self._clock.now,
            hostname(config),
            lambda message: keeper.record(message, Internal(self._clock.now())),
            hooks,
        )
        return keeper, notices

    async def stop(self) -> None:
        """Let replies under way go out, and end."""
        await self.reception.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._stack.aclose()
        self._telling.flush()

    # --- what the owner says

    async def listen(self) -> None:
        """Do as the owner says until it is gone or says stop; goes on answering while we stop."""
        while (message := await self._link.receive()) is not None:
            self._obey(message)
        self._questions.nobody_answers()
        self.ending.set()

    def _obey(self, message: Any) -> None:
        match message:
            case Prepare(staged):
                self._in_turn(self._prepare(staged))
            case Adopt(number):
                self._in_turn(self._adopt(number))
            case Abandon():
                self._in_turn(self._abandon())
            case Configure(config):
                self._configure(config)
            case Sessions(events):
                self._heard(events)
            case Answer(ticket, value):
                self._questions.answered(ticket, value)
            case Ping():
                self._link.send(self._alive())
            case Traced(tracers):
                self._tracers.follow(tracers)
            case Reopen():
                self._logs.reopen()
            case Stop():
                self.ending.set()

    async def _prepare(self, staged: Staged) -> None:
        problems: Sequence[str] = ()
        handed = self._running.loads
        assert isinstance(handed, Handed)
        handed.compiled = staged.compiled
        config = staged.config
        try:
            generation = await self._host.stage(
                stanzas(config), registrations(config.judging), staged.number
            )
            self._staged = (staged, generation)
        except LoadFailed as failed:
            problems = failed.problems
        except Exception:
            problems = [f"internal error: {traceback.format_exc()}"]
        self._link.send(Prepared(staged.number, problems))

    async def _adopt(self, number: int) -> None:
        if self._staged is None or self._staged[0].number != number:
            return  # it could not be built here, and was abandoned by all
        (staged, generation), self._staged = self._staged, None
        self._host.adopt(generation)
        self._configure(staged.config)

    async def _abandon(self) -> None:
        if self._staged is not None:
            (_, generation), self._staged = self._staged, None
            await self._host.abandon(generation)

    def _configure(self, config: Config) -> None:
        self.live.adopt(config)
        self.reception.change(without_path(each) for each in esmtp_listeners(config))

    def _heard(self, events: Sequence[Event]) -> None:
        self._book.heard(events)
        for what, session in events:
            listener = self.reception.listeners.get(session.listener)
            if listener is not None and what in (OPENED, CLOSED):
                change = 1 if what == OPENED else -1
                listener.service.count_elsewhere(session.ip, change)

    def _alive(self) -> Alive:
        pools = self._running.ports.pools
        return Alive(
            tally=self.reception.tally,
            generations={each.number: each.users for each in self._host.generations()},
            pools={name: pools.stats(name) for name in pools.names()},
            latest=self._log.lines(),
            timings=TIMINGS.all(),
        )

    @property
    def _host(self) -> Host:
        return self._running.host

    def _in_turn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this when what was asked before is done, beside everything else."""

        async def later() -> None:
            async with self._one_at_a_time:
                await work

        task = asyncio.ensure_future(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def run(descriptor: int) -> int:
    """The whole life of the process; its exit code."""
    link = await Link.over(socket.socket(fileno=descriptor))
    begin = await link.receive()
    if begin is None:
        return 1
    acceptor = Acceptor(begin, link)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, acceptor.ending.set)
    for number in (signal.SIGINT, signal.SIGHUP):  # the owner's affair
        loop.add_signal_handler(number, lambda: None)
    try:
        await acceptor.start()
    except Exception as error:
        told = reason(error)
        link.send(Failed(told or traceback.format_exc(), ours=told is None))
        await link.close()
        return 1
    link.send(Ready())
    listening = asyncio.ensure_future(acceptor.listen())
    await acceptor.ending.wait()
    await acceptor.stop()
    listening.cancel()
    await link.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(run(int(sys.argv[1]))))
