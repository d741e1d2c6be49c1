"""From the results of an attempt to the spool, the logs and the sender.

The order is the promise: a notice to the sender is durable before the failed message leaves the spool, the spool has
changed before a log line says so, and a message is let go of only then. A spool that fails is asked again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from moonpost.outbound.answers import Fate, Outcome
from moonpost.queue.active import ActiveQueue, Mail
from moonpost.queue.journal import Attempt, Journal
from moonpost.queue.options import QueueOptions
from moonpost.queue.schedule import GiveUp, after_failure
from moonpost.spool.interface import Change, NotInSpool, Remove, Spool, SpoolError, Update
from moonpost.spool.record import Record

log = logging.getLogger("moonpost.queue")

SPOOL_RETRY_S = 5.0  # chosen: a full or failing disk is not helped by asking more often


class Result(NamedTuple):
    """One message and what became of it."""

    mail: Mail
    outcome: Outcome


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


class Hooks(Protocol):
    """Policy that looks on, or moves a message before it waits again."""

    async def before_requeue(self, record: Record, content: bytes | None, now: float) -> None:
        """May change the record."""
        ...

    async def logged(
        self, record: Record, content: bytes | None, attempt: Attempt, outcome: Outcome
    ) -> None: ...


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
        waiting: list[Record] = []
        changes: list[Change] = []
        verdicts: list[tuple[Mail, list[Outcome]]] = []
        failing: list[Result] = []
        for mail, outcome in results:
            record = mail.record
            record.attempts += 1
            record.code, record.note = outcome.code, outcome.text
            outcomes = [outcome]
            if outcome.fate is Fate.DEFERRED:
                next_at = after_failure(
                    attempt.at, record.created_at, record.attempts, options.retry
                )
                if isinstance(next_at, GiveUp):
                    outcome = Outcome(
                        Fate.FAILED, 554, next_at.text, outcome.stage
                    )  # beside the answer
                    outcomes.append(outcome)
                else:
                    record.next_attempt_at = next_at
            if outcome.fate is Fate.DEFERRED:
                if self._hooks is not None:
                    await self._hooks.before_requeue(record, mail.content, attempt.at)
                waiting.append(record)
                changes.append(Update(record))
            else:
                if outcome.fate is Fate.FAILED:
                    failing.append(Result(mail, outcome))
                changes.append(Remove(record.id))
            verdicts.append((mail, outcomes))
        if not quiet:
            await asyncio.gather(
                *(self._notify(mail, outcome, options, attempt.remote) for mail, outcome in failing)
            )
        await self._commit(changes)
        for mail, outcomes in verdicts:
            await self._tell(queue, mail, outcomes, attempt)
        return waiting

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

    async def _notify(
        self, mail: Mail, outcome: Outcome, options: QueueOptions, remote: str
    ) -> None:
        if self._notifier is None:
            return
        record = mail.record
        while True:
            try:
                content = mail.content
                if content is None:
                    content = await self._spool.get_body(record)
                await self._notifier.failed(record, content, outcome, options, remote)
                return
            except NotInSpool:
                return
            except SpoolError as error:
                log.error("notice waits id=%s reason=%s", record.id, error)
                await self._sleep(SPOOL_RETRY_S)
            except Exception:
                # Our own fault: the message still fails, its log line says so, and this says why nobody was told.
                log.exception("internal error: no notice for id=%s", record.id)
                return

    async def _tell(
        self, queue: ActiveQueue, mail: Mail, outcomes: Sequence[Outcome], attempt: Attempt
    ) -> None:
        record, counts = mail.record, queue.counts
        attempt = replace(attempt, retries=record.attempts - 1)
        for outcome in outcomes:
            if outcome.fate is Fate.DELIVERED:
                counts.delivered += 1
                self._journal.delivered(record, attempt, outcome)
            elif outcome.fate is Fate.DEFERRED:
                counts.deferred += 1
                self._journal.deferred(record, attempt, outcome)
            else:
                counts.failed += 1
                self._journal.failed(record, attempt, outcome)
            if self._hooks is not None:
                await self._hooks.logged(record, mail.content, attempt, outcome)
