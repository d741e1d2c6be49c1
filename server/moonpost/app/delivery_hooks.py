"""Policy that looks on while mail is delivered, and decides about notices to senders.

An error in one of these is logged and changes nothing: the mail has been delivered, or waits, all the same.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from moonpost.app.events import EventStream
from moonpost.outbound.answers import Fate, Outcome
from moonpost.policy.interface import Outcome as Ran
from moonpost.policy.interface import Policy, PolicyState
from moonpost.queue.journal import Attempt
from moonpost.queue.login import LOGIN, NoLogin
from moonpost.spool.record import Record
from msys.constants import P_ECSTREAM, P_ESMTP, P_INTERNAL
from msys.identity import Id
from msys.message import Message
from msys.ports import Log

RECEIVED_BY = {"internal": P_INTERNAL, "ecstream": P_ECSTREAM}

LOGGED = {
    Fate.DELIVERED: "core_log_delivery_v1",
    Fate.DEFERRED: "core_log_transient_failure_v1",
    Fate.FAILED: "core_log_permanent_failure_v1",
}


def message_of(record: Record, content: bytes | None) -> Message:
    """A spooled message as policy sees it. Its content is empty when it is not in memory."""
    message = Message(
        content=content or b"",
        mailfrom=record.sender,
        rcptto=record.recipient,
        id=Id(record.id),
        batch_id=Id(record.batch_id) if record.batch_id else None,
        conn_id=Id(record.conn_id) if record.conn_id else Id(record.id),
        conn=record.conn,
        mess=record.mess,
        recv_method=RECEIVED_BY.get(record.protocol, P_ESMTP),
        creation_time=int(record.created_at),
    )
    message.binding_name = record.binding
    message.binding_group_name = record.binding_group
    message.route = record.domain
    message.num_retries = record.attempts
    message.response = record.note or None
    return message


class DeliveryHooks:
    """`moonpost.queue.settle.Hooks` and `moonpost.outbound.notices.NoticePolicy` over the current generation."""

    def __init__(self, policy: Policy, log: Log, domain_record: Any, events: EventStream) -> None:
        self._policy = policy
        self._log = log
        self._domain_record = domain_record
        self._events = events

    async def before_requeue(self, record: Record, content: bytes | None, now: float) -> None:
        if self._policy.current().has("core_pre_mailq_message_requeue"):
            message = message_of(record, content)
            await self._run("core_pre_mailq_message_requeue", (message, int(now)), message)
            record.binding = message.binding_name or record.binding
            record.domain = message.route or record.domain

    def login(
        self, record: Record, content: bytes | None
    ) -> Coroutine[Any, Any, Mapping[str, str]] | None:
        """outbound_smtp_auth_config: what policy sets in the message context; None: nobody is asked."""
        if not self._policy.current().has("outbound_smtp_auth_config"):
            return None
        return self._login(record, content)

    async def _login(self, record: Record, content: bytes | None) -> Mapping[str, str]:
        message = message_of(record, content)
        message.mess = dict(record.mess)  # a password set here is not written to the spool
        ran = await self._run("outbound_smtp_auth_config", (message,), message)
        if ran.error is not None:
            raise NoLogin(f"outbound_smtp_auth_config error: {ran.error.text}")
        return {name: str(message.mess[name]) for name in LOGIN if name in message.mess}

    async def logged(
        self, record: Record, content: bytes | None, attempt: Attempt, outcome: Outcome
    ) -> None:
        generation = self._policy.current()
        wanted = [
            callout
            for callout in ("core_log_attempt_v1", LOGGED[outcome.fate])
            if generation.has(callout)
        ]
        if not wanted:
            return
        message = message_of(record, content)
        dr = self._domain_record(record.domain)
        args = (message, dr, int(attempt.at), outcome.text, len(outcome.text))
        for callout in wanted:
            await self._run(callout, args, message)

    async def wanted(self, record: Record, content: bytes) -> bool | None:
        """core_generate_bounces: 1 yes, 0 no; nobody asked, or nothing said: None."""
        answers = await self._ask("core_generate_bounces", (), record, content)
        return None if not answers or answers[0] is None else answers[0] not in (0, False)

    async def replacement(self, record: Record, content: bytes, action: str) -> Message | bool:
        """core_generate_rfc3464_message: a message in place of ours, none at all (nil), or ours."""
        answers = await self._ask("core_generate_rfc3464_message", (action,), record, content)
        if not answers:
            return True
        return answers[0] if isinstance(answers[0], Message) else answers[0] is not None

    async def _ask(
        self, callout: str, extra: tuple[Any, ...], record: Record, content: bytes
    ) -> list[Any]:
        if not self._policy.current().has(callout):
            return []
        message = message_of(record, content)
        return (await self._run(callout, (message, *extra), message)).results

    async def _run(self, callout: str, args: tuple[Any, ...], message: Message) -> Ran:
        generation = self._policy.current()
        answer = generation.run(callout, PolicyState(), args, message)
        ran = answer if isinstance(answer, Ran) else await answer
        if ran.error is not None:
            self._log.panic("scriptlet", f"{callout} error: {ran.error.text}")
            self._events.policy_failed_for(message, generation.number, callout, ran.error)
        return ran
