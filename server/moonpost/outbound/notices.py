"""Telling senders about mail that could not be delivered.

Decides whether there is anybody to tell, builds the notice, and hands it on to be judged and kept like other mail made
here. A notice about a notice is never made: the null sender is told nothing, unless an operator named a mailbox for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.bounces import (
    DELAYED,
    FAILED,
    Letterhead,
    Report,
    build,
    wants_notice,
)
from moonpost.queue.options import Option, QueueOptions, resolve
from moonpost.spool.record import Record
from msys.constants import P_INTERNAL
from msys.identity import IDS
from msys.message import Message

Inject = Callable[[Sequence[Message]], Awaitable[None]]


class NoticePolicy(Protocol):
    """Hooks that decide about notices."""

    async def wanted(self, record: Record, content: bytes) -> bool | None:
        """core_generate_bounces: yes, no, or None: the option decides."""
        ...

    async def replacement(self, record: Record, content: bytes, action: str) -> Message | bool:
        """core_generate_rfc3464_message: another notice, False for none at all, True for ours."""
        ...


class Notices:
    """Implements `moonpost.queue.settle.Notifier` and the bouncer of receiving."""

    def __init__(
        self,
        inject: Inject,
        option: Option,
        now: Callable[[], float],
        hostname: str,
        record_of: Callable[[Message], Record],
        policy: NoticePolicy | None = None,
    ) -> None:
        self._inject, self._option, self._now = inject, option, now
        self._hostname = hostname
        self._record_of = record_of
        self._policy = policy

    async def failed(
        self,
        record: Record,
        content: bytes,
        outcome: Outcome,
        options: QueueOptions,
        remote: str = "",
    ) -> None:
        """The mail failed for good. Durable when this returns; SpoolError when the notice could not be kept."""
        receiver = record.sender or options.failures_notify
        if not receiver or not wants_notice(record):
            return
        if await self._wanted(record, content, options):
            report = Report(FAILED, outcome.text, self._now(), remote)
            await self._send(record, content, report, options, receiver)

    async def delayed(
        self,
        record: Record,
        content: bytes,
        outcome: Outcome,
        options: QueueOptions,
        remote: str = "",
    ) -> None:
        """The mail is late, and will be tried again. Durable when this returns."""
        if record.sender and wants_notice(record, DELAYED):
            until = record.created_at + options.retry.message_expiration
            report = Report(DELAYED, outcome.text, self._now(), remote, until)
            await self._send(record, content, report, options, record.sender)

    async def _send(
        self,
        record: Record,
        content: bytes,
        report: Report,
        options: QueueOptions,
        receiver: str,
    ) -> None:
        own: Message | bool = True
        if self._policy is not None:
            own = await self._policy.replacement(record, content, report.action)
        if own is False:
            return
        if isinstance(own, Message):
            notice = own
            notice.recipient = notice.recipient or receiver
        else:
            notice = self._notice(record, content, report, options, receiver)
        notice.sender, notice.recv_method = "", P_INTERNAL
        await self._inject([notice])

    async def bounce(self, message: Message, code: int, text: str) -> None:
        """Policy refused this copy after others of the same reception were accepted."""
        record = self._record_of(message)
        options = resolve(self._option, record.binding, record.domain)
        outcome = Outcome(Fate.FAILED, code, f"{code} {text}", Stage.NOT_CONNECTED)
        await self.failed(record, message.content, outcome, options)

    async def _wanted(self, record: Record, content: bytes, options: QueueOptions) -> bool:
        answer = None if self._policy is None else await self._policy.wanted(record, content)
        return options.generate_bounces if answer is None else answer

    def _notice(
        self,
        record: Record,
        content: bytes,
        report: Report,
        options: QueueOptions,
        receiver: str,
    ) -> Message:
        identity = IDS.next()
        boundary = secrets.token_hex(16)
        while boundary.encode() in content:
            boundary = secrets.token_hex(16)
        daemon = options.mailerdaemon or f"mailer-daemon@{self._hostname}"
        message_id = f"{identity.text.replace('/', '.')}@{self._hostname}"
        head = Letterhead(self._hostname, daemon, message_id, boundary)
        return Message(
            content=build(record, content, report, head, options.inline_original),
            mailfrom="",
            rcptto=receiver,
            id=identity,
            recv_method=P_INTERNAL,
            creation_time=int(report.at),
        )
