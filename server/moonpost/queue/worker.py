"""One connection's worth of delivery: take a letter, have a connection, send, hand the results on.

A worker lives while its queue has mail, and a little longer while its connection may be used again. Several serve one
queue side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.connection import Connection
from moonpost.outbound.letters import Letter
from moonpost.queue.active import ActiveQueue, Mail
from moonpost.queue.caller import Caller, Elsewhere, NotNow, client_of
from moonpost.queue.journal import Attempt
from moonpost.queue.login import NoLogin, credentials_of
from moonpost.queue.moving import rewrite
from moonpost.queue.options import QueueOptions
from moonpost.queue.router import NoRoute
from moonpost.queue.schedule import before_attempt
from moonpost.queue.settle import Result
from moonpost.spool.interface import NotInSpool, SpoolError

if TYPE_CHECKING:
    from moonpost.queue.manager import QueueManager

DNS_PAUSE_S = 60.0  # chosen: a backlog must not use up a domain's lookups in seconds

NO_PUSH = Outcome(
    Fate.DEFERRED, 451, "451 4.3.5 [internal] nobody delivers push notifications here",
    Stage.NOT_CONNECTED,
)  # fmt: skip


class Worker:
    """Serves one queue until there is nothing to do."""

    def __init__(self, manager: QueueManager, queue: ActiveQueue) -> None:
        self._manager = manager
        self._queue = queue
        self._caller = Caller(manager, queue, self.wake)
        self._idle: asyncio.Future[None] | None = None

    @property
    def idle(self) -> bool:
        """Waiting, with an open connection, for more mail."""
        return self._idle is not None

    def wake(self) -> None:
        """There may be mail, or a reason to end."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def run(self) -> None:
        try:
            while await self._one_letter():
                pass
        finally:
            self._caller.hang_up()

    async def _one_letter(self) -> bool:
        """Send the next letter; False: this worker is not needed any more."""
        queue, options = self._queue, self._manager.options(self._queue)
        if self._manager.stopping or options.suspended:
            return False
        await self._manager.room()
        batch = queue.take(options.max_recipients_per_batch)
        if not batch:
            return await self._wait_for_mail()
        batch = await self._still_worth_trying(batch, options)
        if not batch:
            return True
        try:
            batch = await self._sent_as_one(batch, options)
            return not batch or await self._attempt(batch, options)
        except BaseException:
            queue.put_back(batch)
            raise

    async def _attempt(self, batch: list[Mail], options: QueueOptions) -> bool:
        queue = self._queue
        content = await self._content(batch)
        if content is None:
            return True
        if options.pushed:
            return await self._push(batch, content, options)
        connection = await self._connected(batch, options)
        if connection is None:
            return False
        await self._manager.respect(queue.throttle_messages, len(batch))
        wait_s = self._caller.message_wait_s(len(batch))
        if wait_s:
            queue.put_back(batch)
            self._manager.pause(
                queue, self._manager.clock.now() + wait_s, "its host's rate is reached"
            )
            return False
        reused = connection.delivered > 0
        outcomes = await connection.send(_letter(batch, content, options))
        if reused and all(map(_went_stale, outcomes)):
            # The host closed the idle connection as we began: that says nothing about the mail.
            queue.put_back(batch)
            self._caller.hang_up()
            return True
        self._hand_on(batch, outcomes, connection.bytes_sent, options)
        return True

    async def _push(self, batch: list[Mail], content: bytes, options: QueueOptions) -> bool:
        """Send each message as a notification of its own."""
        manager, push = self._manager, self._manager.push
        outcomes = []
        for mail in batch:
            await manager.respect(self._queue.throttle_messages)
            outcome = NO_PUSH if push is None else await push(mail.record, content, options)
            outcomes.append(outcome)
        self._hand_on(batch, outcomes, len(content) * len(batch), options)
        return True

    async def _connected(self, batch: list[Mail], options: QueueOptions) -> Connection | None:
        """A connection that can take the batch; None: the batch has been dealt with."""
        manager, queue = self._manager, self._queue
        try:
            return await self._caller.connected(batch, options)
        except NoRoute as no_route:
            everything = [*batch, *queue.take_all()]
            manager.settle_all(queue, everything, no_route.outcome, options)
            if no_route.outcome.fate is Fate.DEFERRED:
                manager.pause(queue, manager.clock.now() + DNS_PAUSE_S, "no hosts")
        except Elsewhere as other:
            await self._move([*batch, *queue.take_all()], other.domain)
        except NotNow as later:
            if later.outcome is None:
                queue.put_back(batch)
            elif later.whole:
                manager.settle_all(queue, [*batch, *queue.take_all()], later.outcome, options)
            else:
                self._hand_on(batch, [later.outcome] * len(batch), 0, options)
            manager.pause(queue, later.until, later.why)
        return None

    async def _move(self, mails: list[Mail], domain: str) -> None:
        """Put mail under another routing domain."""
        for mail in mails:
            mail.record.domain = domain
        try:
            await rewrite(self._manager.spool, [mail.record for mail in mails])
        except SpoolError as error:
            for mail in mails:
                mail.record.domain = self._queue.name.domain
            self._manager.spool_failed(self._queue, mails, error)
            return
        self._manager.moved(self._queue, mails)

    def _hand_on(
        self,
        batch: Sequence[Mail],
        outcomes: Sequence[Outcome],
        bytes_sent: int,
        options: QueueOptions,
    ) -> None:
        results = [Result(mail, outcome) for mail, outcome in zip(batch, outcomes, strict=True)]
        taken = [result for result in results if result.outcome.fate is Fate.DELIVERED]
        if taken and len(batch) > 1:
            # RFC 5321 section 4.5.3.1.10: the host took as many recipients as it wants at once.
            later = [result for result in results if _too_many(result.outcome)]
            if later:
                self._queue.batch_limit = len(taken)
                self._queue.put_back([result.mail for result in later])
                results = [result for result in results if result not in later]
        self._manager.settle(self._queue, results, self._seen(bytes_sent), options)

    def _seen(self, bytes_sent: int) -> Attempt:
        now = self._manager.clock.now()
        return Attempt(now, self._caller.conn_id, self._caller.address, bytes_sent)

    async def _still_worth_trying(self, batch: list[Mail], options: QueueOptions) -> list[Mail]:
        now = self._manager.clock.now()
        overdue: list[Result] = []
        for mail in batch:
            given_up = before_attempt(now, mail.record.created_at, options.retry)
            if given_up is not None:
                outcome = Outcome(Fate.FAILED, 554, given_up.text, Stage.NOT_CONNECTED)
                overdue.append(Result(mail, outcome))
        if overdue:
            self._manager.settle(self._queue, overdue, Attempt(now, "", ""), options)
        gone = {result.mail.record.id for result in overdue}
        return [mail for mail in batch if mail.record.id not in gone]

    async def _sent_as_one(self, batch: list[Mail], options: QueueOptions) -> list[Mail]:
        """Those of a batch that are sent as the same user; the others are first again."""
        hooks = self._manager.hooks
        for mail in batch:
            record = mail.record
            asked = hooks.login(record, mail.content) if hooks is not None else None
            try:
                said = await asked if asked is not None else {}
            except NoLogin as error:
                text = f"451 4.3.5 [internal] {error}"
                outcome = Outcome(Fate.DEFERRED, 451, text, Stage.NOT_CONNECTED)
                self._manager.settle_all(self._queue, batch, outcome, options)
                return []
            mail.credentials = credentials_of(options.login, {**record.mess, **said})
        first = batch[0].credentials
        others = [mail for mail in batch if mail.credentials != first]
        if others:
            self._queue.put_back(others)
        return [mail for mail in batch if mail.credentials == first]

    async def _content(self, batch: Sequence[Mail]) -> bytes | None:
        first = batch[0]
        if first.content is None:
            try:
                content = await self._manager.spool.get_body(first.record)
            except NotInSpool:
                self._manager.vanished(self._queue, batch)
                return None
            except SpoolError as error:
                self._manager.spool_failed(self._queue, batch, error)
                return None
            for mail in batch:
                mail.content = content
        return first.content

    async def _wait_for_mail(self) -> bool:
        connection = self._caller.connection
        if connection is None or not connection.usable:
            return False
        self._idle = asyncio.get_running_loop().create_future()
        self._manager.refill(self._queue)
        try:
            await self._idle
        finally:
            self._idle = None
        return connection.usable or bool(self._queue.ready)


def _letter(batch: Sequence[Mail], content: bytes, options: QueueOptions) -> Letter:
    first = batch[0].record
    return Letter(
        first.sender,
        tuple(mail.record.recipient for mail in batch),
        content,
        first.utf8,
        first.parameters,
        tuple(mail.record.parameters for mail in batch),
        client_of(first, options),
    )


def _went_stale(outcome: Outcome) -> bool:
    return outcome.text.startswith("421 4.4.2 [internal]") and outcome.stage in (
        Stage.AFTER_MAIL, Stage.DURING_MAIL, Stage.AFTER_RSET, Stage.DURING_RSET,
    )  # fmt: skip


def _too_many(outcome: Outcome) -> bool:
    return outcome.code == 452 and outcome.stage is Stage.AFTER_RCPT
