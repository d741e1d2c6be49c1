"""One connection's worth of delivery: take a letter, find a host, send, hand the results on.

A worker lives while its queue has mail, and a little longer while its connection may be used again. Several serve one
queue side by side.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.connection import Connection, ConnectionFailed, Target
from moonpost.outbound.letters import IF_AVAILABLE, NO, ConversationSettings, Letter
from moonpost.outbound.tls import context_for
from moonpost.queue.active import ActiveQueue, Mail
from moonpost.queue.hosts import Host, choose, usable_at
from moonpost.queue.journal import Attempt
from moonpost.queue.options import QueueOptions
from moonpost.queue.router import NoRoute
from moonpost.queue.schedule import before_attempt
from moonpost.queue.settle import Result
from moonpost.spool.interface import NotInSpool, SpoolError

if TYPE_CHECKING:
    from moonpost.queue.manager import QueueManager

UNREACHABLE = "421 4.4.0 [internal] no MXs for this domain could be reached at this time"
DNS_PAUSE_S = 60.0  # chosen: a backlog must not use up a domain's lookups in seconds
LOCAL_TROUBLE_PAUSE_S = 10.0  # chosen: descriptors or ports come back as other connections end


class Open(Protocol):
    """How a connection is made: `Connection.open`, or a test's own."""

    def __call__(
        self,
        target: Target,
        settings: ConversationSettings,
        timeouts: dict[str, float],
        tls: ssl.SSLContext | None,
        on_idle_end: Callable[[Connection], None],
    ) -> Awaitable[Connection]: ...


class Worker:
    """Serves one queue until there is nothing to do."""

    def __init__(self, manager: QueueManager, queue: ActiveQueue) -> None:
        self._manager = manager
        self._queue = queue
        self._connection: Connection | None = None
        self._host: Host | None = None
        self._conn_id = ""
        self._last_address = ""
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
            self._disconnect()

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
            return await self._attempt(batch, options)
        except BaseException:
            queue.put_back(batch)
            raise

    async def _attempt(self, batch: list[Mail], options: QueueOptions) -> bool:
        queue = self._queue
        content = await self._content(batch)
        if content is None:
            return True
        connection = await self._connected(batch, options)
        if connection is None:
            return False
        await self._manager.respect(queue.throttle_messages, len(batch))
        reused = connection.delivered > 0
        outcomes = await connection.send(_letter(batch, content))
        if reused and all(map(_went_stale, outcomes)):
            # The host closed the idle connection as we began: that says nothing about the mail.
            queue.put_back(batch)
            self._disconnect()
            return True
        self._hand_on(batch, outcomes, connection.bytes_sent, options)
        return True

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
        return Attempt(now, self._conn_id, self._last_address, bytes_sent)

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

    # connections

    async def _connected(self, batch: list[Mail], options: QueueOptions) -> Connection | None:
        """A connection that can take the batch; None: the batch has been dealt with."""
        connection = self._connection
        if connection is not None and not self._may_reuse(connection, len(batch), options):
            self._disconnect()
            connection = None
        if connection is not None:
            return connection
        try:
            hosts = await self._manager.router.hosts(self._queue.name.domain, options)
        except NoRoute as no_route:
            everything = [*batch, *self._queue.take_all()]
            self._manager.settle_all(self._queue, everything, no_route.outcome, options)
            if no_route.outcome.fate is Fate.DEFERRED:
                self._manager.pause(
                    self._queue, self._manager.clock.now() + DNS_PAUSE_S, "no hosts"
                )
            return None
        self._queue.hosts_known = len(hosts)
        return await self._connect(batch, hosts, options)

    def _may_reuse(self, connection: Connection, recipients: int, options: QueueOptions) -> bool:
        most = options.max_deliveries_per_connection
        most_recipients = options.max_recipients_per_connection
        return (
            connection.usable
            and not (most and connection.delivered >= most)
            and not (most_recipients and connection.recipients + recipients > most_recipients)
        )

    async def _connect(
        self, batch: list[Mail], hosts: Sequence[Host], options: QueueOptions
    ) -> Connection | None:
        manager, queue = self._manager, self._queue
        failure: Outcome | None = None
        while True:
            now = manager.clock.now()
            host = choose(hosts, now, manager.quarantine, queue.places)
            if host is None:
                break
            await manager.respect(queue.throttle_connections)
            try:
                connection = await self._open(host, batch[0], options, options.tls)
            except ConnectionFailed as failed:
                if failed.ours:
                    queue.put_back(batch)
                    manager.pause(queue, now + LOCAL_TROUBLE_PAUSE_S, failed.outcome.text)
                    return None
                failure = failed.outcome
                queue.counts.connections_failed += 1
                manager.quarantine[host.place] = now + options.host_failure_retry
                manager.host_failures[host.place] = manager.host_failures.get(host.place, 0) + 1
                continue
            queue.unreached_since = None
            manager.host_failures.pop(host.place, None)
            return connection
        self._unreached(batch, hosts, failure, options)
        return None

    def _unreached(
        self,
        batch: list[Mail],
        hosts: Sequence[Host],
        failure: Outcome | None,
        options: QueueOptions,
    ) -> None:
        """Every host failed, now or a moment ago."""
        manager, queue = self._manager, self._queue
        now = manager.clock.now()
        if queue.places:  # it takes mail on other connections, and wants no more of them
            queue.put_back(batch)
            manager.pause(
                queue, max(usable_at(hosts, manager.quarantine), now + 1), "no further connection"
            )
            return
        if queue.unreached_since is None:
            queue.unreached_since = now
        hopeless = (
            0
            < options.mx_failures_to_delay
            <= min((manager.host_failures.get(host.place, 0) for host in hosts), default=0)
        )
        if hopeless or now - queue.unreached_since >= options.connect_timeout_to_delay:
            queue.unreached_since = now
            outcome = Outcome(Fate.DEFERRED, 421, UNREACHABLE, Stage.NOT_CONNECTED)
            manager.settle_all(queue, [*batch, *queue.take_all()], outcome, options)
        elif failure is not None:
            self._hand_on(batch, [failure] * len(batch), 0, options)
        else:
            queue.put_back(batch)
        manager.pause(queue, max(usable_at(hosts, manager.quarantine), now + 1), "hosts failed")

    async def _open(self, host: Host, first: Mail, options: QueueOptions, tls: str) -> Connection:
        manager, queue = self._manager, self._queue
        hostname = options.ehlo_hostname
        if hostname == "__message__":
            hostname = first.record.sender.rpartition("@")[2] or manager.hostname
        elif hostname == "__hostname__":
            hostname = manager.hostname
        settings = ConversationSettings(hostname, options.protocol, tls, options.announce_8bit)
        target = Target(host.name, host.address, host.port, options.source)
        try:
            context = context_for(options) if tls != NO else None
        except OSError as error:  # ssl.SSLError is one
            text = f"451 4.7.5 [internal] TLS options can't be used: {error}"
            raise ConnectionFailed(
                Outcome(Fate.DEFERRED, 451, text, Stage.NOT_CONNECTED), ours=True
            ) from error
        self._conn_id, self._last_address = manager.next_id(), host.address
        queue.places[host.place] = queue.places.get(host.place, 0) + 1
        try:
            self._connection = await manager.open_connection(
                target,
                settings,
                dict(options.timeouts),
                context,
                lambda _: self.wake(),
            )
        except BaseException as error:
            self._left(host)
            if (
                isinstance(error, ConnectionFailed)
                and error.outcome.stage is Stage.TLS_HANDSHAKE
                and tls == IF_AVAILABLE
                and options.tls_fallback
            ):
                return await self._open(host, first, options, NO)
            raise
        self._host = host
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._host is not None:
            self._left(self._host)
            self._host = None

    def _left(self, host: Host) -> None:
        places = self._queue.places
        places[host.place] -= 1
        if not places[host.place]:
            del places[host.place]

    async def _wait_for_mail(self) -> bool:
        connection = self._connection
        if connection is None or not connection.usable:
            return False
        self._idle = asyncio.get_running_loop().create_future()
        self._manager.refill(self._queue)
        try:
            await self._idle
        finally:
            self._idle = None
        return connection.usable or bool(self._queue.ready)


def _letter(batch: Sequence[Mail], content: bytes) -> Letter:
    first = batch[0].record
    return Letter(
        first.sender,
        tuple(mail.record.recipient for mail in batch),
        content,
        first.utf8,
        first.parameters,
        tuple(mail.record.parameters for mail in batch),
    )


def _went_stale(outcome: Outcome) -> bool:
    return outcome.text.startswith("421 4.4.2 [internal]") and outcome.stage in (
        Stage.AFTER_MAIL, Stage.DURING_MAIL, Stage.AFTER_RSET, Stage.DURING_RSET,
    )  # fmt: skip


def _too_many(outcome: Outcome) -> bool:
    return outcome.code == 452 and outcome.stage is Stage.AFTER_RCPT
