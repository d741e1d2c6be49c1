"""Performs the actions of the machine's steps, at once where possible.

Most callouts never wait, so steps run straight through; a task is made only when something must be waited for. Nothing
is decided here: an action is done, and the steps get what it came to.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from moonpost.inbound.intake import Intake
from moonpost.inbound.interface import Credentials, Refusal
from moonpost.inbound.service import Service
from moonpost.phases import replies
from moonpost.phases.actions import (
    Authenticate,
    AuthStatus,
    Bounce,
    CheckCredentials,
    Close,
    Failed,
    Keep,
    Note,
    Pause,
    ReadChunk,
    ReadContent,
    Run,
    RunDealloc,
    StartTls,
    Steps,
    Stored,
)
from moonpost.phases.asking import panic_lines
from moonpost.phases.machine import Machine
from moonpost.policy.interface import Outcome
from moonpost.spool.interface import SpoolError, SpoolFull

PARKED = object()  # the steps go on when a chunk has come


class Gone(Exception):
    """The connection ended in the middle of an exchange; nobody is to blame here."""


class Driving:
    """The part of a session that knows steps; the other part knows the socket."""

    service: Service
    loop: asyncio.AbstractEventLoop
    machine: Machine | None
    intake: Intake
    transport: Any
    out: list[bytes]
    busy: bool
    closing: bool

    if TYPE_CHECKING:

        def connection_lost(self, error: Exception | None) -> None: ...
        def pump(self) -> None: ...
        def flush(self) -> None: ...
        async def start_tls(self, action: StartTls) -> dict[str, str] | None: ...
        async def authenticate(self, action: Authenticate) -> tuple[str, str, str] | None: ...

    def _init_driving(self) -> None:
        self._steps: Steps | None = None
        self._task: asyncio.Task[None] | None = None
        self._must_finish = False  # the spool was asked: what it answers has consequences
        self._early: asyncio.Future[bool] | None = None  # a pause that ends when the peer speaks

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
                elif kind in AT_ONCE:
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

    def _await(self, steps: Steps, awaitable: Awaitable[Any]) -> None:
        self.flush()
        self._steps = steps
        self._task = self.loop.create_task(self._finish(steps, awaitable))

    async def _finish(self, steps: Steps, awaitable: Awaitable[Any]) -> None:
        try:
            value = await awaitable
        except Gone as error:
            self._task = None
            self.connection_lost(error)
            return
        except Exception as error:
            self._steps = self._task = None
            self._crashed(error)
        else:
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

    def _crashed(self, error: Exception) -> None:
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
            self._task.cancel()
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

    # Actions that are done at once

    def _close(self, _action: Close) -> None:
        self.closing = True

    def _read_content(self, action: ReadContent) -> None:
        assert self.machine is not None
        self.intake.expect_content(action.limit_bytes, self.machine.state.options.max_line_bytes)

    def _read_chunk(self, action: ReadChunk) -> Any:
        self.intake.expect_chunk(action.size, discard=action.discard)
        item = self.intake.next()
        return PARKED if item is None else item[0]

    def _note(self, action: Note) -> None:
        assert self.machine is not None
        state = self.machine.state
        self.service.tally.rejections += 1
        self._counted("rejections")
        refusal = Refusal(
            phase=action.phase,
            module=action.module,
            remote=state.peer.remote,
            local=state.peer.local,
            conn_id=state.conn_id.text,
            pathway=state.vctx.conn.get("pathway", state.options.pathway),
            pathway_group=state.options.pathway_group,
            conn=state.vctx.conn,
            mess=state.vctx.mess,
            decided_by=action.decided_by,
            message_id=state.accept.message.id.text if state.accept.message else "",
        )
        self.service.log.reject(refusal, action.code, action.text)

    def _counted(self, kind: str) -> None:
        if self.machine is not None:
            self.service.book.counted(kind, self.machine.state.peer.remote_ip)

    def _failed(self, action: Failed, machine: Machine | None = None) -> None:
        machine = machine or self.machine
        self.service.tally.policy_failures += 1
        number = machine.state.generation.number if machine is not None else 0
        for module, text in panic_lines(action, number):
            self.service.log.panic(module, text)

    # Actions that are waited for

    async def _hold(self, action: Pause) -> bool:
        if not action.watch:
            await asyncio.sleep(action.seconds)
            return False
        if len(self.intake):
            return True
        self._early = self.loop.create_future()
        try:
            async with asyncio.timeout(action.seconds):
                return await self._early
        except TimeoutError:
            return False
        finally:
            self._early = None

    def noticed_data(self) -> None:
        """Bytes came while steps were under way."""
        if self._early is not None and not self._early.done():
            self._early.set_result(True)
        elif self.machine is not None and not self.machine.state.banner_sent:
            self.machine.spoke_early()

    async def _keep(self, action: Keep) -> Stored:
        try:
            await self.service.keeper.keep(action.messages, action.reception)
        except SpoolError as error:
            return self._not_stored(error)
        self.service.tally.messages += len(action.messages)
        self._counted("receptions")
        return Stored.KEPT

    async def _bounce(self, action: Bounce) -> Stored:
        bouncer = self.service.bouncer
        if bouncer is None:
            return Stored.KEPT
        try:
            for message, code, text in action.refusals:
                await bouncer.bounce(message, code, text)
        except SpoolError as error:
            return self._not_stored(error)
        return Stored.KEPT

    def _not_stored(self, error: SpoolError) -> Stored:
        """What a failure of the spool means; it is logged with its cause."""
        full = isinstance(error, SpoolFull)
        self.service.log.panic("spool", f"{error}; message refused with {452 if full else 451}")
        return Stored.FULL if full else Stored.FAILED

    async def _check(self, action: CheckCredentials) -> AuthStatus:
        authenticator = self.service.authenticator
        if authenticator is None:
            return AuthStatus.FAIL
        presented = Credentials(
            action.mechanism, action.user.encode("latin-1"), action.password.encode("latin-1")
        )
        try:
            good = await authenticator.check(presented)
        except Exception as error:
            self.service.log.panic(
                "auth", f"credentials could not be checked: {error}; answered 454"
            )
            return AuthStatus.ERROR
        return AuthStatus.PASS if good else AuthStatus.FAIL


AT_ONCE: dict[type, Callable[..., Any]] = {
    Close: Driving._close,
    ReadContent: Driving._read_content,
    ReadChunk: Driving._read_chunk,
    Note: Driving._note,
    Failed: Driving._failed,
}
LATER: dict[type, Callable[..., Awaitable[Any]]] = {
    Pause: Driving._hold,
    Keep: Driving._keep,
    Bounce: Driving._bounce,
    CheckCredentials: Driving._check,
    StartTls: lambda session, action: session.start_tls(action),
    Authenticate: lambda session, action: session.authenticate(action),
}
