"""What the owner of the queues and an acceptor say to each other, over a socket pair of their own.

Messages are pickled: both ends are the same program, and nobody else can reach the socket. Each has its length in
front.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moonpost.adapters.sessions import Open
from moonpost.config.model import Config
from moonpost.inbound.interface import Tally
from moonpost.policy.compiling import Compiled
from moonpost.policy.loader import ScriptStanza
from moonpost.policy.timing import Spread
from moonpost.spool.record import QueueName

Trace = tuple[int, str, str]  # number, file, peer
LENGTH = struct.Struct(">I")
STOP_GRACE_S = 5.0  # chosen: how long the last words of an acceptor may take to leave it


@dataclass(frozen=True, slots=True)
class Staged:
    """A generation: the configuration in force with it, and its scripts as the owner compiled them."""

    number: int
    config: Config
    compiled: Compiled
    stanzas: Sequence[ScriptStanza]


# --- from the owner


@dataclass(frozen=True, slots=True)
class Begin:
    """The first message. sockets: descriptor of each Listen. opened: sessions of the others."""

    worker: int
    staged: Staged
    sockets: Mapping[str, int]
    ahead: bool  # policy was compiled ahead of time: compile nothing
    opened: Counter[Open]
    traced: Sequence[Trace] = ()


@dataclass(frozen=True, slots=True)
class Prepare:
    """Build this generation; answered by Prepared, followed by Adopt or Abandon."""

    staged: Staged


@dataclass(frozen=True, slots=True)
class Adopt:
    number: int


@dataclass(frozen=True, slots=True)
class Abandon:
    number: int


@dataclass(frozen=True, slots=True)
class Configure:
    """The console or policy changed the configuration."""

    config: Config


@dataclass(frozen=True, slots=True)
class Answer:
    ticket: int
    value: Any


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered by Alive."""


@dataclass(frozen=True, slots=True)
class Traced:
    """All tracers of sessions that there are now."""

    tracers: Sequence[Trace]


@dataclass(frozen=True, slots=True)
class Reopen:
    """Open log files anew."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish the replies under way, then end."""


# --- from an acceptor


@dataclass(frozen=True, slots=True)
class Ready:
    """It accepts."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot start. ours: the text is a traceback."""

    text: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    number: int
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class Kept:
    """These are in the spool: id and queue of each."""

    messages: Sequence[tuple[str, QueueName]]


@dataclass(frozen=True, slots=True)
class Happened:
    """Events of the event log, for those who count: name and the facts they count by."""

    events: Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Changed:
    """Policy changed the configuration by this command."""

    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Delay:
    domain: str
    note: str


@dataclass(frozen=True, slots=True)
class Ask:
    """About a queue. what: `domain` or `failure_rate`; answered by Answer."""

    ticket: int
    what: str
    arguments: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Alive:
    """How it goes: counts since its start, sessions of each generation, thread pools, latest panic lines, times
    of callouts.
    """

    tally: Tally
    generations: Mapping[int, int]
    pools: Mapping[str, Mapping[str, float]]
    latest: Mapping[str, Sequence[str]]
    timings: Mapping[str, Spread]


# --- both ways


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions that began (`opened`), ended (`closed`), or did something that is counted (its kind)."""

    events: Sequence[tuple[str, Open]]


class Link:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, channel: socket.socket) -> Link:
        return cls(*await asyncio.open_unix_connection(sock=channel))

    def send(self, message: Any) -> None:
        """Leaves in order; when the other end is gone, nobody is told any more."""
        if not self._writer.is_closing():
            data = pickle.dumps(message)
            self._writer.write(LENGTH.pack(len(data)) + data)

    async def receive(self) -> Any:
        """The next message; None when the other end is gone."""
        try:
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            return pickle.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def close(self) -> None:
        """Let what was sent go out."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), STOP_GRACE_S)
        except (ConnectionError, TimeoutError):
            self._writer.transport.abort()
