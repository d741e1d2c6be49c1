"""Making operation n fail, for every n: what a promise about mail is tested with.

`FaultyEnvironment` stands in for an LMDB environment and breaks its nth write; `FaultySpool` stands in for any spool
and breaks its nth call, before or after the call took effect. A test loops n until nothing fails any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import lmdb

from moonpost.spool.interface import Change, Spool, SpoolError

COUNTED = ("put", "delete", "pop")


class Faults:
    """Which operation fails, and with what."""

    def __init__(self, at: int, error: Callable[[], Exception] | None = None) -> None:
        self.at = at
        self.seen = 0
        self.struck = False
        self._error = error or (lambda: lmdb.DiskError("mdb_put: Input/output error"))

    def count(self) -> None:
        """An operation happens; raises when it is the one."""
        self.seen += 1
        if self.seen == self.at:
            self.struck = True
            raise self._error()


class FaultyEnvironment:
    """An LMDB environment whose writes count."""

    def __init__(self, environment: Any, faults: Faults) -> None:
        self._environment = environment
        self._faults = faults

    def begin(self, write: bool = False, **options: Any) -> Any:
        transaction = self._environment.begin(write=write, **options)
        return FaultyTransaction(transaction, self._faults) if write else transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment, name)


class FaultyTransaction:
    """A write transaction: its writes count, and its commit."""

    def __init__(self, transaction: Any, faults: Faults) -> None:
        self._transaction = transaction
        self._faults = faults

    def __enter__(self) -> FaultyTransaction:
        self._transaction.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            try:
                self._faults.count()
            except Exception as failed:
                self._transaction.__exit__(type(failed), failed, None)
                raise
        self._transaction.__exit__(kind, error, trace)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._transaction, name)
        if name not in COUNTED:
            return found

        def counted(*args: Any, **options: Any) -> Any:
            self._faults.count()
            return found(*args, **options)

        return counted


class FaultySpool:
    """A spool whose changes and readings count. late: the call takes effect, and fails all the same."""

    def __init__(self, spool: Spool, faults: Faults, *, late: bool = False) -> None:
        self._spool = spool
        self._faults = faults
        self._late = late

    async def commit(self, changes: Sequence[Change]) -> None:
        if self._late:
            await self._spool.commit(changes)
        self._count()
        if not self._late:
            await self._spool.commit(changes)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._spool, name)
        if name not in ("due", "get_body"):
            return found

        async def counted(*args: Any, **options: Any) -> Any:
            self._count()
            return await found(*args, **options)

        return counted

    def _count(self) -> None:
        try:
            self._faults.count()
        except lmdb.Error as error:
            raise SpoolError(str(error)) from error
