"""Nothing acknowledged is lost, whichever write fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import lmdb
import pytest

from moonpost.spool.interface import Put, Remove, SpoolError, SpoolFull, Update
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.testing.check_spool import record
from moonpost.testing.faults import Faults, FaultyEnvironment


def open_spool(folder: Path, faults: Faults | None = None, **options: Any) -> LmdbSpool:
    def faulty(*args: Any, **keywords: Any) -> Any:
        environment = lmdb.open(*args, **keywords)
        return FaultyEnvironment(environment, faults) if faults is not None else environment

    return LmdbSpool(folder, min_free_bytes=0, open_environment=faulty, **options)


async def work(spool: LmdbSpool, kept: dict[str, tuple[float, str]]) -> None:
    """Put, update and remove; `kept` is what was acknowledged and not removed: id -> due time, note."""
    for turn in range(4):
        a, b, c = (record(f"{name}{turn}", due=turn) for name in "abc")
        shared = b"shared body %d" % turn
        try:
            await spool.commit([Put(a, shared), Put(b, shared), Put(c, b"own")])
            kept.update({one.id: (one.next_attempt_at, "") for one in (a, b, c)})
        except SpoolError:
            continue
        a.next_attempt_at, a.note = 500.0, "later"
        try:
            await spool.commit([Update(a)])
            kept[a.id] = (500.0, "later")
        except SpoolError:
            pass
        try:
            await spool.commit([Remove(b.id)])
            del kept[b.id]
        except SpoolError:
            pass


def test_every_write_may_fail_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    at = 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        faults, kept = Faults(at), dict[str, tuple[float, str]]()

        async def first_life() -> None:
            spool = open_spool(folder, faults)  # noqa: B023
            await work(spool, kept)  # noqa: B023
            assert await spool.check() == []
            await spool.close()

        async def second_life() -> None:
            spool = open_spool(folder)  # noqa: B023
            assert spool.repaired == [] and await spool.check() == []
            for id, (due, note) in kept.items():  # noqa: B023
                found = await spool.get(id)
                assert found is not None and (found.next_attempt_at, found.note) == (due, note)
                assert await spool.get_body(found)
            assert spool.count() == len(kept)  # noqa: B023
            await spool.close()

        asyncio.run(first_life())
        asyncio.run(second_life())
        if not faults.struck:
            break
    assert at > 40, "the loop must reach every write"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (lmdb.MapFullError("mdb_put: MDB_MAP_FULL"), SpoolFull),
        (lmdb.Error("mdb_txn_commit: No space left on device"), SpoolFull),
        (OSError(28, "No space left on device"), SpoolFull),
        (lmdb.DiskError("mdb_txn_commit: Input/output error"), SpoolError),
    ],
)
def test_a_full_disk_and_a_broken_one_are_told_apart(
    error: Exception, kind: type[SpoolError], tmp_path: Path
) -> None:
    async def main() -> None:
        spool = open_spool(tmp_path, Faults(1, lambda: error))
        with pytest.raises(SpoolError) as caught:
            await spool.commit([Put(record("1"), b"x")])
        assert type(caught.value) is kind
        await spool.commit([Put(record("1"), b"x")])
        await spool.close()

    asyncio.run(main())


def test_a_full_spool_refuses_mail_and_still_lets_it_go(tmp_path: Path) -> None:
    async def main() -> None:
        spool = open_spool(tmp_path, max_bytes=2_000_000)
        count = 0
        with pytest.raises(SpoolFull):
            while True:
                await spool.commit([Put(record(str(count)), b"x" * 10_000)])
                count += 1
        assert 100 < count < 200
        with pytest.raises(SpoolFull):
            await spool.commit([Put(record("one more"), b"x" * 10_000)])
        for n in range(count):
            await spool.commit([Remove(str(n))])
        assert spool.count() == 0
        for n in range(100):
            await spool.commit([Put(record(f"again {n}"), b"x" * 10_000)])
        await spool.close()

    asyncio.run(main())


def test_a_disk_that_is_nearly_full_refuses_mail(tmp_path: Path) -> None:
    async def main() -> None:
        spool = LmdbSpool(tmp_path, min_free_bytes=1 << 60)
        with pytest.raises(SpoolFull, match="must stay free"):
            await spool.commit([Put(record("1"), b"x")])
        await spool.commit([Remove("nothing")])
        await spool.close()

    asyncio.run(main())
