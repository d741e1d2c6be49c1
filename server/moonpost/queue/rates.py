"""How mail of each queue fared lately: what `get_binding_domain_failure_rate` and the domain record are made of.

A journal that only counts. Pure but for being told the time with every event; keeps a day, in buckets of a minute.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from moonpost.outbound.answers import Fate, Outcome
from moonpost.queue.journal import Attempt
from moonpost.queue.schedule import OUT_OF_RETRIES, OUT_OF_TIME
from moonpost.spool.record import QueueName, Record

BUCKET_S = 60
KEPT_S = 86_400
MOST_TALLIES = 20_000  # chosen: queues remembered, a few hundred bytes each
FEWEST_ATTEMPTS = 100  # with fewer the rate is 0: Momentum's rule


@dataclass(slots=True)
class _Bucket:
    minute: int
    attempts: int = 0
    failures: int = 0


@dataclass(slots=True)
class Tally:
    """One queue since the start."""

    delivered: int = 0
    deferred: int = 0
    failed: int = 0
    buckets: deque[_Bucket] = field(default_factory=deque)


class Rates:
    """Implements `moonpost.queue.journal.Journal`."""

    def __init__(self) -> None:
        self.tallies: dict[QueueName, Tally] = {}

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        pass

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._count(record, attempt, outcome)

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._count(record, attempt, outcome)

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        if outcome.text in (OUT_OF_TIME, OUT_OF_RETRIES):
            self._tally(record).failed += 1  # its last attempt was counted as deferred
        else:
            self._count(record, attempt, outcome)

    def failure_rate(self, queue: QueueName, period_s: float, now: float) -> float:
        """Per cent of the attempts in the last `period_s` that did not deliver; 0 with too few of them."""
        tally = self.tallies.get(queue)
        if tally is None:
            return 0.0
        first = int((now - min(period_s, KEPT_S)) // BUCKET_S)
        recent = [bucket for bucket in tally.buckets if bucket.minute >= first]
        attempts = sum(bucket.attempts for bucket in recent)
        if attempts < FEWEST_ATTEMPTS:
            return 0.0
        return 100.0 * sum(bucket.failures for bucket in recent) / attempts

    def _tally(self, record: Record) -> Tally:
        tally = self.tallies.get(record.queue)
        if tally is None:
            if (
                len(self.tallies) >= MOST_TALLIES
            ):  # the one that came first is the likeliest to be history
                del self.tallies[next(iter(self.tallies))]
            tally = self.tallies[record.queue] = Tally()
        return tally

    def _count(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        tally = self._tally(record)
        minute = int(attempt.at // BUCKET_S)
        if not tally.buckets or tally.buckets[-1].minute < minute:
            tally.buckets.append(_Bucket(minute))
            while tally.buckets[0].minute < minute - KEPT_S // BUCKET_S:
                tally.buckets.popleft()
        bucket = tally.buckets[-1]
        bucket.attempts += 1
        bucket.failures += outcome.fate is not Fate.DELIVERED
        if outcome.fate is Fate.DELIVERED:
            tally.delivered += 1
        elif outcome.fate is Fate.DEFERRED:
            tally.deferred += 1
        else:
            tally.failed += 1
