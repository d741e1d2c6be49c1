"""One place for an acceptor: who is in it, what it said last, how its process is started and ended."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from moonpost.adapters.sessions import Open
from moonpost.app.processes.book import Event
from moonpost.app.processes.link import Alive, Link, Trace
from moonpost.spool.record import QueueName
from msys.ports import Log

PROGRAM = (sys.executable, "-m", "moonpost.app.processes.acceptor")


@dataclass(frozen=True, slots=True)
class Owner:
    """What the acceptors need of the owner."""

    kept: Callable[[Sequence[tuple[str, QueueName]]], None]
    died: Callable[[], Awaitable[None]]
    changed: Callable[[Sequence[str]], None]
    delay: Callable[[str, str], None]
    answer: Callable[[str, Sequence[Any]], Any]
    heard: Callable[[Sequence[Event]], None]
    happened: Callable[[Sequence[tuple[str, Mapping[str, Any]]]], None]
    traced: Callable[[], Sequence[Trace]]
    log: Log


@dataclass(slots=True, eq=False)
class Worker:
    """One place for an acceptor, and who is in it."""

    number: int
    sockets: dict[str, socket.socket]
    process: asyncio.subprocess.Process | None = None
    link: Link | None = None
    ready: bool = False
    began_at: float = 0.0
    unanswered: int = 0  # questions whether it lives, since it last said anything
    deaths: int = 0  # in a row
    restarts: int = 0
    alive: Alive | None = None
    opened: Counter[Open] = field(default_factory=Counter)
    prepared: asyncio.Future[Sequence[str]] | None = None

    @property
    def name(self) -> str:
        return f"acceptor {self.number} (process {self.process.pid if self.process else '-'})"

    def send(self, message: Any) -> None:
        if self.link is not None and self.ready:
            self.link.send(message)

    async def execute(self) -> Link:
        """Start a process; what leads to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            listening = [each.fileno() for each in self.sockets.values()]
            self.process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(), *listening),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=2,
            )
        self.link = link = await Link.over(ours)
        return link

    def accepts(self) -> None:
        """It said that it is ready."""
        self.began_at = monotonic()
        self.unanswered = 0
        self.ready = True

    def kill(self) -> None:
        """At once; `ended` waits for it."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()

    async def ended(self) -> str:
        """Wait until the process has ended and let go of it; how it ended, in words."""
        code = await self.process.wait() if self.process is not None else 0
        self.ready = False
        link, self.link = self.link, None
        if link is not None:
            await link.close()
        if self.prepared is not None and not self.prepared.done():
            self.prepared.set_result(())  # the next one begins with what is in force then
        return _end(code)


def _end(code: int) -> str:
    """An exit code of a process in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
