"""One queue's mail in memory: a bounded part of what the spool holds for a binding and routing domain.

Pure bookkeeping, no I/O. A message is `held` from the moment it is ready until its result is in the spool; whatever the
spool is asked for meanwhile leaves held messages out, so that nobody sends one twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from moonpost.outbound.answers import Fate
from moonpost.outbound.auth import Credentials
from moonpost.queue.hosts import Place
from moonpost.queue.throttle import Throttle
from moonpost.spool.interface import Due
from moonpost.spool.record import QueueName, Record

MOST_READY = 1000  # chosen: records of one queue in memory, about a kilobyte each
REFILL_AT = 50  # chosen: fewer than this many ready, and more is fetched
REFILL_BY = 100


@dataclass(slots=True, eq=False)
class Mail:
    """A message that is ready to be sent. Its content stays on disk until it is needed, when None."""

    record: Record
    content: bytes | None = None
    fresh: bool = False  # came with its content, which counts against the manager's limit
    credentials: Credentials | None = None  # who it is sent as, decided before each attempt


@dataclass(slots=True)
class Counts:
    """What operators see of a queue."""

    delivered: int = 0
    deferred: int = 0
    failed: int = 0
    connections_failed: int = 0

    def add(self, fate: Fate) -> None:
        """One more message with this fate."""
        setattr(self, fate.value, getattr(self, fate.value) + 1)


@dataclass(slots=True, eq=False)
class ActiveQueue:
    """The state of one queue."""

    name: QueueName
    total: int = 0  # messages in the spool
    next_due_at: float | None = None  # of what is in the spool and not held
    ready: deque[Mail] = field(default_factory=deque)
    held: set[str] = field(default_factory=set)
    paused_until: float = 0.0
    unreached_since: float | None = None  # no host could be connected to since then
    hosts_known: int = 0  # how many hosts the last lookup gave
    batch_limit: int = 0  # a host took so many recipients and no more; 0: not seen
    places: dict[Place, int] = field(default_factory=dict)  # open connections
    avoided: dict[Place, float] = field(default_factory=dict)  # hosts that failed this queue, until
    counts: Counts = field(default_factory=Counts)
    throttle_messages: Throttle | None = None
    throttle_connections: Throttle | None = None
    refilling: bool = False
    _readers: int = 0  # who waits for an answer of the spool, stale for what is released meanwhile
    _released: set[str] = field(default_factory=set)
    _noted: float | None = None

    @property
    def delayed(self) -> int:
        """Messages that wait for their time, or for room."""
        return max(0, self.total - len(self.held))

    @property
    def idle(self) -> bool:
        """Nothing of it is in the spool: nothing is in use, and the spool named no time to look again."""
        return not self.held and self.next_due_at is None and not self.refilling

    def accept(self, record: Record, content: bytes | None, now: float) -> bool:
        """A message that has just been written to the spool; says whether it is held in memory."""
        self.total += 1
        if record.id in self.held:
            return False
        if record.next_attempt_at > now or len(self.ready) >= MOST_READY:
            self.note_due(record.next_attempt_at)
            return False
        self._hold(Mail(record, content, content is not None))
        return True

    def note_due(self, at: float) -> None:
        """Something in the spool falls due then."""
        self.next_due_at = at if self.next_due_at is None else min(at, self.next_due_at)
        self._noted = at if self._noted is None else min(at, self._noted)

    def release(self, id: str) -> None:
        """The spool knows what became of a message."""
        self.held.discard(id)
        if self._readers:
            self._released.add(id)

    def drop(self, id: str) -> None:
        """The message has left the spool."""
        self.release(id)
        self.total -= 1

    def wants_refill(self, now: float) -> bool:
        due = self.next_due_at is not None and self.next_due_at <= now
        return due and not self.refilling and len(self.ready) < REFILL_AT

    def begin_read(self) -> None:
        """The spool is about to be asked; what it will say of messages released meanwhile is history."""
        if not self._readers:
            self._released.clear()
        self._readers += 1

    def end_read(self, records: Sequence[Record]) -> list[Record]:
        """Those of the spool's records that are neither held nor history."""
        found = [
            record
            for record in records
            if record.id not in self.held and record.id not in self._released
        ]
        self._readers -= 1
        return found

    def begin_refill(self) -> frozenset[str]:
        """The ids that the spool must leave out."""
        self.begin_read()
        self.refilling = True
        self._noted = None
        return frozenset(self.held)

    def end_refill(self, due: Due | None) -> None:
        """What the spool had; None: it could not be read, ask again."""
        self.refilling = False
        for record in self.end_read(due.records if due is not None else ()):
            self._hold(Mail(record))
        if due is None:
            return
        # What was noted while the spool was being read may be missing in its answer.
        times = [at for at in (due.next_due_at, self._noted) if at is not None]
        self.next_due_at = min(times, default=None)

    def take(self, most: int) -> list[Mail]:
        """The next message, with those behind it that the same letter can carry."""
        if not self.ready:
            return []
        first = self.ready.popleft()
        batch = [first]
        if self.batch_limit:
            most = min(most, self.batch_limit)
        while self.ready and len(batch) < most and _same_letter(first.record, self.ready[0].record):
            batch.append(self.ready.popleft())
        return batch

    def put_back(self, batch: Sequence[Mail]) -> None:
        """Nothing was tried: these are first again."""
        self.ready.extendleft(reversed(batch))

    def withdraw(self, ids: Container[str]) -> list[Mail]:
        """Take these out of the ready ones; they stay held."""
        found = [mail for mail in self.ready if mail.record.id in ids]
        if found:
            self.ready = deque(mail for mail in self.ready if mail.record.id not in ids)
        return found

    def seize(self, records: Sequence[Record]) -> list[Mail]:
        """Hold records that `end_read` gave, before anybody else does."""
        self.held.update(record.id for record in records)
        return [Mail(record) for record in records]

    def take_all(self) -> list[Mail]:
        everything = list(self.ready)
        self.ready.clear()
        return everything

    def _hold(self, mail: Mail) -> None:
        self.held.add(mail.record.id)
        if mail.record.priority:
            self.ready.appendleft(mail)
        else:
            self.ready.append(mail)


def _same_letter(one: Record, other: Record) -> bool:
    return (
        bool(one.body)
        and one.body == other.body
        and one.head == other.head
        and one.sender == other.sender
        and one.utf8 == other.utf8
        and all(one.parameters.get(name) == other.parameters.get(name) for name in ("RET", "ENVID"))
    )
