"""The queues of a server: which have mail now, how many workers serve each, and when to look again.

All state is on the event loop; the spool is the truth, and what is here can be rebuilt from it at any time. Memory
grows with the number of queues that hold mail, not with the mail in them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from inspect import isawaitable
from typing import Any

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.connection import Connection
from moonpost.outbound.letters import Tap
from moonpost.outbound.tls import forget_contexts
from moonpost.queue.active import REFILL_BY, ActiveQueue, Mail
from moonpost.queue.caller import Open
from moonpost.queue.hosts import Place, wanted_connections
from moonpost.queue.journal import Attempt, Everybody, Journal, Silence
from moonpost.queue.limits import HostLimits, HostOption
from moonpost.queue.options import Option, QueueOptions, resolve
from moonpost.queue.rates import Rates
from moonpost.queue.router import Router
from moonpost.queue.settle import Hooks, Notifier, Result, Revise, Settler
from moonpost.queue.throttle import Throttle
from moonpost.queue.trust import Trust
from moonpost.queue.wakes import Wakes
from moonpost.queue.worker import Worker
from moonpost.spool.interface import Due, Spool, SpoolError
from moonpost.spool.record import QueueName, Record
from msys.domain_record import DomainRecord
from msys.identity import IDS
from msys.ports import Clock, Dns

log = logging.getLogger("moonpost.queue")

MakeTap = Callable[[str, str, str], Tap | None]  # binding, domain, what to call the connection

MAINTENANCE_S = (
    15.0  # Momentum's delayed_queue_scan_interval: suspended queues are looked at so often
)
FORGET_AFTER_S = 600.0  # chosen: an empty queue keeps its counts for ten minutes
TROUBLE_PAUSE_S = 60.0  # chosen: after a fault of our own, so that it does not repeat in a loop
MOST_CONNECTIONS = 20_000  # server_max_outbound_connections
CROWDED_PAUSE_S = 1.0  # chosen: how soon a queue without a connection asks for one again
MOST_SETTLING = 1_000  # results on their way to the spool; more of them, and workers wait
RESIDENT_SIZE = (
    256 << 10
)  # chosen: larger messages are read again, a few disk pages hardly matter there
RESIDENT_BYTES = 64 << 20  # chosen: content of fresh mail in memory, all queues together
MOST_QUARANTINED = 10_000

THROTTLES = ("outbound_throttle_messages", "outbound_throttle_connections")

INTERNAL = "[internal]"  # in every outcome that no host decided

BLACKHOLED = {
    "inline": Outcome(Fate.FAILED, 551, "551 5.7.1 recipient blackholed", Stage.AFTER_RCPT),
    "internal": Outcome(Fate.FAILED, 554, "554 5.7.0 [internal] Blackholed", Stage.NOT_CONNECTED),
}

SendPush = Callable[[Record, bytes, QueueOptions], Awaitable[Outcome]]


class QueueManager:
    """Owns every queue of the process."""

    def __init__(
        self,
        spool: Spool,
        dns: Dns,
        clock: Clock,
        option: Option,
        *,
        hostname: str,
        journal: Journal | None = None,
        notifier: Notifier | None = None,
        hooks: Hooks | None = None,
        open_connection: Open = Connection.open,
        next_id: Callable[[], str] = lambda: IDS.next().text,
        most_connections: int = MOST_CONNECTIONS,
        scope_of: Option | None = None,
        host_option: HostOption | None = None,
        static_route: Callable[[], str] = lambda: "",
        trust: Trust | None = None,
        is_ours: Callable[[str, int], bool] = lambda _address, _port: False,
    ) -> None:
        self.spool, self.clock, self.hostname = spool, clock, hostname
        self.router = Router(dns, static_route, is_ours)
        self.trust = trust or Trust()
        self.open_connection, self.next_id = open_connection, next_id
        self.hooks = hooks
        self.push: SendPush | None = None  # who delivers push notifications
        self.stopping = False
        self.quarantine: dict[Place, float] = {}
        self.host_failures: dict[Place, int] = {}  # in a row
        self.queues: dict[QueueName, ActiveQueue] = {}
        self._option = option
        self._scope_of = (
            scope_of  # where an option is written: queues that share the place share its throttle
        )
        self._throttles: dict[tuple[str, str], Throttle] = {}
        self._options: dict[QueueName, QueueOptions] = {}
        self._scope_workers: dict[str, int] = {}  # by the scope that limits them
        self.host_limits = HostLimits(host_option)
        self.rolled_up: set[str] = set()  # routing domains that `rollup_mx` made
        self.rates = Rates()
        journal = Everybody(self.rates, journal or Silence())
        self._settler = Settler(spool, journal, self._sleep, notifier, hooks)
        self.tap: MakeTap = lambda _binding, _domain, _label: None  # who traces a connection
        self.revisers: list[Revise] = []  # see answers of hosts before they count, in this order
        self._workers: dict[QueueName, dict[Worker, asyncio.Task[None]]] = {}
        self._worker_count = 0
        self._most_connections = most_connections
        self._tasks: set[asyncio.Task[Any]] = set()
        self._settling = 0
        self._fresh_bytes = 0
        self._wakes: Wakes[QueueName] = Wakes(clock, self._wake)

    # the life of the manager

    async def start(self) -> None:
        """Take up what the spool holds."""
        for summary in await self.spool.scan():
            queue = self.queue(summary.queue)
            queue.total = summary.messages
            queue.note_due(summary.first_due_at)
            self._wake_at(queue, summary.first_due_at)

    async def stop(self, grace_s: float = 30.0) -> None:
        """Finish the letters under way, or abandon them after `grace_s`; what is not settled stays in the spool."""
        self.stopping = True
        self._wakes.stop()
        workers = [task for group in self._workers.values() for task in group.values()]
        for group in self._workers.values():
            for worker in group:
                worker.wake()
        if workers:
            _, late = await asyncio.wait(workers, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(list(self._tasks), timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def refresh(self) -> None:
        """The configuration changed: options are read again."""
        self._options.clear()
        self.host_limits.refresh()
        self.rolled_up.clear()
        forget_contexts()
        for queue in list(self.queues.values()):
            self.pump(queue)

    def reconsider(self, name: QueueName) -> None:
        """What one queue goes by has changed: its options are read again."""
        self._options.pop(name, None)
        queue = self.queues.get(name)
        if queue is not None:
            self.pump(queue)

    # what others tell and ask

    def notify_through(self, notifier: Notifier | None, hooks: Hooks | None) -> None:
        """Who tells senders about failures, and which policy looks on."""
        self.hooks = hooks
        self._settler.notify_through(notifier, hooks)

    def accepted(self, records: Iterable[tuple[Record, bytes]]) -> None:
        """These have just been written to the spool."""
        now = self.clock.now()
        touched: dict[QueueName, ActiveQueue] = {}
        for record, content in records:
            queue = touched[record.queue] = self.queue(record.queue)
            resident = self._resident(queue, record)
            if queue.accept(record, content if resident else None, now) and resident:
                self._fresh_bytes += record.size
        for queue in touched.values():
            self.pump(queue)

    def arrived(self, messages: Iterable[tuple[QueueName, Record | None, bytes | None]]) -> None:
        """Another process has written these to their queues.

        The record is as the spool has it now; None: it has gone. The content is None when it is to be read later.
        """
        now = self.clock.now()
        touched: dict[QueueName, ActiveQueue] = {}
        for name, record, content in messages:
            queue = touched[name] = self.queue(name)
            if record is None or record.queue != name:
                queue.total += 1  # it was found and counted out before we were told
                continue
            resident = content is not None and self._resident(queue, record)
            if queue.accept(record, content if resident else None, now) and resident:
                self._fresh_bytes += record.size
        for queue in touched.values():
            self.pump(queue)

    async def rescan(self) -> None:
        """Look in the spool for mail that nobody told of: a process that puts mail in has died."""
        for summary in await self.spool.scan():
            queue = self.queue(summary.queue)
            queue.total = max(queue.total, summary.messages)
            queue.note_due(summary.first_due_at)
            self._wake_at(queue, summary.first_due_at)

    def _resident(self, queue: ActiveQueue, record: Record) -> bool:
        """Whether a fresh message's content stays in memory until it is sent."""
        most = self.options(queue).max_resident
        return (
            not record.head
            and record.size <= RESIDENT_SIZE
            and (most < 0 or len(queue.ready) < most)
            and self._fresh_bytes + record.size <= RESIDENT_BYTES
        )

    def queue(self, name: QueueName) -> ActiveQueue:
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = ActiveQueue(name)
        return queue

    def options(self, queue: ActiveQueue) -> QueueOptions:
        """What a queue goes by at present."""
        found = self._options.get(queue.name)
        if found is None:
            found = self._options[queue.name] = resolve(self._option, *queue.name)
            messages, connections = THROTTLES
            queue.throttle_messages = self._throttle(messages, queue, found.throttle_messages)
            queue.throttle_connections = self._throttle(
                connections, queue, found.throttle_connections
            )
        return found

    def _throttle(
        self, name: str, queue: ActiveQueue, rate: tuple[float, float] | None
    ) -> Throttle | None:
        """The counter of the scope that sets the rate; what it has counted stays while the rate does."""
        if rate is None:
            return None
        place = self._place_of(name, queue)
        present = self._throttles.get((name, place))
        if present is None or present.rate != rate:
            present = self._throttles[(name, place)] = Throttle(*rate)
        return present

    def _place_of(self, option: str, queue: ActiveQueue) -> str:
        """The scope that sets an option: the queues it holds for share what is counted there."""
        return str(queue.name) if self._scope_of is None else self._scope_of(option, *queue.name)

    def workers(self, name: QueueName) -> int:
        """Open connections, or connections being opened, of a queue."""
        return len(self._workers.get(name, ()))

    # what policy asks

    def delay_domain(self, domain: str, note: str) -> None:
        """Put what is ready for a domain back to wait, as if an attempt had failed with `note`."""
        code = int(note[:3]) if note[:3].isdigit() else 451
        outcome = Outcome(Fate.DEFERRED, code, note, Stage.NOT_CONNECTED)
        for queue in self.of_domain(domain):
            self.settle_all(queue, queue.take_all(), outcome, self.options(queue))

    def domain_record(self, name: str) -> DomainRecord | None:
        """The counters of a domain over all bindings; None for something that is no domain."""
        domain = name.lower().rstrip(".")
        if not domain or any(char.isspace() or char in "@<>\0" for char in domain):
            return None
        queues = self.of_domain(domain)
        tallies = [tally for queue, tally in self.rates.tallies.items() if queue.domain == domain]
        delivered = sum(tally.delivered for tally in tallies)
        deferred = sum(tally.deferred for tally in tallies)
        failed = sum(tally.failed for tally in tallies)
        return DomainRecord(
            domain, delivered, delivered + deferred + failed, deferred, failed,
            self.router.failures(domain), max((queue.hosts_known for queue in queues), default=0),
            sum(len(queue.held) for queue in queues), sum(queue.delayed for queue in queues),
        )  # fmt: skip

    def failure_rate(self, binding: str, domain: str, period_s: float) -> float:
        """Per cent of the recent attempts of a queue that did not deliver."""
        return self.rates.failure_rate(QueueName(binding, domain), period_s, self.clock.now())

    def of_domain(self, domain: str) -> list[ActiveQueue]:
        """The queues of a domain, one for each binding."""
        return [queue for name, queue in self.queues.items() if name.domain == domain]

    # waking

    def pump(self, queue: ActiveQueue) -> None:
        """Do what a queue needs now, and see to it that it is looked at again."""
        if self.stopping:
            return
        now = self.clock.now()
        options = self.options(queue)
        if options.suspended:  # `refresh` comes here again when that changes
            return
        self.refill(queue)
        if options.blackhole and queue.ready:
            outcome = BLACKHOLED.get(options.blackhole, BLACKHOLED["internal"])
            self.settle_all(queue, queue.take_all(), outcome, options, quiet=True)
        elif queue.paused_until > now:  # no new connections; those that are there go on
            self._wake_idle(queue)
            self._wake_at(queue, queue.paused_until)
        elif queue.ready:
            self._employ(queue, options)
        if queue.idle and not self.workers(queue.name):
            queue.total = (
                0  # counts of several processes can be off by what was under way when one died
            )
            self._wake_at(queue, now + FORGET_AFTER_S)

    def refill(self, queue: ActiveQueue) -> None:
        """Fetch mail that is due, or note when some will be."""
        now = self.clock.now()
        if queue.wants_refill(now):
            self._task(self._refill(queue, queue.begin_refill()))
        elif queue.next_due_at is not None and queue.next_due_at > now:
            self._wake_at(queue, queue.next_due_at)

    async def _refill(self, queue: ActiveQueue, skip: frozenset[str]) -> None:
        due: Due | None = None
        try:
            due = await self.spool.due(queue.name, self.clock.now(), REFILL_BY, skip)
        except SpoolError as error:
            log.error("queue not read queue=%s reason=%s", queue.name, error)
            self._wake_at(queue, self.clock.now() + TROUBLE_PAUSE_S)
        finally:
            queue.end_refill(due)
        if due is not None:
            self.pump(queue)

    def _employ(self, queue: ActiveQueue, options: QueueOptions) -> None:
        self._wake_idle(queue)
        group = self._workers.setdefault(queue.name, {})
        wanted = wanted_connections(
            len(queue.ready), options.aggressiveness, options.max_connections
        )
        scope = self._place_of("scope_max_outbound_connections", queue)
        while (
            len(group) < wanted
            and self._worker_count < self._most_connections
            and self._scope_workers.get(scope, 0) < options.scope_max_connections
        ):
            worker = Worker(self, queue)
            self._worker_count += 1
            self._scope_workers[scope] = self._scope_workers.get(scope, 0) + 1
            group[worker] = self._task(self._employed(queue, worker, scope))
        if not group:  # every connection is in use elsewhere
            del self._workers[queue.name]
            self._wake_at(queue, self.clock.now() + CROWDED_PAUSE_S)

    def _wake_idle(self, queue: ActiveQueue) -> None:
        idle = [worker for worker in self._workers.get(queue.name, ()) if worker.idle]
        for worker in idle[: len(queue.ready)]:
            worker.wake()

    async def _employed(self, queue: ActiveQueue, worker: Worker, scope: str) -> None:
        try:
            await worker.run()
        except Exception:
            log.exception("internal error: queue=%s pauses for %g s", queue.name, TROUBLE_PAUSE_S)
            queue.paused_until = self.clock.now() + TROUBLE_PAUSE_S
        finally:
            self._worker_count -= 1
            self._scope_workers[scope] -= 1
            if not self._scope_workers[scope]:
                del self._scope_workers[scope]
            group = self._workers[queue.name]
            del group[worker]
            if not group:
                del self._workers[queue.name]
            self.pump(queue)

    def _wake_at(self, queue: ActiveQueue, at: float) -> None:
        self._wakes.at(queue.name, at)

    def _wake(self, name: QueueName) -> None:
        queue = self.queues.get(name)
        if queue is None:
            return
        if not queue.idle or self.workers(name):
            self.pump(queue)
            return
        del self.queues[name]
        self._options.pop(name, None)
        for option in THROTTLES:
            self._throttles.pop((option, str(name)), None)
        self.router.forget(name.domain)

    def pause(self, queue: ActiveQueue, until: float, why: str) -> None:
        """Open no connection for a queue until then."""
        log.info("paused queue=%s reason=%s", queue.name, why)
        queue.paused_until = max(queue.paused_until, until)
        self._wake_at(queue, queue.paused_until)
        if len(self.quarantine) > MOST_QUARANTINED:
            now = self.clock.now()
            self.quarantine = {place: at for place, at in self.quarantine.items() if at > now}
            self.host_failures = {
                place: count
                for place, count in self.host_failures.items()
                if place in self.quarantine
            }

    async def room(self) -> None:
        """Wait while the spool is far behind with results."""
        while self._settling > MOST_SETTLING:
            await asyncio.sleep(0.01)

    async def respect(self, throttle: Throttle | None, events: int = 1) -> None:
        """Wait until a rate allows it."""
        while throttle is not None:
            wait_s = throttle.wait_s(self.clock.now(), events)
            if wait_s <= 0:
                return
            await self._sleep(wait_s)

    # results

    def settle(
        self,
        queue: ActiveQueue,
        results: Sequence[Result],
        attempt: Attempt,
        options: QueueOptions,
        *,
        quiet: bool = False,
    ) -> None:
        """Have the results written down, beside whatever the worker does next."""
        if self.revisers and attempt.remote:
            results = [Result(mail, self._revised(queue.name, answer)) for mail, answer in results]
            options = self.options(queue)  # an answer may have changed what the queue goes by
        if results:
            self._settling += 1
            self._task(self._settle(queue, results, attempt, options, quiet))

    def _revised(self, name: QueueName, outcome: Outcome) -> Outcome:
        if outcome.fate is not Fate.DELIVERED and INTERNAL not in outcome.text:
            for revise in self.revisers:
                outcome = revise(name, outcome)
        return outcome

    def settle_all(
        self,
        queue: ActiveQueue,
        mails: Sequence[Mail],
        outcome: Outcome,
        options: QueueOptions,
        *,
        quiet: bool = False,
    ) -> None:
        """The same outcome for many, of an attempt that reached nobody."""
        attempt = Attempt(self.clock.now(), "", "")
        results = [Result(mail, outcome) for mail in mails]
        self.settle(queue, results, attempt, options, quiet=quiet)

    async def _settle(
        self,
        queue: ActiveQueue,
        results: Sequence[Result],
        attempt: Attempt,
        options: QueueOptions,
        quiet: bool,
    ) -> None:
        # When this fails, by our own fault, the messages stay held: rather late than sent again and again.
        try:
            waiting = await self._settler.settle(queue, results, attempt, options, quiet=quiet)
        finally:
            self._settling -= 1
        still = {record.id for record in waiting}
        for mail, _ in results:
            self._forget_content(mail)
            if mail.record.id not in still:
                queue.drop(mail.record.id)
        for record in waiting:
            self._wait_again(queue, record)
        self.pump(queue)

    def _wait_again(self, queue: ActiveQueue, record: Record) -> None:
        if record.queue == queue.name:
            queue.release(record.id)
            queue.note_due(record.next_attempt_at)
            return
        queue.drop(record.id)
        other = self.queue(record.queue)  # policy moved it
        other.accept(record, None, self.clock.now())
        self.pump(other)

    def moved(self, queue: ActiveQueue, mails: Sequence[Mail]) -> None:
        """These were written anew by an operator, perhaps under another queue."""
        for mail in mails:
            self._forget_content(mail)
            self._wait_again(queue, mail.record)
        self.pump(queue)

    def vanished(self, queue: ActiveQueue, batch: Sequence[Mail]) -> None:
        """Somebody removed these from the spool before they could be sent."""
        for mail in batch:
            log.info("gone id=%s: removed from the spool while it waited", mail.record.id)
            self._forget_content(mail)
            queue.drop(mail.record.id)

    def spool_failed(self, queue: ActiveQueue, batch: Sequence[Mail], error: SpoolError) -> None:
        """These could not be read; try them again later."""
        log.error("content not read id=%s reason=%s", batch[0].record.id, error)
        queue.put_back(batch)
        self.pause(queue, self.clock.now() + TROUBLE_PAUSE_S, "spool failed")

    # small things

    def _forget_content(self, mail: Mail) -> None:
        if mail.fresh:
            mail.fresh, mail.content = False, None
            self._fresh_bytes -= mail.record.size

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("internal error in the queue", exc_info=task.exception())

    async def _sleep(self, seconds: float) -> None:
        later: Awaitable[None] | None = self.clock.sleep(seconds)
        if isawaitable(later):
            await later
