"""The spool as the rest of the server sees it.

Everything that changes goes through `commit`: all changes of one call become durable together, before it returns.
Implementations gather the calls that wait at the same time into one sync. Knows nothing of delivery or policy.
`moonpost.testing.check_spool` is the suite that every implementation passes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from moonpost.spool.record import QueueName, Record


class SpoolError(Exception):
    """The spool could not do it; nothing of the call was kept. A session answers 451."""


class SpoolFull(SpoolError):
    """No room; nothing of the call was kept. A session answers 452."""


class NotInSpool(SpoolError):
    """The message is not there (any more): somebody else removed it."""


@dataclass(frozen=True, slots=True)
class Put:
    """Keep a new message: the record's own `head`, if any, and then `content`.

    Records of one commit whose `content` is the same object share one stored body.
    """

    record: Record
    content: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """Write a record anew: other due time, other queue, other notes. NotInSpool when it is gone."""

    record: Record


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget a message, and its body with the last record that shares it. One already gone is no error."""

    id: str


Change = Put | Update | Remove


class Due(NamedTuple):
    """What `Spool.due` found."""

    records: list[Record]
    next_due_at: float | None  # of the first one not given out; None: there are no others


class Page(NamedTuple):
    """Part of a queue, in the order of `due`."""

    records: list[Record]
    after: bytes | None  # where the next page begins; None: this was the last


class QueueSummary(NamedTuple):
    """One queue as it lies on disk."""

    queue: QueueName
    messages: int
    first_due_at: float


class Spool(Protocol):
    """Where accepted mail lives."""

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make all changes, or none; returns when they are durable. A Put record's `body` and `size` are filled in."""
        ...

    async def get(self, id: str) -> Record | None: ...

    async def get_body(self, record: Record) -> bytes:
        """The whole content of a message, its own head included; NotInSpool when it is gone."""
        ...

    async def due(
        self, queue: QueueName, now: float, limit: int, skip: Collection[str] = ()
    ) -> Due:
        """At most `limit` records of `queue` due at `now`, without the ids in `skip`.

        Priority first, then by due time.
        """
        ...

    async def page(self, queue: QueueName, after: bytes | None, limit: int) -> Page:
        """At most `limit` records of a queue, due or not, beginning where the page before ended."""
        ...

    async def scan(self) -> list[QueueSummary]:
        """Every queue that holds mail. Reads keys only; memory grows with queues, not with messages."""
        ...

    def count(self) -> int:
        """Records in the spool."""
        ...

    async def check(self) -> list[str]:
        """What is wrong with the stored data, in words; reads only."""
        ...

    async def close(self) -> None:
        """Finish what was asked for, then let go of the files."""
        ...
