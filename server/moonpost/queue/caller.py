"""The connection of one worker: which host to call, how to speak there, when to call again.

Raises NotNow with what becomes of the mail; who has mail and what happens to it afterwards is the worker's business.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from moonpost.outbound import xclient
from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.auth import Credentials
from moonpost.outbound.connection import Connection, ConnectionFailed, Target
from moonpost.outbound.letters import IF_AVAILABLE, NO, ConversationSettings
from moonpost.outbound.mta_sts import ENFORCE, Policy
from moonpost.outbound.security import Security
from moonpost.outbound.tls import context_for
from moonpost.queue.active import ActiveQueue, Mail
from moonpost.queue.hosts import Host, choose, usable_at
from moonpost.queue.limits import Key
from moonpost.queue.options import QueueOptions
from moonpost.queue.trust import allowed

if TYPE_CHECKING:
    from moonpost.queue.manager import QueueManager
    from moonpost.spool.record import Record

UNREACHABLE = "421 4.4.0 [internal] no MXs for this domain could be reached at this time"
LOCAL_TROUBLE_PAUSE_S = 10.0  # chosen: descriptors or ports come back as other connections end

# Failures at these stages say something about the host for everybody; later ones (TLS as this queue wants it, a login)
# only about this queue and the host.
EVERYBODYS = (Stage.NOT_CONNECTED, Stage.BANNER)


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


class NotNow(Exception):
    """No connection at present; the queue pauses until then.

    outcome: what the attempt came to, None: nothing was tried. whole: it is a verdict on the whole queue.
    """

    def __init__(
        self, until: float, why: str, outcome: Outcome | None = None, whole: bool = False
    ) -> None:
        super().__init__(why)
        self.until, self.why, self.outcome, self.whole = until, why, outcome, whole


class Elsewhere(Exception):
    """Mail of this queue belongs under another routing domain."""

    def __init__(self, domain: str) -> None:
        super().__init__(domain)
        self.domain = domain


class Caller:
    """Opens, keeps and ends the connection of one worker."""

    def __init__(
        self, manager: QueueManager, queue: ActiveQueue, on_idle_end: Callable[[], None]
    ) -> None:
        self.connection: Connection | None = None
        self.conn_id = ""
        self.address = ""  # of the host that was called last
        self._manager, self._queue, self._on_idle_end = manager, queue, on_idle_end
        self._host: Host | None = None
        self._held: tuple[Key, ...] = ()
        self._credentials: Credentials | None = None

    async def connected(self, batch: Sequence[Mail], options: QueueOptions) -> Connection:
        """A connection that can take the batch. Raises NotNow, Elsewhere, and NoRoute of the router."""
        connection = self.connection
        if connection is not None:
            if self._may_reuse(connection, batch, options):
                return connection
            self.hang_up()
        manager, domain = self._manager, self._queue.name.domain
        hosts = await manager.router.hosts(domain, options)
        self._queue.hosts_known = len(hosts)
        policy = await manager.trust.policy(domain, hosts, options)
        hosts = allowed(hosts, policy)
        if policy is None or policy.mode != ENFORCE:  # another domain's name would hide its policy
            self._roll_up(hosts, options)
        return await self._call_one_of(hosts, batch[0], options, policy)

    def hang_up(self) -> None:
        """End the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        if self._host is not None:
            self._left(self._host, self._held)
            self._host = None

    def message_wait_s(self, recipients: int) -> float:
        """How long the host that is connected must be spared another letter."""
        if self.connection is None or self._host is None:
            return 0.0
        return self._manager.host_limits.message_wait_s(
            self._queue.name.binding, self._host, self._manager.clock.now(), recipients,
            self.connection.delivered == 0,
        )  # fmt: skip

    def _roll_up(self, hosts: Sequence[Host], options: QueueOptions) -> None:
        """`rollup_mx`: domains that share receiving hosts queue together, so that limits hold for all of them."""
        manager, queue = self._manager, self._queue
        if options.routes or queue.name.domain in manager.rolled_up:
            return  # mail that was rolled up stays where it is, whatever stanzas say of those hosts
        best = [host for host in hosts if host.preference == hosts[0].preference]
        names = (manager.host_limits.rollup(queue.name.binding, host) for host in best)
        name = next(filter(None, names), "")
        if name and name != queue.name.domain:
            manager.rolled_up.add(name)
            raise Elsewhere(name)

    def _may_reuse(
        self, connection: Connection, batch: Sequence[Mail], options: QueueOptions
    ) -> bool:
        most = options.max_deliveries_per_connection
        most_recipients = options.max_recipients_per_connection
        return (
            connection.usable
            and batch[0].credentials == self._credentials
            and (not connection.shows_client or bool(client_of(batch[0].record, options)))
            and not (most and connection.delivered >= most)
            and not (most_recipients and connection.recipients + len(batch) > most_recipients)
        )

    async def _call_one_of(
        self, hosts: Sequence[Host], first: Mail, options: QueueOptions, policy: Policy | None
    ) -> Connection:
        manager, queue = self._manager, self._queue
        failure: Outcome | None = None
        while True:
            now = manager.clock.now()
            waits = {host: self._limited_s(host, now) for host in hosts}
            free = [host for host in hosts if not waits[host]]
            host = choose(free, now, self._avoided(), queue.places)
            if host is None:
                spared = choose(hosts, now, self._avoided(), queue.places)
                if spared is not None and failure is None:
                    until = now + min(filter(None, waits.values()))
                    raise NotNow(until, "the limits of its hosts are reached")
                raise self._unreached(hosts, failure, options)
            await manager.respect(queue.throttle_connections)
            if self._limited_s(host, manager.clock.now()):
                continue  # somebody else was faster
            try:
                security = await manager.trust.security(queue.name.domain, host, options, policy)
                connection = await self._open(host, first, options, security)
            except ConnectionFailed as failed:
                if failed.ours:
                    raise NotNow(now + LOCAL_TROUBLE_PAUSE_S, failed.outcome.text) from failed
                failure = failed.outcome
                self._note_failure(host, failure, options)
                continue
            queue.unreached_since = None
            queue.avoided.pop(host.place, None)
            manager.host_failures.pop(host.place, None)
            return connection

    def _limited_s(self, host: Host, now: float) -> float:
        return self._manager.host_limits.wait_s(self._queue.name.binding, host, now)

    def _avoided(self) -> dict[tuple[str, int], float]:
        found = self._manager.quarantine
        return {**found, **self._queue.avoided} if self._queue.avoided else found

    def _note_failure(self, host: Host, failure: Outcome, options: QueueOptions) -> None:
        manager, queue = self._manager, self._queue
        queue.counts.connections_failed += 1
        where = manager.quarantine if failure.stage in EVERYBODYS else queue.avoided
        where[host.place] = manager.clock.now() + options.host_failure_retry
        manager.host_failures[host.place] = manager.host_failures.get(host.place, 0) + 1

    def _unreached(
        self, hosts: Sequence[Host], failure: Outcome | None, options: QueueOptions
    ) -> NotNow:
        """Every host failed, now or a moment ago."""
        manager, queue = self._manager, self._queue
        now = manager.clock.now()
        until = max(usable_at(hosts, self._avoided()), now + 1)
        if queue.places:  # it takes mail on other connections, and wants no more of them
            return NotNow(until, "no further connection")
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
            return NotNow(until, "hosts failed", outcome, whole=True)
        return NotNow(until, "hosts failed", failure)

    async def _open(
        self, host: Host, first: Mail, options: QueueOptions, security: Security
    ) -> Connection:
        manager, queue = self._manager, self._queue
        settings = ConversationSettings(
            self._ehlo_hostname(first.record, options), options.protocol,
            security.tls, options.announce_8bit, first.credentials, options.xclient,
        )  # fmt: skip
        self.conn_id, self.address = manager.next_id(), host.address
        tap = manager.tap(*queue.name, f"{self.conn_id} {host.address}:{host.port}")
        target = Target(host.name, host.address, host.port, options.source, security, tap)
        try:
            context = context_for(options, security) if security.tls != NO else None
        except OSError as error:  # ssl.SSLError is one
            text = f"451 4.7.5 [internal] TLS options can't be used: {error}"
            raise ConnectionFailed(
                Outcome(Fate.DEFERRED, 451, text, Stage.NOT_CONNECTED), ours=True
            ) from error
        queue.places[host.place] = queue.places.get(host.place, 0) + 1
        held = manager.host_limits.opening(queue.name.binding, host, manager.clock.now())
        try:
            self.connection = await manager.open_connection(
                target, settings, dict(options.timeouts), context, lambda _: self._on_idle_end()
            )
        except BaseException as error:
            self._left(host, held)
            if (
                isinstance(error, ConnectionFailed)
                and error.outcome.stage is Stage.TLS_HANDSHAKE
                and security.tls == IF_AVAILABLE
                and security.fallback
            ):
                return await self._open(host, first, options, security.in_the_clear())
            raise
        self._host, self._held, self._credentials = host, held, first.credentials
        return self.connection

    def _ehlo_hostname(self, record: Record, options: QueueOptions) -> str:
        ours = self._manager.hostname
        if options.ehlo_hostname == "__message__":
            return record.sender.rpartition("@")[2] or ours
        return ours if options.ehlo_hostname == "__hostname__" else options.ehlo_hostname

    def _left(self, host: Host, held: tuple[Key, ...]) -> None:
        places = self._queue.places
        places[host.place] -= 1
        if not places[host.place]:
            del places[host.place]
        self._manager.host_limits.closed(held)


def client_of(record: Record, options: QueueOptions) -> dict[str, str]:
    """Who sent a message to us, as XCLIENT tells it; empty: nobody did, or nobody is told."""
    if options.xclient == NO:
        return {}
    helo = str(record.conn.get("ehlo_domain", ""))
    return xclient.client_of(record.peer, record.listener, record.protocol, helo, record.user)
