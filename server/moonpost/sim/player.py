"""Plays one SMTP session on the server's own pure machine, and writes down what happens.

Performs the machine's actions in memory: replies are collected, pauses move the virtual clock, what is to be kept is
reported. Bytes go through the server's own intake, so that its limits hold here too.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

from aiosmtpd.smtp import SMTP

from moonpost.inbound.intake import Content, Intake, Line
from moonpost.inbound.interface import Expander
from moonpost.phases.actions import (
    BeginMessage,
    Bounce,
    Close,
    Expand,
    Failed,
    Keep,
    Note,
    Pause,
    ReadContent,
    Run,
    RunDealloc,
    Steps,
    Stored,
)
from moonpost.phases.asking import panic_lines
from moonpost.phases.greeting import base_capabilities
from moonpost.phases.machine import Machine
from moonpost.phases.options import SessionOptions
from moonpost.phases.state import Peer, begin
from moonpost.policy.interface import Policy
from moonpost.sim.fates import Mail
from moonpost.sim.letter import Letter
from moonpost.sim.report import Report, Step
from moonpost.sim.snapshot import readable
from moonpost.sim.watching import Watcher
from msys.ports import Clock, Log

CLIENT_PORT = 40_025  # chosen: any port a client may have
SERVER = ("127.0.0.1", 25)


class Player:
    """One session. `play` once."""

    def __init__(
        self,
        letter: Letter,
        options: SessionOptions,
        policy: Policy,
        clock: Clock,
        log: Log,
        watcher: Watcher,
        listener: str = "",
        expander: Expander | None = None,
    ) -> None:
        """expander: who knows aliases; None: nobody."""
        self._letter = letter
        self._clock, self._log, self._watcher = clock, log, watcher
        self._intake = Intake()
        self._expander = expander
        state = begin(
            options,
            Peer(letter.client, CLIENT_PORT, *SERVER),
            policy,
            _parse_address,
            listener=listener,
            capabilities=base_capabilities(options, tls_offered=False, tls=False),
        )
        self._machine = Machine(state)
        self.report = Report(letter.client, letter.greeting, letter.sender)
        self._step = Step("connect", "")
        self._closed = False
        self._mail = Mail()

    async def play(self) -> Report:
        """The whole session, as far as the server lets it go."""
        letter, machine = self._letter, self._machine
        connected = await self._begin("connect", "", machine.connected(self._clock.now()))
        if connected and await self._say("ehlo", f"EHLO {letter.greeting}"):
            accepted = []
            if await self._say("mail", f"MAIL FROM:<{letter.sender}>"):
                for address in letter.recipients:
                    good = await self._say("rcpt", f"RCPT TO:<{address}>")
                    accepted.append(good)
                    if not good:
                        self._mail.refused(address, self._step)
                    if self._closed:
                        break
            if any(accepted) and not self._closed:
                await self._data()
        self._mail.judge(self.report, self._letter)
        if not self._closed:
            await self._say("quit", "QUIT")
        await self._begin("end", "", machine.ended(self._clock.now()))
        if not self._step.callouts:
            self.report.steps.pop()
        return self.report

    # --- one command -------------------------------------------------------------------------------------

    async def _say(self, phase: str, command: str) -> bool:
        """One command line; whether the answer was a yes."""
        self._intake.feed(command.encode("latin-1", "replace") + b"\r\n")
        item = self._intake.next()
        assert isinstance(item, Line)
        steps = self._machine.line(item.text, self._clock.now(), item.problem)
        return await self._begin(phase, command, steps)

    async def _data(self) -> bool:
        """DATA, and the content with its final dot: one step, with the reply to the dot."""
        if not await self._say("data", "DATA"):
            return False
        content = self._letter.content
        stuffed = re.sub(rb"(?m)^\.", b"..", content)
        self._intake.feed(stuffed + b".\r\n")
        item = self._intake.next()
        assert isinstance(item, Content)
        await self._drive(self._machine.content(item.data, self._clock.now(), item.problem))
        return self._finish()

    async def _begin(self, phase: str, command: str, steps: Steps) -> bool:
        self._step = Step(phase, readable(command))
        self.report.steps.append(self._step)
        await self._drive(steps)
        return self._finish()

    def _finish(self) -> bool:
        """What ran belongs to this step; the line that decided is the last one that did."""
        step = self._step
        step.callouts += self._watcher.take()
        if not step.decided_by:
            deciders = [ran.decided_by for ran in step.callouts if ran.decided_by]
            step.decided_by = deciders[-1] if deciders else ""
        return 200 <= step.code < 400

    # --- the machine's actions ---------------------------------------------------------------------------

    async def _drive(self, steps: Steps) -> None:
        value: Any = None
        while True:
            try:
                action = steps.send(value)
            except StopIteration:
                return
            value = PERFORM[action.__class__](self, action)
            if isawaitable(value):
                value = await value

    def _reply(self, reply: bytes) -> None:
        lines = reply.decode("latin-1").removesuffix("\r\n").split("\r\n")
        self._step.code = int(lines[0][:3])
        self._step.text = readable("\n".join(line[4:] for line in lines))

    def _run(self, action: Run) -> Any:
        state = self._machine.state
        return state.generation.run(action.callout, state.policy_state, action.args, action.message)

    def _dealloc(self, _action: RunDealloc) -> Any:
        state = self._machine.state
        return state.generation.run_dealloc(state.policy_state)

    def _hold(self, action: Pause) -> Any:
        self._step.held_s += action.seconds
        slept = self._clock.sleep(action.seconds)
        return _then(slept, False) if isawaitable(slept) else False

    def _keep(self, action: Keep) -> Stored:
        self._mail.kept += action.messages
        return Stored.KEPT

    def _bounce(self, action: Bounce) -> Stored:
        self._mail.bounced += action.refusals
        return Stored.KEPT

    async def _expand(self, action: Expand) -> dict[str, list[str]] | None:
        if self._expander is None:
            return {}
        try:
            return await self._expander.expand(action.recipients, action.pathway)
        except Exception as error:
            self._log.panic("alias", f"{error}; message put off with 451")
            return None

    def _begin_message(self, _action: BeginMessage) -> bool:
        return True

    def _note(self, action: Note) -> None:
        if action.decided_by:
            self._step.decided_by = action.decided_by

    def _failed(self, action: Failed) -> None:
        self.report.errors.append(action.error)
        self._step.decided_by = action.error.where
        for module, text in panic_lines(action, self._machine.state.generation.number):
            self._log.panic(module, text)

    def _close(self, _action: Close) -> None:
        self._closed = self._step.closed = True

    def _read_content(self, action: ReadContent) -> None:
        options = self._machine.state.options
        self._intake.expect_content(action.limit_bytes, options.max_line_bytes, options.mend)


async def _then(awaitable: Awaitable[Any], value: Any) -> Any:
    await awaitable
    return value


def _parse_address(text: str) -> tuple[str | None, str | None]:
    """aiosmtpd's full address parser, as in the server."""
    parser: Any = SMTP.__new__(SMTP)
    parsed: tuple[str | None, str | None] = parser._getaddr(text)
    return parsed


PERFORM: dict[type, Callable[[Player, Any], Any]] = {
    bytes: Player._reply,
    Run: Player._run,
    RunDealloc: Player._dealloc,
    Pause: Player._hold,
    Keep: Player._keep,
    BeginMessage: Player._begin_message,
    Bounce: Player._bounce,
    Expand: Player._expand,
    Note: Player._note,
    Failed: Player._failed,
    Close: Player._close,
    ReadContent: Player._read_content,
}
