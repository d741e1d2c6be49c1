"""From the results of an attempt to the spool, the logs and the sender.

The order is the promise: a notice to the sender is durable before the failed message leaves the spool, the spool has
changed before a log line says so, and a message is let go of only then. A spool that fails is asked again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from moonpost.outbound.answers import Fate, Outcome
from moonpost.queue.active import ActiveQueue, Mail
from moonpost.queue.journal import Attempt, Journal
from moonpost.queue.login import Login
from moonpost.queue.options import QueueOptions
from moonpost.queue.schedule import GiveUp, after_failure, warning_due
from moonpost.queue.transcode import transcoded
from moonpost.spool.interface import Change, NotInSpool, Remove, Spool, SpoolError, Update
from moonpost.spool.record import BadRecord, QueueName, Record, queue_prefix

log = logging.getLogger("moonpost.queue")

# Sees a refusal that a host gave, before it counts; returns it, or what it is to count as.
Revise = Callable[[QueueName, Outcome], Outcome]

SPOOL_RETRY_S = 5.0  # chosen: a full or failing disk is not helped by asking more often


class Result(NamedTuple):
    """One message and what became of it."""

    mail: Mail
    outcome: Outcome


class Verdict(NamedTuple):
    """What is logged for one message: the answer, and that it was the last one, when it was."""

    mail: Mail
    outcomes: tuple[Outcome, ...]


class Notifier(Protocol):
    """Tells senders about mail that failed. Durable when it returns; raises SpoolError when it could not be kept."""

    async def failed(
        self,
        record: Record,
        content: bytes,
        outcome: Outcome,
        options: QueueOptions,
        remote: str = "",
    ) -> None: ...

    async def delayed(
        self,
        record: Record,
        content: bytes,
        outcome: Outcome,
        options: QueueOptions,
        remote: str = "",
    ) -> None: ...


class Hooks(Protocol):
    """Policy that looks on, says who mail is sent as, or moves a message before it waits again."""

    def login(self, record: Record, content: bytes | None) -> Awaitable[Login] | None:
        """The login of one message, over that of the options; None: nobody is asked. Raises NoLogin."""
        ...

    async def before_requeue(self, record: Record, content: bytes | None, now: float) -> None:
        """May change the record."""
        ...

    async def logged(
        self, record: Record, content: bytes | None, attempt: Attempt, outcome: Outcome
    ) -> None: ...


JOURNALED: Mapping[Fate, Callable[[Journal, Record, Attempt, Outcome], None]] = {
    Fate.DELIVERED: lambda journal, *facts: journal.delivered(*facts),
    Fate.DEFERRED: lambda journal, *facts: journal.deferred(*facts),
    Fate.FAILED: lambda journal, *facts: journal.failed(*facts),
}


class Settler:
    """Writes results down."""

    def __init__(
        self,
        spool: Spool,
        journal: Journal,
        sleep: Callable[[float], Awaitable[None]],
        notifier: Notifier | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        self._spool = spool
        self._journal = journal
        self._sleep = sleep
        self._notifier = notifier
        self._hooks = hooks

    def notify_through(self, notifier: Notifier | None, hooks: Hooks | None) -> None:
        """Who tells senders, and which policy looks on: known only when the queues are there already."""
        self._notifier, self._hooks = notifier, hooks

    async def settle(
        self,
        queue: ActiveQueue,
        results: Sequence[Result],
        attempt: Attempt,
        options: QueueOptions,
        *,
        quiet: bool = False,
    ) -> list[Record]:
        """Write the results of one attempt; returns the records that wait again. quiet: nobody is notified."""
        verdicts = [self._judge(result, attempt, options) for result in results]
        if not quiet:
            notices = [self._notify(verdict, attempt, options) for verdict in verdicts]
            await asyncio.gather(*notices)
        waiting: list[Record] = []
        changes: list[Change] = []
        for mail, outcomes in verdicts:
            record = mail.record
            if outcomes[-1].fate is Fate.DEFERRED:
                await self._before_requeue(mail, attempt.at)
                waiting.append(record)
                changes.append(Update(record))
            else:
                changes.append(Remove(record.id))
        await self._commit(changes)
        for mail, outcomes in verdicts:
            await self._tell(queue, mail, outcomes, attempt)
        return waiting

    def _judge(self, result: Result, attempt: Attempt, options: QueueOptions) -> Verdict:
        """Note the answer in the record, and decide whether there is a next time."""
        mail = result.mail
        outcome = transcoded(result.outcome, options.transcode)
        record = mail.record
        record.attempts += 1
        record.code, record.note = outcome.code, outcome.text
        if outcome.fate is not Fate.DEFERRED:
            return Verdict(mail, (outcome,))
        next_at = after_failure(attempt.at, record.created_at, record.attempts, options.retry)
        if isinstance(next_at, GiveUp):
            given_up = Outcome(Fate.FAILED, 554, next_at.text, outcome.stage)
            return Verdict(mail, (outcome, given_up))
        record.next_attempt_at = next_at
        return Verdict(mail, (outcome,))

    async def _commit(self, changes: Sequence[Change]) -> None:
        while True:
            try:
                await self._spool.commit(changes)
                return
            except NotInSpool:
                # Somebody removed one of them meanwhile; the others still count.
                if len(changes) == 1:
                    return
                for change in changes:
                    await self._commit([change])
                return
            except SpoolError as error:
                log.error("spool failed reason=%s; asking again in %g s", error, SPOOL_RETRY_S)
                await self._sleep(SPOOL_RETRY_S)

    async def _before_requeue(self, mail: Mail, now: float) -> None:
        if self._hooks is None:
            return
        record = mail.record
        binding, domain = record.queue
        try:
            await self._hooks.before_requeue(record, mail.content, now)
            queue_prefix(record.queue)
        except BadRecord as error:
            record.binding, record.domain = binding, domain
            log.error("not moved id=%s reason=%s; it stays in its queue", record.id, error)
        except Exception:
            log.exception("internal error: id=%s waits all the same", record.id)

    async def _notify(self, verdict: Verdict, attempt: Attempt, options: QueueOptions) -> None:
        """Tell the sender, if this is something to tell."""
        mail, outcomes = verdict
        record, outcome = mail.record, outcomes[-1]
        if self._notifier is None or outcome.fate is Fate.DELIVERED:
            return
        tell = self._notifier.failed
        if outcome.fate is Fate.DEFERRED:
            if options.delay_notices is None or not warning_due(
                attempt.at, record.created_at, record.warned, *options.delay_notices
            ):
                return
            tell = self._notifier.delayed
            record.warned += 1
        while True:
            try:
                content = mail.content
                if content is None:
                    content = await self._spool.get_body(record)
                await tell(record, content, outcome, options, attempt.remote)
                return
            except NotInSpool:
                return
            except SpoolError as error:
                log.error("notice waits id=%s reason=%s", record.id, error)
                await self._sleep(SPOOL_RETRY_S)
            except Exception:
                # Our own fault: the mail still fails or waits, as its log line says; this says why nobody was told.
                log.exception("internal error: no notice for id=%s", record.id)
                return

    async def _tell(
        self, queue: ActiveQueue, mail: Mail, outcomes: Sequence[Outcome], attempt: Attempt
    ) -> None:
        record = mail.record
        attempt = replace(attempt, retries=record.attempts - 1)
        for outcome in outcomes:
            queue.counts.add(outcome.fate)
            try:
                JOURNALED[outcome.fate](self._journal, record, attempt, outcome)
                if self._hooks is not None:
                    await self._hooks.logged(record, mail.content, attempt, outcome)
            except Exception:  # what happened to the mail does not depend on who is told of it
                log.exception("internal error: id=%s %s", record.id, outcome.fate.value)
