"""What each action of the machine's steps means for a session: done at once, or waited for.

One method for each action and a table of them; `driving` decides when. Nothing here looks at bytes of SMTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from moonpost.inbound.intake import Intake
from moonpost.inbound.interface import Credentials, Refusal
from moonpost.inbound.service import Service
from moonpost.inbound.settings import PeerSettings
from moonpost.phases.actions import (
    Authenticate,
    AuthStatus,
    BeginMessage,
    Bounce,
    CheckCredentials,
    Close,
    Expand,
    Failed,
    Keep,
    Note,
    Pause,
    ReadChunk,
    ReadContent,
    StartTls,
    Stored,
)
from moonpost.phases.asking import panic_lines
from moonpost.phases.machine import Machine
from moonpost.queue.throttle import Throttle
from moonpost.spool.interface import SpoolError, SpoolFull

PARKED = object()  # the steps go on when a chunk has come


class Performing:
    """The actions of one session."""

    service: Service
    loop: asyncio.AbstractEventLoop
    machine: Machine | None
    intake: Intake
    closing: bool
    peer: PeerSettings
    _early: asyncio.Future[bool] | None = None  # a pause that ends when the peer speaks

    if TYPE_CHECKING:

        async def start_tls(self, action: StartTls) -> dict[str, str] | None: ...
        async def authenticate(self, action: Authenticate) -> tuple[str, str, str] | None: ...

    # Actions that are done at once

    def _close(self, _action: Close) -> None:
        self.closing = True

    def _read_content(self, action: ReadContent) -> None:
        assert self.machine is not None
        options = self.machine.state.options
        self.intake.expect_content(action.limit_bytes, options.max_line_bytes, options.mend)

    def _read_chunk(self, action: ReadChunk) -> Any:
        self.intake.expect_chunk(action.size, discard=action.discard)
        item = self.intake.next()
        return PARKED if item is None else item[0]

    def _begin_message(self, _action: BeginMessage) -> bool:
        rate = self.peer.rate
        if rate is None:
            return True
        throttles = self.service.tally.throttles
        throttle = throttles.get(rate)
        if throttle is None:
            throttle = throttles[rate] = Throttle(rate.messages, rate.seconds)
        return throttle.wait_s(self.loop.time()) == 0

    def _note(self, action: Note) -> None:
        assert self.machine is not None
        self.service.tally.rejections += 1
        self._counted("rejections")
        refusal = self._circumstances(self.machine, action.phase, action.module, action)
        self.service.log.reject(refusal, action.code, action.text)

    @staticmethod
    def _circumstances(
        machine: Machine, phase: str, module: str, note: Note | None = None
    ) -> Refusal:
        """Who is concerned by a refusal or a failure."""
        state = machine.state
        message = (note.message if note else None) or state.accept.message
        return Refusal(
            phase=phase,
            module=module,
            remote=state.peer.remote,
            local=state.peer.local,
            conn_id=state.conn_id.text,
            pathway=state.vctx.conn.get("pathway", state.options.pathway),
            pathway_group=state.options.pathway_group,
            conn=state.vctx.conn,
            mess=state.vctx.mess,
            decided_by=note.decided_by if note else "",
            message_id=message.id.text if message else "",
            batch_id=message.batch_id.text if message else "",
            sender=message.sender or "" if message else "",
            recipient=message.recipient or "" if message else "",
            generation=state.generation.number,
            discarded=note.discarded if note else False,
        )

    def _counted(self, kind: str) -> None:
        if self.machine is not None:
            self.service.book.counted(kind, self.machine.state.peer.remote_ip)

    def _failed(self, action: Failed, machine: Machine | None = None) -> None:
        machine = machine or self.machine
        self.service.tally.policy_failures += 1
        number = machine.state.generation.number if machine is not None else 0
        for module, text in panic_lines(action, number):
            self.service.log.panic(module, text)
        if machine is not None and self.service.witness is not None:
            where = self._circumstances(machine, action.callout, action.error.module)
            self.service.witness.policy_failed(where, action)

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

    async def _expand(self, action: Expand) -> dict[str, list[str]] | None:
        expander = self.service.expander
        if expander is None:
            return {}
        try:
            return await expander.expand(action.recipients, action.pathway)
        except Exception as error:
            text = f"{error}; message put off with 451"
            self.service.log.panic("alias", text)
            return None

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
    BeginMessage: Performing._begin_message,
    Close: Performing._close,
    ReadContent: Performing._read_content,
    ReadChunk: Performing._read_chunk,
    Note: Performing._note,
    Failed: Performing._failed,
}
LATER: dict[type, Callable[..., Awaitable[Any]]] = {
    Pause: Performing._hold,
    Keep: Performing._keep,
    Bounce: Performing._bounce,
    Expand: Performing._expand,
    CheckCredentials: Performing._check,
    StartTls: lambda session, action: session.start_tls(action),
    Authenticate: lambda session, action: session.authenticate(action),
}
