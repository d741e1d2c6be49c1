"""The spool on disk, in one LMDB environment.

Four tables: `records` by message id, `bodies` and `sharers` (how many records use a body; absent means one) by body
key, `waiting` by queue and due time, and `aside` for what recovery could not make sense of. A commit writes bodies,
records and waiting keys in one transaction and returns after LMDB has synced it. Several processes may have the same
spool open; each has its own writer thread, LMDB lets one transaction write at a time.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from moonpost.spool.group import GroupCommit
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
from moonpost.spool.memory import name_bodies
from moonpost.spool.record import (
    HIGH,
    NORMAL,
    BadRecord,
    QueueName,
    Record,
    decode,
    encode,
    keys_of,
    queue_prefix,
    read_waiting_key,
)
from moonpost.spool.recovery import inspect, repair

T = TypeVar("T")

log = logging.getLogger("moonpost.spool")

TABLES = ("records", "bodies", "sharers", "waiting", "aside")
DEFAULT_MAX_BYTES = 64 << 30  # address space only: the file grows as mail comes
DEFAULT_MIN_FREE_BYTES = (
    64 << 20
)  # chosen: room for logs and for removing mail when the disk is nearly full
HEADROOM_BYTES = (
    16 << 20
)  # a removal writes new pages before it frees old ones: it must fit when mail no longer does

# one change in the words of LMDB: what is written down before the writer thread sees it
_Step = tuple[str, bytes, bytes, bytes, bytes]  # operation, id, record, body key, content


class LmdbSpool:
    """Implements `moonpost.spool.interface.Spool`."""

    def __init__(
        self,
        folder: Path,
        max_bytes: int = DEFAULT_MAX_BYTES,
        min_free_bytes: int = DEFAULT_MIN_FREE_BYTES,
        open_environment: Callable[..., Any] = lmdb.open,
        deep_check: bool = False,
        owner: bool = True,
    ) -> None:
        """owner: this process delivers the mail; one at a time may. Others only put mail in."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SpoolError(
                f"spool {folder} can't be made: {os.strerror(error.errno or 0)}"
            ) from error
        self.folder = folder
        self._lock = _lock(folder) if owner else None
        self._min_free_bytes = min_free_bytes
        self._max_bytes = max_bytes
        map_size = max_bytes + max_bytes // 4 + HEADROOM_BYTES
        try:
            self.environment = open_environment(
                str(folder), map_size=map_size, max_dbs=len(TABLES), max_readers=512, mode=0o600,
                readahead=False,
            )  # fmt: skip
            self.tables: dict[str, Any] = {
                name: self.environment.open_db(name.encode()) for name in TABLES
            }
        except lmdb.Error as error:
            if self._lock is not None:
                os.close(self._lock)
            raise SpoolError(f"spool {folder} can't be opened: {error}") from error
        self.tidy()
        self.repaired = repair(self.environment, self.tables, deep_check) if owner else []
        for finding in self.repaired:
            log.error("spool %s: %s", folder, finding.text)
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="spool-reader")
        self.writer: GroupCommit[list[_Step]] = GroupCommit(self._write)

    def tidy(self) -> None:
        """Forget readers that have died: a process killed while it read would keep old pages from being used again."""
        self.environment.reader_check()

    async def commit(self, changes: Sequence[Change]) -> None:
        name_bodies(changes)
        try:
            steps = [_step(change) for change in changes]
        except BadRecord as error:
            raise SpoolError(str(error)) from error
        urgent = any(isinstance(change, Put) for change in changes)
        try:
            await self.writer.submit(steps, urgent=urgent)
        except RuntimeError as error:
            raise SpoolError(f"spool {self.folder}: {error}") from error

    async def get(self, id: str) -> Record | None:
        with self._reading() as transaction:
            data = transaction.get(id.encode(), db=self.tables["records"])
        try:
            return None if data is None else decode(data)
        except BadRecord as error:
            raise SpoolError(f"message {id}: {error}") from error

    def just_kept(
        self, ids: Sequence[str], most_bytes: int
    ) -> list[tuple[Record | None, bytes | None]]:
        """Records that another process has just written, with contents of at most so many bytes that have no own head.

        Reads at once: what was written a moment ago is in memory. None for a record that has gone or cannot be read.
        """
        found: list[tuple[Record | None, bytes | None]] = []
        with self._reading() as transaction:
            for id in ids:
                data = transaction.get(id.encode(), db=self.tables["records"])
                try:
                    record = None if data is None else decode(data)
                except BadRecord as error:
                    log.error("unreadable id=%s reason=%s; left in place", id, error)
                    record = None
                content = None
                if record is not None and not record.head and record.size <= most_bytes:
                    content = transaction.get(record.body.encode(), db=self.tables["bodies"])
                found.append((record, content))
        return found

    async def get_body(self, record: Record) -> bytes:
        content = await self._in_thread(self._read_body, record.body.encode())
        if content is None:
            raise NotInSpool(f"the body of message {record.id} is not in the spool")
        return record.head + content if record.head else content

    async def due(
        self, queue: QueueName, now: float, limit: int, skip: Collection[str] = ()
    ) -> Due:
        return await self._in_thread(self._due, queue, now, limit, frozenset(skip))

    async def page(self, queue: QueueName, after: bytes | None, limit: int) -> Page:
        return await self._in_thread(self._page, queue, after, limit)

    async def scan(self) -> list[QueueSummary]:
        return await self._in_thread(lambda: list(self._summaries()))

    def count(self) -> int:
        with self._reading() as transaction:
            return int(transaction.stat(self.tables["records"])["entries"])

    async def check(self) -> list[str]:
        return await self._in_thread(self._check)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.writer.close)
        self._readers.shutdown()
        self.environment.close()
        if self._lock is not None:
            os.close(self._lock)

    # reading

    def _reading(self) -> Any:
        return self.environment.begin(buffers=False)

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        # A cold page is a disk read: the event loop must not wait for it.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, function, *args)

    def _read_body(self, key: bytes) -> bytes | None:
        with self._reading() as transaction:
            content: bytes | None = transaction.get(key, db=self.tables["bodies"])
            return content

    def _due(self, queue: QueueName, now: float, limit: int, skip: Collection[str]) -> Due:
        found: list[Record] = []
        next_due_at: float | None = None
        with self._reading() as transaction:
            for priority in (HIGH, NORMAL):
                prefix = queue_prefix(queue) + priority
                for key in _keys(transaction.cursor(db=self.tables["waiting"]), prefix):
                    waiting = read_waiting_key(key)
                    if waiting.id in skip:
                        continue
                    if waiting.due_at > now or len(found) >= limit:
                        next_due_at = min(waiting.due_at, next_due_at or waiting.due_at)
                        break
                    data = transaction.get(waiting.id.encode(), db=self.tables["records"])
                    try:
                        found.append(decode(data or b""))
                    except BadRecord as error:  # the rest of the queue must not wait for it
                        log.error("unreadable id=%s reason=%s; left in place", waiting.id, error)
        return Due(found, next_due_at)

    def _page(self, queue: QueueName, after: bytes | None, limit: int) -> Page:
        prefix = queue_prefix(queue)
        found: list[Record] = []
        last: bytes | None = None
        with self._reading() as transaction:
            for key in _keys(transaction.cursor(db=self.tables["waiting"]), prefix, after):
                if len(found) >= limit:
                    return Page(found, last)
                last = key
                id = read_waiting_key(key).id
                data = transaction.get(id.encode(), db=self.tables["records"])
                try:
                    found.append(decode(data or b""))
                except BadRecord as error:
                    log.error("unreadable id=%s reason=%s; left in place", id, error)
        return Page(found, None)

    def _summaries(self) -> Iterator[QueueSummary]:
        with self._reading() as transaction:
            cursor = transaction.cursor(db=self.tables["waiting"])
            queue: QueueName | None = None
            count, first = 0, 0.0
            for key in _keys(cursor, b""):
                waiting = read_waiting_key(key)
                if waiting.queue != queue:
                    if queue is not None:
                        yield QueueSummary(queue, count, first)
                    queue, count, first = waiting.queue, 0, waiting.due_at
                count, first = count + 1, min(first, waiting.due_at)
            if queue is not None:
                yield QueueSummary(queue, count, first)

    def _check(self) -> list[str]:
        with self._reading() as transaction:
            return [finding.text for finding in inspect(transaction, self.tables)]

    # writing, in the writer thread

    def _write(self, batch: list[list[_Step]]) -> list[BaseException | None]:
        """One transaction for the whole batch; when that fails, one for each request, so that only the guilty fail."""
        if len(batch) > 1:
            with suppress(Exception):
                self._transact([step for steps in batch for step in steps])
                return [None] * len(batch)
        return [self._write_one(steps) for steps in batch]

    def _write_one(self, steps: list[_Step]) -> BaseException | None:
        try:
            self._transact(steps)
        except SpoolError as error:
            return error
        except (lmdb.MapFullError, lmdb.DiskError, OSError, lmdb.Error) as error:
            return _explain(self.folder, error)
        return None

    def _transact(self, steps: list[_Step]) -> None:
        new_bytes = sum(len(step[2]) + len(step[4]) for step in steps if step[0] == "put")
        with self.environment.begin(write=True) as transaction:
            if new_bytes:
                self._refuse_growth(transaction, new_bytes)
            for operation, id, record, body_key, content in steps:
                if operation == "put":
                    self._put(transaction, id, record, body_key, content)
                elif operation == "update":
                    self._update(transaction, id, record)
                else:
                    self._remove(transaction, id)

    def _put(self, transaction: Any, id: bytes, record: bytes, key: bytes, content: bytes) -> None:
        tables = self.tables
        if not transaction.put(id, record, db=tables["records"], overwrite=False):
            raise SpoolError(f"message id {id.decode()} is already in the spool")
        transaction.put(keys_of(record)[0], b"", db=tables["waiting"])
        if not transaction.put(key, content, db=tables["bodies"], overwrite=False):
            sharers = int(transaction.get(key, b"1", db=tables["sharers"]))
            transaction.put(key, b"%d" % (sharers + 1), db=tables["sharers"])

    def _update(self, transaction: Any, id: bytes, record: bytes) -> None:
        old = transaction.get(id, db=self.tables["records"])
        if old is None:
            raise NotInSpool(f"message {id.decode()} is not in the spool")
        old_key, new_key = keys_of(old)[0], keys_of(record)[0]
        if old_key != new_key:
            transaction.delete(old_key, db=self.tables["waiting"])
            transaction.put(new_key, b"", db=self.tables["waiting"])
        transaction.put(id, record, db=self.tables["records"])

    def _remove(self, transaction: Any, id: bytes) -> None:
        old = transaction.pop(id, db=self.tables["records"])
        if old is None:
            return
        waiting, body = keys_of(old)
        transaction.delete(waiting, db=self.tables["waiting"])
        sharers = int(transaction.get(body, b"1", db=self.tables["sharers"]))
        if sharers > 2:
            transaction.put(body, b"%d" % (sharers - 1), db=self.tables["sharers"])
        elif sharers == 2:
            transaction.delete(body, db=self.tables["sharers"])
        else:
            transaction.delete(body, db=self.tables["bodies"])

    def room(self) -> int:
        """Octets that its disk still has for messages; 0 or less: they are refused with 452."""
        return shutil.disk_usage(self.folder).free - self._min_free_bytes

    def _refuse_growth(self, transaction: Any, new_bytes: int) -> None:
        """Raise SpoolFull while removals still have room."""
        free = shutil.disk_usage(self.folder).free
        if free - new_bytes < self._min_free_bytes:
            raise SpoolFull(
                f"spool {self.folder}: {free} bytes free on its disk, {self._min_free_bytes} must "
                f"stay free; message of {new_bytes} bytes refused with 452"
            )
        used = 0
        for table in self.tables.values():
            stat = transaction.stat(table)
            pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
            used += pages * stat["psize"]
        if used + new_bytes > self._max_bytes:
            raise SpoolFull(
                f"spool {self.folder}: {used} of {self._max_bytes} bytes used; "
                f"message of {new_bytes} bytes refused with 452"
            )


def _step(change: Change) -> _Step:
    if isinstance(change, Remove):
        return "remove", change.id.encode(), b"", b"", b""
    record = change.record
    if isinstance(change, Put):
        return "put", record.id.encode(), encode(record), record.body.encode(), change.content
    return "update", record.id.encode(), encode(record), b"", b""


def _keys(cursor: Any, prefix: bytes, after: bytes | None = None) -> Iterator[bytes]:
    start = prefix if after is None else after + b"\0"
    if cursor.set_range(start) if start else cursor.first():
        for key in cursor.iternext(keys=True, values=False):
            if not key.startswith(prefix):
                return
            yield key


def _lock(folder: Path) -> int:
    """A descriptor that says whose spool this is, for as long as it is open; the system closes it with the process."""
    path = folder / "owner.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolError(
            f"spool {folder} can't be used: {path}: {os.strerror(error.errno or 0)}; it is the property of user id "
            f"{folder.stat().st_uid}, we are user id {os.geteuid()}"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        process = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise SpoolError(
            f"spool {folder} belongs to a running server, process {process}; two would send everything twice: stop it "
            "first, or set another SpoolBase"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def _explain(folder: Path, error: BaseException) -> SpoolError:
    """LMDB's or the system's word, in ours."""
    number = getattr(error, "errno", None) or 0
    full = isinstance(error, lmdb.MapFullError) or number in (errno.ENOSPC, errno.EDQUOT)
    full = full or os.strerror(errno.ENOSPC) in str(error)
    if full:
        return SpoolFull(f"spool {folder} is full: {error}; message refused with 452")
    return SpoolError(f"spool {folder}: {error}; message refused with 451")
