"""Damage is found, said in words, and repaired without throwing mail away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moonpost.spool.interface import Put, Remove
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.spool.record import waiting_key
from moonpost.testing.check_spool import B, ids, record

Damage = Callable[[Any, dict[str, Any]], None]

ONE, TWO = record("1"), record("2")

DAMAGES: dict[str, tuple[Damage, list[str], list[str]]] = {
    # what happened: (how, what check says, ids still deliverable)
    "a record was torn": (
        lambda t, db: t.put(b"1", b"M1\x00", db=db["records"]),
        ["stray key: default", "unreadable: 1: a truncated record", "wrong count: 1"], ["2"],
    ),
    "a record of a later version": (
        lambda t, db: t.put(b"1", b"M9...", db=db["records"]),
        ["stray key: default", "unreadable: 1: record version b'M9' is not known", "wrong count: 1"], ["2"],
    ),
    "the body is missing": (
        lambda t, db: t.delete(b"1", db=db["bodies"]), ["no body: 1", "no body: 2"], [],
    ),
    "a waiting key is missing": (
        lambda t, db: t.delete(waiting_key(ONE), db=db["waiting"]), ["not waiting: 1"], ["1", "2"],
    ),
    "a waiting key too many": (
        lambda t, db: t.put(waiting_key(record("9")), b"", db=db["waiting"]),
        ["stray key: default"], ["1", "2"],
    ),
    "rubbish among the keys": (
        lambda t, db: t.put(b"zz", b"", db=db["waiting"]), ["stray key: zz"], ["1", "2"],
    ),
    "a wrong number of sharers": (
        lambda t, db: t.put(b"1", b"7", db=db["sharers"]), ["wrong count: 1: 2 messages"], ["1", "2"],
    ),
    "a body that nobody uses": (
        lambda t, db: t.put(b"x", b"lost", db=db["bodies"]), ["stray body: x"], ["1", "2"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_repaired(name: str, tmp_path: Path) -> None:
    damage, said, deliverable = DAMAGES[name]

    async def main() -> None:
        spool = LmdbSpool(tmp_path, min_free_bytes=0)
        body = b"shared"
        await spool.commit([Put(ONE, body), Put(TWO, body)])
        with spool.environment.begin(write=True) as transaction:
            damage(transaction, spool.tables)
        problems = await spool.check()
        begins = zip(sorted(problems), said, strict=True)
        assert [text[: len(want)] for text, want in begins] == said
        assert await spool.check() == problems, "check changes nothing"
        await spool.close()

        spool = LmdbSpool(tmp_path, min_free_bytes=0, deep_check=True)
        assert [finding.text for finding in spool.repaired] == problems
        assert await ids(spool, B) == deliverable
        left = [text for text in problems if text.startswith("stray body")]
        assert await spool.check() == left
        for id in deliverable:
            await spool.commit([Remove(id)])
        assert await ids(spool, B) == []
        with spool.environment.begin() as transaction:
            aside = transaction.stat(spool.tables["aside"])["entries"]
        assert aside == 2 - len(deliverable), "what can't be sent is kept for a person to look at"
        await spool.close()

    asyncio.run(main())


def test_a_quick_start_notices_what_the_table_sizes_show(tmp_path: Path) -> None:
    async def main() -> None:
        spool = LmdbSpool(tmp_path, min_free_bytes=0)
        await spool.commit([Put(ONE, b"x")])
        with spool.environment.begin(write=True) as transaction:
            transaction.delete(waiting_key(ONE), db=spool.tables["waiting"])
        await spool.close()
        spool = LmdbSpool(tmp_path, min_free_bytes=0)
        assert len(spool.repaired) == 1 and await ids(spool, B) == ["1"]
        await spool.close()
        spool = LmdbSpool(tmp_path, min_free_bytes=0)
        assert spool.repaired == []
        await spool.close()

    asyncio.run(main())
