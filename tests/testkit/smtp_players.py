"""Plays written-down SMTP sessions: against the pure machine with virtual time, and over a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP

from moonpost.adapters.sessions import SessionBook
from moonpost.inbound.intake import Content, Intake, Line
from moonpost.inbound.interface import Refusal
from moonpost.inbound.listener import Listener
from moonpost.inbound.service import Service
from moonpost.inbound.settings import ListenSettings, PeerSettings
from moonpost.phases import actions
from moonpost.phases.actions import Reception, Stored
from moonpost.phases.greeting import base_capabilities
from moonpost.phases.machine import Machine
from moonpost.phases.options import SessionOptions
from moonpost.phases.state import Peer, begin
from msys.message import Message
from testkit.fake_policy import FakeGeneration, FakePolicy
from testkit.smtp_scripts import Script, escaped, matches, options_of, register

KINDS: dict[str, Any] = vars(SessionOptions())
DEFAULTS = {"hostname": "mx.test", "relay_domains": ("example.test",)}


@dataclass(slots=True)
class Kept:
    """A keeper, a bouncer and a log that remember."""

    messages: list[Message] = field(default_factory=list)
    receptions: list[Reception] = field(default_factory=list)
    bounced: list[tuple[Message, int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    panics: list[str] = field(default_factory=list)
    fail_with: Exception | None = None

    async def keep(self, messages: Sequence[Message], reception: Reception) -> None:
        if self.fail_with is not None:
            raise self.fail_with
        self.messages += messages
        self.receptions.append(reception)

    async def bounce(self, message: Message, code: int, text: str) -> None:
        self.bounced.append((message, code, text))

    def panic(self, module: str, text: str, level: str = "error") -> None:
        self.panics.append(f"{module}: {text}")

    def panics_of_ours(self) -> list[str]:
        return [line for line in self.panics if line.startswith("moonpost:")]

    def told(self, event: str, facts: Any) -> None:
        self.panic(event, repr(facts))

    def reject(self, session: Any, code: int, text: str) -> None:
        self.refusals.append(session)
        self.notes.append(f"{code} {text}")


class Player:
    """What both ways of playing have in common: setting up, and comparing."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.policy = FakePolicy(FakeGeneration())
        self.options = SessionOptions(**{**DEFAULTS, **options_of(script, KINDS)})
        self.kept = Kept()
        self.seen = {"kept": 0, "bounced": 0, "noted": 0, "hook": 0}
        self.found: list[str] = []
        self.lines = list(script.lines)
        self.peer = next((text for word, text, _ in self.lines if word == "peer"), "192.0.2.7")
        while self.lines and self.lines[0][0] in ("set", "peer", "policy"):
            word, text, _ = self.lines.pop(0)
            if word == "policy":
                register(self.policy.generation, text)

    def check(self, word: str, text: str, number: int, got: str | None) -> None:
        """Note a difference; None is none."""
        if got is not None:
            self.found.append(f"line {number}: wanted {word}: {text}, got {got}")

    def compare(self, word: str, text: str) -> str | None:
        """What came of the session since the last such line, unless it is what was written."""
        whole = {
            "kept": [message.recipient for message in self.kept.messages],
            "bounced": [message.recipient for message, _, _ in self.kept.bounced],
            "hook": self.policy.generation.ran,
            "noted": self.kept.notes,
        }[word]
        fresh = whole[self.seen[word] :]
        self.seen[word] = len(whole)
        if word == "noted":
            return None if any(matches(text, note) for note in fresh) else f"{fresh}"
        wanted = [] if text == "-" else text.split()
        return None if fresh == wanted else " ".join(fresh) or "-"


class PurePlayer(Player):
    """The machine alone. Waiting is counted, not done."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        state = begin(
            self.options,
            Peer(self.peer, 4711, "192.0.2.1", 25),
            self.policy,
            SMTP._getaddr.__get__(_Parser()),
            capabilities=base_capabilities(self.options, tls_offered=False, tls=False),
        )
        self.machine = Machine(state)
        self.intake = Intake()
        self.replies = bytearray()
        self.now = 1_000_000.0
        self.waited = 0.0
        self.closed = False
        self.parked: actions.Steps | None = None

    def drive(self, steps: actions.Steps, value: Any = None) -> None:
        try:
            while True:
                action = steps.send(value)
                if isinstance(action, bytes):
                    self.replies += action
                    value = None
                elif isinstance(action, actions.ReadChunk):
                    self.intake.expect_chunk(action.size, discard=action.discard)
                    self.parked = steps
                    return
                else:
                    value = self.perform(action)
        except StopIteration:
            return

    def perform(self, action: Any) -> Any:
        match action:
            case actions.Run():
                return self.policy.generation.run(
                    action.callout, self.machine.state.policy_state, action.args, action.message
                )
            case actions.Pause():
                self.waited += action.seconds
                self.now += action.seconds
            case actions.ReadContent():
                self.intake.expect_content(
                    action.limit_bytes, self.options.max_line_bytes, self.options.mend
                )
            case actions.Keep():
                self.kept.messages += action.messages
                self.kept.receptions.append(action.reception)
                return Stored.KEPT
            case actions.Bounce():
                self.kept.bounced += action.refusals
                return Stored.KEPT
            case actions.Note():
                self.kept.notes.append(f"{action.code} {action.text}")
            case actions.Failed():
                self.kept.panics.append(action.error.text)
            case actions.Close():
                self.closed = True
            case actions.RunDealloc():
                return self.policy.generation.run_dealloc(self.machine.state.policy_state)
            case _:
                raise AssertionError(action)
        return None

    def feed(self, data: bytes) -> None:
        self.intake.feed(data)
        while not self.closed and (item := self.intake.next()) is not None:
            if isinstance(item, Line):
                self.drive(self.machine.line(item.text, self.now, item.problem))
            elif isinstance(item, Content):
                self.drive(self.machine.content(item.data, self.now, item.problem))
            elif self.parked is not None:
                steps, self.parked = self.parked, None
                self.drive(steps, item.data)

    def next_line(self) -> str:
        line, _, rest = bytes(self.replies).partition(b"\r\n")
        self.replies[:] = rest
        return line.decode("latin-1")

    def play(self) -> list[str]:
        """Everything that was not as written."""
        self.drive(self.machine.connected(self.now))
        pending = b""
        for word, text, number in self.lines:
            if word in ("C", "C+", "raw"):
                pending += escaped(text) if word == "raw" else text.encode("latin-1") + b"\r\n"
                if word != "C+":
                    self.feed(pending)
                    pending = b""
            elif word == "S":
                line = self.next_line()
                self.check(word, text, number, None if matches(text, line) else line)
            elif word == "policy":
                register(self.policy.generation, text)
            elif word == "after":
                short = self.waited < float(text)
                self.check(word, text, number, str(self.waited) if short else None)
                self.waited = 0.0
            elif word == "closed":
                self.check(word, text, number, None if self.closed else "still open")
            else:
                self.check(word, text, number, self.compare(word, text))
        if self.replies:
            self.found.append(f"left over: {bytes(self.replies)!r}")
        self.drive(self.machine.ended(self.now))
        if self.policy.generation.users:
            self.found.append("the generation is still held")
        return self.found


class SocketPlayer(Player):
    """A listener on a loopback port, and a client that sends what is written."""

    async def play(self) -> list[str]:
        """Everything that was not as written."""
        settings = ListenSettings(port=0, peer=PeerSettings(self.options))
        service = Service(
            settings,
            self.policy,
            self.kept,
            self.kept,
            SessionBook(now=time.time),
            asyncio.get_running_loop(),
            bouncer=self.kept,
        )
        listener = Listener(service)
        await listener.start()
        try:
            reader, writer = await asyncio.open_connection(*listener.addresses[0])
            await self._exchange(reader, writer)
            writer.close()
        finally:
            await listener.stop()
        if self.policy.generation.users:
            self.found.append("the generation is still held")
        return self.found + self.kept.panics_of_ours()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        pending, said_at = b"", loop.time()
        for word, text, number in self.lines:
            if word in ("C", "C+", "raw"):
                pending += escaped(text) if word == "raw" else text.encode("latin-1") + b"\r\n"
                if word != "C+":
                    said_at = loop.time()
                    writer.write(pending)
                    pending = b""
            elif word == "S":
                line = (await asyncio.wait_for(reader.readline(), 5)).decode("latin-1")
                line = line.removesuffix("\r\n")
                self.check(word, text, number, None if matches(text, line) else line)
            elif word == "policy":
                register(self.policy.generation, text)
            elif word == "after":
                took = loop.time() - said_at
                self.check(word, text, number, None if took >= float(text) else f"{took:.3f}")
            elif word == "closed":
                rest = await asyncio.wait_for(reader.read(), 5)
                self.check(word, text, number, f"{rest!r}" if rest else None)
            else:
                self.check(word, text, number, self.compare(word, text))


class _Parser:
    """What aiosmtpd's address parser looks at."""

    local_part_limit = 0
