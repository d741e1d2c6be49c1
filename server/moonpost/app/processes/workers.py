"""The acceptors as the owner sees them: started, watched, told of reloads, started again when one dies, stopped.

A dead acceptor takes its open sessions with it and nothing else: what it acknowledged is in the spool, which is
searched for mail that it had no time to tell of. One that does not answer is killed.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from time import monotonic
from typing import Any

from moonpost.app.processes.book import CLOSED, Event, note, sum_of
from moonpost.app.processes.link import (
    Abandon,
    Adopt,
    Alive,
    Answer,
    Ask,
    Begin,
    Changed,
    Configure,
    Delay,
    Failed,
    Happened,
    Kept,
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
from moonpost.app.processes.totals import tallied
from moonpost.app.processes.worker import Owner, Worker
from moonpost.app.starting import CannotStart
from moonpost.config.model import Config
from moonpost.inbound.interface import Tally

PAUSES_S = (
    0.0,
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
    30.0,
)  # chosen: before the first, second, ... restart in a row
WELL_AFTER_S = 60.0  # chosen: who lived so long is started at once again
PING_S = 1.0
STUCK_AFTER = 30  # pings; chosen: far longer than policy may compute without waiting
READY_S = 120.0  # chosen: a start loads compiled policy, runs `init` and may wait for databases
AGREE_S = 60.0
STOP_S = 60.0  # a listener waits 30 s for replies under way


class Workers:
    """All acceptors of the server."""

    def __init__(
        self,
        owner: Owner,
        sockets: Mapping[str, Sequence[socket.socket]],
        count: int,
        staged: Callable[[], Staged],
        *,
        ahead: bool = False,
    ) -> None:
        """sockets: for each Listen, one for each acceptor. staged: the generation in force."""
        self._owner = owner
        self._staged = staged
        self._ahead = ahead
        self._stopping = False
        self._agreed: tuple[Staged, set[Worker]] | None = (
            None  # what is to be adopted next, and who built it
        )
        self.workers = [
            Worker(number + 1, {name: each[number] for name, each in sockets.items()})
            for number in range(count)
        ]
        self._lives: list[asyncio.Task[None]] = []
        self._pinging: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start all of them; CannotStart when one cannot."""
        try:
            async with asyncio.timeout(READY_S):
                problems = await asyncio.gather(*map(self._begin, self.workers))
        except TimeoutError:
            problems = [f"an acceptor was not ready after {READY_S:g} s"]
        if wrong := list(dict.fromkeys(problem for problem in problems if problem)):
            await self._kill_all()
            raise CannotStart("\n".join(wrong))
        self._lives = [asyncio.ensure_future(self._live(worker)) for worker in self.workers]
        self._pinging = asyncio.ensure_future(self._ping())

    async def stop(self) -> None:
        """Have all finish the replies under way; kill who takes too long."""
        self._stopping = True
        if self._pinging is not None:
            self._pinging.cancel()
        for worker, life in zip(self.workers, self._lives, strict=False):
            if worker.ready:
                worker.send(Stop())
            else:
                life.cancel()  # it waits before it starts another
        if self._lives:
            await asyncio.wait(self._lives, timeout=STOP_S)
        await self._kill_all()
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        self.keep_only(())

    # --- one generation after the other

    async def agree(self, staged: Staged) -> list[str]:
        """Have every acceptor build a generation; why one cannot, and then it is abandoned everywhere."""
        asked = {}
        for worker in self.workers:
            if worker.ready:
                worker.prepared = asked[worker] = asyncio.get_running_loop().create_future()
                worker.send(Prepare(staged))
        self._agreed = (staged, set(asked))
        if asked:
            await asyncio.wait(asked.values(), timeout=AGREE_S)
        problems = []
        for worker, prepared in asked.items():
            worker.prepared = None
            if not prepared.done():
                problems.append(f"{worker.name} did not load it within {AGREE_S:g} s")
            else:
                problems += [f"{worker.name}: {text}" for text in prepared.result()]
        if problems:
            self.tell_all(Abandon(staged.number))
            self._agreed = None
        return problems

    def adopt(self) -> None:
        """What they agreed to is in force; who came later builds it now."""
        if self._agreed is None:
            return
        (staged, asked), self._agreed = self._agreed, None
        for worker in self.workers:
            if worker not in asked:
                worker.send(Prepare(staged))
            worker.send(Adopt(staged.number))

    def configure(self, config: Config) -> None:
        """The configuration changed without a new generation."""
        self.tell_all(Configure(config))

    def trace(self) -> None:
        """Tracers came or went."""
        self.tell_all(Traced(self._owner.traced()))

    def reopen_logs(self) -> None:
        self.tell_all(Reopen())

    def tell_all(self, message: Any) -> None:
        for worker in self.workers:
            worker.send(message)

    # --- for the console

    @property
    def names(self) -> list[str]:
        """The Listens that acceptors listen at."""
        return list(self.workers[0].sockets)

    @property
    def addresses(self) -> list[str]:
        """`address:port` of each."""
        found = (each.getsockname() for each in self.workers[0].sockets.values())
        return [f"{name[0]}:{name[1]}" for name in found if isinstance(name, tuple)]

    def keep_only(self, names: Container[str]) -> None:
        """Close our hold on the sockets of other Listens; acceptors have closed theirs."""
        for worker in self.workers:
            for name in [name for name in worker.sockets if name not in names]:
                worker.sockets.pop(name).close()

    def rows(self) -> list[dict[str, Any]]:
        """One for each acceptor."""
        return [
            {
                "acceptor": worker.number,
                "process": worker.process.pid if worker.process and worker.ready else "-",
                "up_s": int(monotonic() - worker.began_at) if worker.ready else "-",
                "restarts": worker.restarts,
                "sessions": sum(worker.opened.values()),
                "messages": worker.alive.tally.messages if worker.alive else 0,
                "rejections": worker.alive.tally.rejections if worker.alive else 0,
                "generation": max(worker.alive.generations, default=0) if worker.alive else 0,
            }
            for worker in self.workers
        ]

    @property
    def tally(self) -> Tally:
        """Counts of all acceptors that run; those of a dead one are gone with it."""
        sessions = sum(sum(worker.opened.values()) for worker in self.workers)
        return tallied([report.tally for report in self.reports()], sessions)

    def generations(self) -> Counter[int]:
        """Sessions of each generation, all acceptors together, as of a second ago."""
        total: Counter[int] = Counter()
        for worker in self.workers:
            if worker.alive is not None and worker.ready:
                total.update(worker.alive.generations)
        return total

    def reports(self) -> list[Alive]:
        """What each acceptor said last."""
        return [worker.alive for worker in self.workers if worker.alive is not None]

    # --- one acceptor

    async def _begin(self, worker: Worker) -> str:
        """Start a process and hand it everything; what it said when it cannot accept, empty when it does."""
        link = await worker.execute()
        others = [other.opened for other in self.workers if other is not worker]
        sockets = {name: each.fileno() for name, each in worker.sockets.items()}
        staged = self._staged()
        link.send(
            Begin(worker.number, staged, sockets, self._ahead, sum_of(others), self._owner.traced())
        )
        answer = await link.receive()
        if not isinstance(answer, Ready):
            how = await worker.ended()
            if isinstance(answer, Failed):
                return answer.text
            return f"{worker.name} ended before it was ready, {how}"
        worker.accepts()
        now = self._staged()
        if staged.number != now.number:  # a reload went by meanwhile
            link.send(Prepare(now))
            link.send(Adopt(now.number))
        elif staged.config.number != now.config.number:
            link.send(Configure(now.config))
        return ""

    async def _live(self, worker: Worker) -> None:
        """Listen to an acceptor; when it dies, start another."""
        while True:
            await self._listen(worker)
            if self._stopping:
                return
            while not self._stopping:
                pause_s = PAUSES_S[min(worker.deaths, len(PAUSES_S) - 1)]
                self._complain(f"another acceptor {worker.number} starts in {pause_s:g} s")
                worker.deaths += 1
                await asyncio.sleep(pause_s)
                try:
                    async with asyncio.timeout(READY_S):
                        problem = await self._begin(worker)
                except (TimeoutError, OSError) as error:
                    problem = str(error) or f"not ready after {READY_S:g} s"
                if not problem:
                    worker.restarts += 1
                    self._complain(f"{worker.name} accepts again", "notice")
                    break
                worker.kill()
                await worker.ended()
                self._complain(f"acceptor {worker.number} cannot start: {problem}")

    async def _listen(self, worker: Worker) -> None:
        link, process = worker.link, worker.process
        assert link is not None and process is not None
        while (message := await link.receive()) is not None:
            worker.unanswered = 0
            self._take(worker, link, message)
        how = await worker.ended()
        lost = sum(worker.opened.values())
        self._close_sessions(worker)
        if not self._stopping:
            if monotonic() - worker.began_at >= WELL_AFTER_S:
                worker.deaths = 0
            self._complain(
                f"acceptor {worker.number} (process {process.pid}) ended, {how}; {lost} sessions lost, "
                "mail it acknowledged is in the spool"
            )
            await self._owner.died()

    def _take(self, worker: Worker, link: Link, message: Any) -> None:
        owner = self._owner
        match message:
            case Kept(messages):
                owner.kept(messages)
            case Sessions(events):
                note(worker.opened, events)
                owner.heard(events)
                self._tell_others(worker, events)
            case Alive():
                worker.alive = message
            case Happened(events):
                owner.happened(events)
            case Prepared(number, problems):
                self._prepared(worker, number, problems)
            case Ask(ticket, what, arguments):
                link.send(Answer(ticket, owner.answer(what, arguments)))
            case Delay(domain, text):
                owner.delay(domain, text)
            case Changed(words):
                owner.changed(words)

    def _prepared(self, worker: Worker, number: int, problems: Sequence[str]) -> None:
        if worker.prepared is not None and not worker.prepared.done():
            worker.prepared.set_result(problems)
        elif problems and number == self._staged().number:
            self._complain(
                f"{worker.name} could not load generation {number}, which is in force; it is killed: "
                + "; ".join(problems)
            )
            worker.kill()

    def _close_sessions(self, worker: Worker) -> None:
        """What it had open counts for no limit any more."""
        events = [(CLOSED, session) for session in worker.opened.elements()]
        worker.opened.clear()
        if events:
            self._owner.heard(events)
            self._tell_others(worker, events)

    def _tell_others(self, worker: Worker, events: Sequence[Event]) -> None:
        for other in self.workers:
            if other is not worker:
                other.send(Sessions(events))

    async def _ping(self) -> None:
        """Ask everybody for a sign of life; who gives none is stuck, and is killed."""
        while True:
            for worker in self.workers:
                if not worker.ready:
                    continue
                # Counted in questions, not by the clock: the owner may have been held up itself.
                if worker.unanswered >= STUCK_AFTER:
                    silent_s = worker.unanswered * PING_S
                    self._complain(
                        f"{worker.name} is stuck: silent for {silent_s:g} s; it is killed"
                    )
                    worker.kill()
                worker.unanswered += 1
                worker.send(Ping())
            await asyncio.sleep(PING_S)

    async def _kill_all(self) -> None:
        for worker in self.workers:
            worker.kill()
        await asyncio.gather(*(worker.ended() for worker in self.workers))

    def _complain(self, text: str, level: str = "error") -> None:
        self._owner.log.panic("workers", text, level)
