"""A spool that forgets: for tests and simulation.

Same rules as the one on disk, nothing durable. Keeps encoded records, so that nobody changes a stored one by accident.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from moonpost.spool.interface import (
    Change,
    Due,
    NotInSpool,
    Page,
    Put,
    QueueSummary,
    Remove,
    SpoolError,
    SpoolFull,
)
from moonpost.spool.record import (
    BadRecord,
    QueueName,
    Record,
    decode,
    encode,
    queue_prefix,
    read_waiting_key,
    waiting_key,
)


class MemorySpool:
    """Implements `moonpost.spool.interface.Spool` in dictionaries."""

    def __init__(self, max_bytes: int = 1 << 30) -> None:
        self._records: dict[str, bytes] = {}
        self._bodies: dict[str, bytes] = {}
        self._sharers: dict[str, int] = {}
        self._max_bytes = max_bytes

    async def commit(self, changes: Sequence[Change]) -> None:
        before = dict(self._records), dict(self._bodies), dict(self._sharers)
        try:
            name_bodies(changes)
            for change in changes:
                self._apply(change)
            if sum(map(len, self._bodies.values())) > self._max_bytes:
                raise SpoolFull(f"memory spool: more than {self._max_bytes} bytes")
        except (SpoolError, BadRecord) as error:
            self._records, self._bodies, self._sharers = before
            raise error if isinstance(error, SpoolError) else SpoolError(str(error)) from error

    def _apply(self, change: Change) -> None:
        if isinstance(change, Put):
            record = change.record
            if record.id in self._records:
                raise SpoolError(f"message id {record.id} is already in the spool")
            self._records[record.id] = encode(record)
            self._bodies[record.body] = change.content
            self._sharers[record.body] = self._sharers.get(record.body, 0) + 1
        elif isinstance(change, Remove):
            data = self._records.pop(change.id, None)
            if data is not None:
                body = decode(data).body
                self._sharers[body] -= 1
                if not self._sharers[body]:
                    del self._sharers[body], self._bodies[body]
        else:
            if change.record.id not in self._records:
                raise NotInSpool(f"message {change.record.id} is not in the spool")
            self._records[change.record.id] = encode(change.record)

    async def get(self, id: str) -> Record | None:
        data = self._records.get(id)
        return None if data is None else decode(data)

    async def get_body(self, record: Record) -> bytes:
        try:
            return record.head + self._bodies[record.body]
        except KeyError:
            raise NotInSpool(f"the body of message {record.id} is not in the spool") from None

    async def due(
        self, queue: QueueName, now: float, limit: int, skip: Collection[str] = ()
    ) -> Due:
        records = [record for record in self._decoded() if record.queue == queue]
        records = [record for record in records if record.id not in skip]
        records.sort(key=waiting_key)
        found = [record for record in records if record.next_attempt_at <= now][:limit]
        taken = {record.id for record in found}
        rest = [record.next_attempt_at for record in records if record.id not in taken]
        return Due(found, min(rest, default=None))

    async def page(self, queue: QueueName, after: bytes | None, limit: int) -> Page:
        keys = sorted(waiting_key(record) for record in self._decoded() if record.queue == queue)
        keys = [key for key in keys if after is None or key > after]
        records = [decode(self._records[read_waiting_key(key).id]) for key in keys[:limit]]
        return Page(records, keys[limit - 1] if len(keys) > limit else None)

    async def scan(self) -> list[QueueSummary]:
        keys: dict[bytes, list[float]] = {}
        for record in self._decoded():
            keys.setdefault(queue_prefix(record.queue), []).append(record.next_attempt_at)
        return [
            QueueSummary(read_waiting_key(prefix + b"\x01" + b"\0" * 9).queue, len(due), min(due))
            for prefix, due in sorted(keys.items())
        ]

    def count(self) -> int:
        return len(self._records)

    async def check(self) -> list[str]:
        return [
            f"message {record.id} has no body"
            for record in self._decoded()
            if record.body not in self._bodies
        ]

    async def close(self) -> None:
        pass

    def _decoded(self) -> list[Record]:
        return [decode(data) for data in self._records.values()]


def name_bodies(changes: Sequence[Change]) -> None:
    """Give every Put record its body key: the id of the first record of this commit with the same content object."""
    owners: dict[int, str] = {}
    for change in changes:
        if isinstance(change, Put):
            change.record.body = owners.setdefault(id(change.content), change.record.id)
            change.record.size = len(change.record.head) + len(change.content)
