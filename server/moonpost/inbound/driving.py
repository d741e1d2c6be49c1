"""Takes the machine's steps as far as they go, at once where possible.

Most callouts never wait, so steps run straight through; a task is made only when something must be waited for. Nothing
is decided here: an action is done (`performing`), and the steps get what it came to.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from moonpost.inbound.interface import Tap
from moonpost.inbound.performing import AT_ONCE, LATER, PARKED, Performing
from moonpost.phases import replies
from moonpost.phases.actions import Bounce, Failed, Keep, Note, Run, RunDealloc, Steps
from moonpost.phases.machine import Machine
from moonpost.policy.interface import CONT, DONE, Outcome

WORDS = {CONT: "goes on", DONE: "done"}


class Gone(Exception):
    """The connection ended in the middle of an exchange; nobody is to blame here."""


class Driving(Performing):
    """The part of a session that knows steps; the other part knows the socket."""

    transport: Any
    out: list[bytes]
    busy: bool
    tap: Tap | None

    if TYPE_CHECKING:

        def connection_lost(self, error: Exception | None) -> None: ...
        def pump(self) -> None: ...
        def flush(self) -> None: ...

    def _init_driving(self) -> None:
        self._steps: Steps | None = None
        self._task: asyncio.Task[None] | None = None
        self._must_finish = False  # the spool was asked: what it answers has consequences

    # Steps

    def drive(self, steps: Steps, value: Any = None) -> None:
        """Go on with steps until they end or must wait."""
        assert self.machine is not None
        state = self.machine.state
        self.busy = True
        try:
            while True:
                action = steps.send(value)
                kind = action.__class__
                if kind is bytes:
                    self.out.append(action)
                    value = None
                elif kind is Run:
                    value = state.generation.run(
                        action.callout, state.policy_state, action.args, action.message
                    )
                    if value.__class__ is not Outcome:
                        self._await(steps, value)
                        return
                    if self.tap is not None:
                        self._trace(action, value)
                elif kind in AT_ONCE:
                    if self.tap is not None:
                        self._trace(action, None)
                    value = AT_ONCE[kind](self, action)
                    if value is PARKED:
                        self._steps = steps
                        self.busy = False
                        return
                else:
                    self._must_finish = kind is Keep or kind is Bounce or self._must_finish
                    self._await(steps, LATER[kind](self, action))
                    return
        except StopIteration:
            self.busy = False
            self._must_finish = False
        except Exception as error:
            self._crashed(error)

    def _trace(self, action: Any, value: Any) -> None:
        """What policy did, between the lines of a traced session."""
        assert self.tap is not None
        if isinstance(action, Note):
            by = f", decided by {action.decided_by}" if action.decided_by else ""
            self.tap.event(f"refused: {action.code} {action.text}, {action.module}{by}")
        elif isinstance(value, Outcome):
            callout = action.callout if action is not None else "a callout that waited"
            said = f"error: {value.error.text}" if value.error else WORDS.get(value.verdict, "")
            by = f", {value.decided_by}" if value.decided_by else ""
            self.tap.event(f"{callout}: {said}{by}")

    def _await(self, steps: Steps, awaitable: Awaitable[Any]) -> None:
        self.flush()
        self._steps = steps
        self._task = self.loop.create_task(self._finish(steps, awaitable))

    async def _finish(self, steps: Steps, awaitable: Awaitable[Any]) -> None:
        try:
            value = await awaitable
            if self.tap is not None and isinstance(value, Outcome):
                self._trace(None, value)
        except Gone as error:
            self._task = None
            self.connection_lost(error)
            return
        except asyncio.CancelledError as error:
            if (
                self.transport is not None
            ):  # nobody here cancelled it: something policy waited for was
                self._steps = self._task = None
                self._crashed(error)
                self.flush()
            raise
        except Exception as error:
            if self.machine is None:
                return  # nobody is left to be answered
            self._steps = self._task = None
            self._crashed(error)
        else:
            if self.machine is None:
                return
            self._steps = self._task = None
            self.drive(steps, value)
        if self.busy:
            return
        if self.transport is None:
            self._end()
        else:
            self.pump()

    def chunk_arrived(self, data: bytes) -> None:
        """The bytes that parked steps asked for."""
        steps, self._steps = self._steps, None
        if steps is not None:
            self.drive(steps, data)

    def _crashed(self, error: BaseException) -> None:
        """Our own mistake: say so loudly, answer 421, and take nothing on."""
        assert self.machine is not None
        state = self.machine.state
        lines = "".join(traceback.format_exception(error))
        self.service.log.panic(
            "moonpost",
            f"internal error in session {state.conn_id.text} from {state.peer.remote}:"
            f" {error!r}; answered 421 and closed; please report this with: {lines}",
        )
        self.out.append(replies.policy_failed(state.options.hostname))
        self.busy = False
        self.closing = True

    # The end

    def lost(self) -> None:
        """The connection is gone; nobody hears the answers any more."""
        if self._must_finish and self._task is not None:
            self.service.watch(self._task)  # it ends the session when the spool has answered
            return
        if self._task is not None:
            # After its first step: what it awaits must have begun to hear of the end, and policy in there to clean up.
            self.loop.call_soon(self._task.cancel)
        if self._steps is not None:
            self._steps.close()
        self._steps = self._task = None
        self._end()

    def _end(self) -> None:
        """Run what is owed at the end of a session."""
        machine, self.machine = self.machine, None
        if machine is None:
            return
        steps = machine.ended(self.service.now())
        try:
            action = steps.send(None)
        except StopIteration:
            return
        self.service.background(self._last_steps(machine, steps, action))

    async def _last_steps(self, machine: Machine, steps: Steps, action: Any) -> None:
        """Hooks at the end: nobody is left to be answered."""
        state = machine.state
        try:
            while True:
                value: Any = None
                if isinstance(action, RunDealloc):
                    value = state.generation.run_dealloc(state.policy_state)
                elif isinstance(action, Run):
                    value = state.generation.run(
                        action.callout, state.policy_state, action.args, action.message
                    )
                elif isinstance(action, Failed):
                    self._failed(action, machine)
                action = steps.send(await value if isawaitable(value) else value)
        except StopIteration:
            return
        except Exception as error:
            steps.close()
            self.service.log.panic("moonpost", f"internal error at the end of a session: {error!r}")
