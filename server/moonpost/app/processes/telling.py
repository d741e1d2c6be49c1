"""What an acceptor tells the owner, and asks it: mail it kept, sessions, events to count, changes by policy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from moonpost.app.processes.book import Event
from moonpost.app.processes.link import Ask, Changed, Happened, Kept, Link, Sessions
from moonpost.config.commands import Answer
from moonpost.config.live import LiveConfiguration
from moonpost.config.model import Config
from moonpost.spool.record import QueueName, Record
from msys.ports import PortError

# labels of metrics
COUNTED_BY = ("domain", "binding", "phase", "code", "callout", "kind", "action")


class FollowingConfiguration(LiveConfiguration):
    """The owner's configuration. What policy changes here is in force here at once, and told to the owner."""

    def __init__(self, config: Config, link: Link) -> None:
        super().__init__(config)
        self._link = link

    def run(self, words: Sequence[str]) -> Answer:
        answer = super().run(words)
        if answer.changed is not None:
            self._link.send(Changed(list(words)))
        return answer


class Questions:
    """What is asked of the owner and not yet answered."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._tickets = count(1)
        self._open: dict[int, asyncio.Future[Any]] = {}

    def ask(self, what: str, *arguments: Any) -> asyncio.Future[Any]:
        """The owner's answer; PortError when there is no owner any more."""
        ticket = next(self._tickets)
        asked = self._open[ticket] = asyncio.get_running_loop().create_future()
        asked.add_done_callback(lambda _: self._open.pop(ticket, None))
        self._link.send(Ask(ticket, what, arguments))
        return asked

    def answered(self, ticket: int, value: Any) -> None:
        asked = self._open.get(ticket)
        if asked is not None and not asked.done():
            asked.set_result(value)

    def nobody_answers(self) -> None:
        for asked in list(self._open.values()):
            if not asked.done():
                asked.set_exception(PortError("UNREACHABLE", "the owner of the queues is gone"))


@dataclass(slots=True)
class _Untold:
    """What was gathered in this turn of the loop."""

    kept: list[tuple[str, QueueName]] = field(default_factory=list)
    sessions: list[Event] = field(default_factory=list)
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


class Telling:
    """Gathers what the owner is to know, and sends it once for each turn of the loop."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._untold: _Untold | None = None

    def kept(self, messages: Sequence[tuple[Record, bytes]]) -> None:
        """These are in the spool."""
        self._gather().kept += [(record.id, record.queue) for record, _ in messages]

    def session(self, event: Event) -> None:
        """One began or ended, or did what is counted."""
        self._gather().sessions.append(event)

    def event(self, event: str, facts: Mapping[str, Any]) -> None:
        """A line of the event log, for those who count."""
        counted = {name: facts[name] for name in COUNTED_BY if name in facts}
        self._gather().events.append((event, counted))

    def flush(self) -> None:
        """Send what there is now."""
        untold, self._untold = self._untold, None
        if untold is None:
            return
        if untold.kept:
            self._link.send(Kept(untold.kept))
        if untold.sessions:
            self._link.send(Sessions(untold.sessions))
        if untold.events:
            self._link.send(Happened(untold.events))

    def _gather(self) -> _Untold:
        if self._untold is None:
            self._untold = _Untold()
            asyncio.get_running_loop().call_soon(self.flush)
        return self._untold
