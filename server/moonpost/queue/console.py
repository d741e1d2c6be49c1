"""The queues as operators see and move them.

Implements `moonpost.control.services.Queues`. Walks queues a page at a time, so that a backlog of any size can be
listed, flushed or failed without being held in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.queue.active import ActiveQueue, Mail
from moonpost.queue.manager import QueueManager
from moonpost.queue.moving import rewrite
from moonpost.spool.record import Record

PAGE = 200  # chosen: records in memory while a queue is walked

PURGED = Outcome(
    Fate.FAILED, 554, "554 5.7.0 [internal] Message manually purged", Stage.NOT_CONNECTED
)
FAILED = Outcome(Fate.FAILED, 554, "554 manually failed", Stage.NOT_CONNECTED)

Rebind = Callable[[Record, bytes], Awaitable[tuple[str, str]]]  # -> binding and group


class Walked(NamedTuple):
    """A page of a queue, and those of its messages that are not in use."""

    records: Sequence[Record]
    free: Sequence[Record]


class QueueConsole:
    """What the queue commands do."""

    def __init__(self, manager: QueueManager, rebind: Rebind | None = None) -> None:
        self._manager = manager
        self._rebind = rebind

    def summary(self) -> Sequence[Mapping[str, Any]]:
        """One row for each domain with mail, or with counts."""
        return self._rows("domain", lambda queue: queue.name.domain)

    def bindings(self) -> Sequence[Mapping[str, Any]]:
        """One row for each binding."""
        return self._rows("binding", lambda queue: queue.name.binding)

    def _rows(self, column: str, key: Callable[[ActiveQueue], str]) -> list[dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        for queue in self._manager.queues.values():
            row = rows.setdefault(
                key(queue),
                {column: key(queue), "active": 0, "delayed": 0, "connections": 0, "sent": 0, "state": ""},
            )  # fmt: skip
            row["active"] += len(queue.held)
            row["delayed"] += queue.delayed
            row["connections"] += self._manager.workers(queue.name)
            row["sent"] += queue.counts.delivered
            state = self._state(queue)
            if state not in row["state"]:
                row["state"] = f"{row['state']}, {state}".lstrip(", ")
        return list(rows.values())

    def _state(self, queue: ActiveQueue) -> str:
        """Why a queue does not deliver at present; empty when it does."""
        options = self._manager.options(queue)
        if options.suspended:
            return "suspended"
        if options.blackhole:
            return "blackholed"
        wait_s = queue.paused_until - self._manager.clock.now()
        return f"paused for {wait_s:.0f} s" if wait_s > 0 else ""

    async def messages(
        self, domain: str, binding: str | None, limit: int, offset: int
    ) -> Sequence[Mapping[str, Any]]:
        """Queued messages, those to be tried next first."""
        rows: list[Mapping[str, Any]] = []
        for queue in self._queues(domain, binding):
            async for page in self._pages(queue):
                for record in page.records:
                    if offset > 0:
                        offset -= 1
                    elif len(rows) >= limit:
                        return rows
                    else:
                        rows.append(_row(record))
        return rows

    async def flush(self, domain: str | None, *, dry_run: bool = False) -> int:
        """Make delayed messages due now."""
        count = 0
        now = self._manager.clock.now()
        for queue in self._queues(domain):
            queue.paused_until = queue.paused_until if dry_run else 0.0
            async for page in self._pages(queue):
                later = [record for record in page.free if record.next_attempt_at > now]
                count += len(later) if dry_run else await self._due_now(queue, later)
        return count

    async def _due_now(self, queue: ActiveQueue, records: Sequence[Record]) -> int:
        mails = queue.seize(records)
        for record in records:
            record.next_attempt_at = self._manager.clock.now()
        count = await rewrite(self._manager.spool, records)
        self._manager.moved(queue, mails)
        return count

    async def refresh(self, domain: str) -> int:
        """Look the domain up again, and try hosts that failed a moment ago."""
        self._manager.router.forget(domain)
        self._manager.quarantine.clear()
        queues = self._queues(domain)
        for queue in queues:
            queue.paused_until = 0.0
            self._manager.pump(queue)
        return len(queues)

    async def fail(self, domain: str, *, quiet: bool, dry_run: bool = False) -> int:
        """Fail what waits for a domain; letters that are being sent at this moment go their way."""
        if dry_run:
            return await self._waiting(self._queues(domain))
        count = 0
        for queue in self._queues(domain):
            count += self._fail(queue, queue.take_all(), PURGED, quiet)
            async for page in self._pages(queue):
                count += self._fail(queue, queue.seize(page.free), PURGED, quiet)
                await self._manager.room()
        return count

    async def retry_message(self, message_id: str, *, dry_run: bool = False) -> bool:
        """Make one message due now."""
        found = await self._find(message_id)
        if found is None or dry_run:
            return found is not None
        queue, free = found
        await self._due_now(queue, free)
        return True

    async def fail_message(self, message_id: str, *, dry_run: bool = False) -> bool:
        """Fail one message; False when it is unknown, or on its way at this moment."""
        found = await self._find(message_id)
        if found is None:
            return False
        queue, free = found
        if dry_run:
            return bool(free) or any(mail.record.id == message_id for mail in queue.ready)
        mails = queue.withdraw({message_id}) or queue.seize(free)
        return self._fail(queue, mails, FAILED, quiet=False) > 0

    async def reroute(self, old: str, new: str, *, dry_run: bool = False) -> int:
        """Move the mail of a routing domain to another one."""
        if dry_run:
            return await self._waiting(self._queues(old))

        async def elsewhere(record: Record) -> None:
            record.domain = new.lower()

        return await self._move(self._queues(old), elsewhere)

    async def rebind(self, binding: str, domain: str | None, *, dry_run: bool = False) -> int:
        """Have policy choose the binding of waiting mail again."""
        rebind = self._rebind
        if rebind is None:
            return 0
        if dry_run:
            return await self._waiting(self._queues(domain, binding))

        async def again(record: Record) -> None:
            content = await self._manager.spool.get_body(record)
            record.binding, record.binding_group = await rebind(record, content)

        return await self._move(self._queues(domain, binding), again)

    async def _move(
        self, queues: Iterable[ActiveQueue], change: Callable[[Record], Awaitable[None]]
    ) -> int:
        count = 0
        for queue in queues:
            async for page in self._pages(queue):
                ready = queue.withdraw({record.id for record in page.records})
                mails = [*ready, *queue.seize(page.free)]
                for mail in mails:
                    await change(mail.record)
                moved = [mail.record for mail in mails]
                count += await rewrite(self._manager.spool, moved)
                self._manager.moved(queue, mails)
        return count

    # in between

    async def _waiting(self, queues: Iterable[ActiveQueue]) -> int:
        """How many messages are not being sent at this moment."""
        count = 0
        for queue in queues:
            count += len(queue.ready)
            async for page in self._pages(queue):
                count += len(page.free)
        return count

    def _queues(self, domain: str | None, binding: str | None = None) -> list[ActiveQueue]:
        return [
            queue
            for name, queue in list(self._manager.queues.items())
            if (domain is None or name.domain == domain.lower()) and binding in (None, name.binding)
        ]

    async def _pages(self, queue: ActiveQueue) -> AsyncIterator[Walked]:
        after: bytes | None = None
        while True:
            queue.begin_read()
            records: list[Record] = []
            try:
                records, after = await self._manager.spool.page(queue.name, after, PAGE)
            finally:
                free = queue.end_read(records)
            if records:
                yield Walked(records, free)
            if after is None:
                return

    async def _find(self, id: str) -> tuple[ActiveQueue, list[Record]] | None:
        """The queue of a message, and its record unless it is in use; None: there is no such message."""
        record = await self._manager.spool.get(id)
        if record is None:
            return None
        queue = self._manager.queue(record.queue)
        queue.begin_read()
        record = await self._manager.spool.get(id)
        return queue, queue.end_read([record] if record is not None else [])

    def _fail(
        self, queue: ActiveQueue, mails: Sequence[Mail], outcome: Outcome, quiet: bool
    ) -> int:
        options = self._manager.options(queue)
        self._manager.settle_all(queue, mails, outcome, options, quiet=quiet)
        return len(mails)


def _row(record: Record) -> Mapping[str, Any]:
    return {
        "id": record.id,
        "sender": record.sender,
        "recipient": record.recipient,
        "attempts": record.attempts,
        "next_attempt": record.next_attempt_at,
    }
