"""How the mail of each queue fared lately: attempts, bounce classes, deliveries, complaints. For sweep rules.

Pure counting in buckets of time; the time comes in with every event. Bounce classes are kept for an hour, deliveries
and complaints as long as `fbl_stats_monitor` says.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from moonpost.spool.record import QueueName

BOUNCES_S: Final = 3600.0  # fixed in the original, too
BUCKET_S: Final = 60.0
MOST_QUEUES: Final = 20_000  # chosen: the one that was quiet longest is forgotten
ATTEMPTS, DELIVERIES = "attempts", "deliveries"


@dataclass(slots=True)
class Counted:
    """Events of the last `kept_s` seconds by kind, in buckets of `bucket_s`."""

    kept_s: float
    bucket_s: float
    _buckets: deque[tuple[int, Counter[str]]] = field(default_factory=deque)

    def add(self, now: float, kinds: Iterable[str]) -> None:
        number = int(now // self.bucket_s)
        if not self._buckets or self._buckets[-1][0] < number:
            self._buckets.append((number, Counter()))
            self._forget(now)
        self._buckets[-1][1].update(kinds)

    def total(self, now: float) -> Counter[str]:
        """What happened in the last `kept_s`, to the precision of a bucket."""
        self._forget(now)
        found: Counter[str] = Counter()
        for _, counter in self._buckets:
            found.update(counter)
        return found

    def _forget(self, now: float) -> None:
        first = int((now - self.kept_s) // self.bucket_s)
        while self._buckets and self._buckets[0][0] < first:  # no gap between two sweeps
            self._buckets.popleft()


class Figures:
    """The counts of every queue. monitor: `fbl_stats_monitor`, seconds of a window and how many windows."""

    def __init__(self, monitor: tuple[float, int] = (14400.0, 6)) -> None:
        self._monitor = monitor
        self._bounces: OrderedDict[QueueName, Counted] = OrderedDict()
        self._complaints: OrderedDict[QueueName, Counted] = OrderedDict()

    def delivered(self, name: QueueName, now: float) -> None:
        self._of(self._bounces, name).add(now, (ATTEMPTS,))
        self._of(self._complaints, name).add(now, (DELIVERIES,))

    def refused(self, name: QueueName, bounce_class: int, now: float, *, permanent: bool) -> None:
        kinds = (ATTEMPTS, f"bc:{bounce_class}", *(("rejected",) if permanent else ()))
        self._of(self._bounces, name).add(now, kinds)

    def complained(self, name: QueueName, category: str, now: float) -> None:
        self._of(self._complaints, name).add(now, (f"fbl:{category.lower()}",))

    def bounces(self, name: QueueName, now: float) -> Counter[str]:
        """`attempts`, `rejected` and `bc:<class>` of the last hour."""
        counted = self._bounces.get(name)
        return counted.total(now) if counted is not None else Counter()

    def complaints(self, name: QueueName, now: float) -> Counter[str]:
        """`deliveries` and `fbl:<category>` of the monitored time."""
        counted = self._complaints.get(name)
        return counted.total(now) if counted is not None else Counter()

    def names(self) -> list[QueueName]:
        return list(dict.fromkeys([*self._bounces, *self._complaints]))

    def _of(self, table: OrderedDict[QueueName, Counted], name: QueueName) -> Counted:
        counted = table.get(name)
        if counted is None:
            seconds, windows = self._monitor
            counted = table[name] = (
                Counted(BOUNCES_S, BUCKET_S)
                if table is self._bounces
                else Counted(seconds * windows, max(BUCKET_S, seconds / 24))
            )
            if len(table) > MOST_QUEUES:
                table.popitem(last=False)
        else:
            table.move_to_end(name)
        return counted
