"""Mail that is made here: by policy, and for senders whose mail failed.

Every message passes the same last steps as received mail (binding, final validation), then the spool. The pure steps
are in `moonpost.phases.enqueue`; this drives them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from moonpost.app.events import EventStream
from moonpost.app.judging import judged_by
from moonpost.phases.enqueue import Fate, enqueue_generated
from moonpost.policy.interface import Generation, Policy, PolicyState
from moonpost.queue.keeper import Internal, SpoolKeeper
from moonpost.spool.interface import SpoolError
from msys.accept import Accept
from msys.constants import P_INTERNAL
from msys.message import Message
from msys.ports import Clock, Log, PortError
from msys.vctx import ValidationContext

INTERNAL = Internal(received_at=0.0)


class Injection:
    """Takes finished messages through the last steps and into the spool."""

    def __init__(
        self,
        policy: Policy,
        keeper: SpoolKeeper,
        clock: Clock,
        log: Log,
        events: EventStream | None = None,
    ) -> None:
        self._policy = policy
        self._keeper = keeper
        self._clock = clock
        self._log = log
        self._events = events

    async def inject(self, messages: Sequence[Message]) -> None:
        """Judge and keep copies, each with its envelope. SpoolError when they cannot be kept.

        A copy that policy refuses is not kept, and the panic log says why: there is no client to tell.
        """
        generation = self._policy.current()
        generation.hold()
        try:
            kept = [m for m in messages if await self._judge(generation, m)]
        finally:
            generation.release()
        if kept:
            arrival = replace(INTERNAL, received_at=self._clock.now(), generation=generation.number)
            await self._keeper.keep(kept, arrival)

    async def _judge(self, generation: Generation, message: Message) -> bool:
        accept = Accept()
        vctx = ValidationContext(conn=message.conn, mess=message.mess)
        accept.vctx, accept.message = vctx, message
        state = PolicyState(accept=accept, vctx=vctx)
        steps = enqueue_generated(generation, message, accept, vctx, self._clock.now())
        judged = await judged_by(steps, generation, state, message, self._log, self._events)
        if judged.fate in (Fate.REFUSE, Fate.DEFER):
            verdict = judged.verdict
            said = f"{verdict.code} {verdict.text}" if verdict else "no reason"
            self._log.panic(
                "inject",
                f"message {message.id} from <{message.sender}> to <{message.recipient}> made here "
                f"was refused by policy and is dropped: {said}",
            )
        return judged.fate is Fate.KEEP


class Outbox:
    """`msys.ports.Outbox` over the queue."""

    def __init__(
        self,
        injection: Injection,
        delay: Callable[[str, str], None],
        domain: Callable[[str], Any],
        failure_rate: Callable[[str, str, float], float | Awaitable[float]],
    ) -> None:
        self._injection = injection
        self._delay = delay
        self._domain = domain
        self._failure_rate = failure_rate

    def submit(self, message: Message, mailfrom: str, recipients: Sequence[str]) -> Awaitable[None]:
        """Queue new mail: one copy for each recipient."""
        return self._submit([_copy(message, mailfrom, address) for address in recipients])

    async def _submit(self, copies: list[Message]) -> None:
        try:
            await self._injection.inject(copies)
        except SpoolError as error:
            raise PortError("ENOSPC", f"the message could not be kept: {error}") from None

    def delay_domain(self, domain: str, note: str) -> None:
        self._delay(domain, note)

    def domain(self, name: str) -> Any:
        return self._domain(name)

    def failure_rate(self, binding: str, domain: str, period_s: float) -> float | Awaitable[float]:
        return self._failure_rate(binding, domain, period_s)


class NotYet:
    """The outbox while queues do not exist: scripts that send mail from their main chunk are told so."""

    def submit(self, message: Message, mailfrom: str, recipients: Sequence[str]) -> None:
        self._refuse()

    def delay_domain(self, domain: str, note: str) -> None:
        self._refuse()

    def domain(self, name: str) -> None:
        self._refuse()

    def failure_rate(self, binding: str, domain: str, period_s: float) -> float:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise PortError(
            "EAGAIN", "there are no queues while policy is loading: use a callout or a timer"
        )


def _copy(message: Message, mailfrom: str, recipient: str) -> Message:
    copy: Message = message.copy_for(recipient)
    copy.sender = mailfrom
    copy.recv_method = P_INTERNAL
    copy.discarded = None
    return copy
