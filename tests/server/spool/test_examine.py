"""`moonpost spool check`: every message in a word, read-only, beside a server that uses the spool."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from moonpost.cli.spool import command, line
from moonpost.spool.examine import TORN, Looked
from moonpost.spool.interface import Put
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.spool.record import encode, waiting_key
from moonpost.testing.check_spool import record

Damage = Callable[[Any, dict[str, Any]], Any]
ONE, TWO = record("1"), record("2")


def spool_with(folder: Path, damage: Damage | None = None) -> None:
    """Two messages that share a body of six bytes, and whatever happened to them."""

    async def fill() -> None:
        spool = LmdbSpool(folder, min_free_bytes=0)
        await spool.commit([Put(ONE, b"shared"), Put(TWO, b"shared")])
        if damage is not None:
            with spool.environment.begin(write=True) as transaction:
                damage(transaction, spool.tables)
        await spool.close()

    asyncio.run(fill())


def checked(folder: Path, *options: str) -> tuple[int, list[str]]:
    """Exit code and lines."""
    done = CliRunner().invoke(command, ["check", str(folder), *options])
    return done.exit_code, done.output.splitlines()


def test_messages_that_are_whole_are_counted_and_listed_when_asked_for(tmp_path: Path) -> None:
    spool_with(tmp_path)
    assert checked(tmp_path) == (0, ["2 whole, 0 torn, 0 orphaned, 0 aside"])
    code, lines = checked(tmp_path, "--all")
    assert code == 0
    assert lines[0].startswith(f"whole 1 <{ONE.sender}> to <{ONE.recipient}> in ")
    assert "6 bytes, 0 attempts, next 1970-" in lines[0]


@pytest.mark.parametrize(
    ("damage", "said", "counts"),
    [
        (
            lambda t, db: t.put(b"1", b"M1\x00", db=db["records"]),
            [
                "torn 1: a truncated record",
                "orphaned queue entry 1 in default/b.test: names no readable message",
                "torn body 1: 1 messages use it, 2 noted",
            ],
            "1 whole, 2 torn, 1 orphaned",
        ),
        (
            lambda t, db: t.delete(b"1", db=db["bodies"]),
            ["torn 1 <", "torn 2 <", "body 1 is missing"],
            "0 whole, 2 torn, 0 orphaned",
        ),
        (
            lambda t, db: t.put(b"1", b"short", db=db["bodies"]),
            ["torn 1 <", "5 bytes are there, 6 were accepted"],
            "0 whole, 2 torn, 0 orphaned",
        ),
        (
            lambda t, db: t.delete(waiting_key(ONE), db=db["waiting"]),
            ["torn 1 <", "is in no queue"],
            "1 whole, 1 torn, 0 orphaned",
        ),
        (
            lambda t, db: t.put(b"x", b"lost", db=db["bodies"]),
            ["orphaned body x: no message uses it"],
            "2 whole, 0 torn, 1 orphaned",
        ),
        (
            lambda t, db: t.put(b"1", b"7", db=db["sharers"]),
            ["torn body 1: 2 messages use it, 7 noted"],
            "2 whole, 1 torn, 0 orphaned",
        ),
    ],
)
def test_damage_is_named_and_nothing_is_changed(
    tmp_path: Path, damage: Damage, said: list[str], counts: str
) -> None:
    spool_with(tmp_path, damage)
    before = hashlib.sha256((tmp_path / "data.mdb").read_bytes()).hexdigest()
    code, lines = checked(tmp_path)
    assert code == 1
    text = "\n".join(lines)
    assert all(words in text for words in said), text
    assert lines[-1].startswith(counts)
    assert hashlib.sha256((tmp_path / "data.mdb").read_bytes()).hexdigest() == before


def test_what_was_set_aside_is_listed_and_is_no_finding(tmp_path: Path) -> None:
    aside = replace(ONE, id="9", body="9")
    spool_with(tmp_path, lambda t, db: t.put(b"9", encode(aside), db=db["aside"]))
    code, lines = checked(tmp_path)
    assert code == 0
    assert lines[0].startswith("aside 9 <")
    assert lines[-1] == "2 whole, 0 torn, 0 orphaned, 1 aside"


def test_no_spool_a_damaged_one_and_one_cut_short(tmp_path: Path) -> None:
    assert checked(tmp_path / "nowhere")[0] == 2
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "data.mdb").write_bytes(b"this is none" * 1000)
    code, lines = checked(tmp_path / "odd")
    assert code == 2 and "can't be opened" in lines[0]
    spool_with(tmp_path / "short")
    data = tmp_path / "short" / "data.mdb"
    data.write_bytes(data.read_bytes()[:-4096])
    code, lines = checked(tmp_path / "short")
    assert code == 2 and "cut short" in lines[0]


def test_a_server_goes_on_beside_it(tmp_path: Path) -> None:
    async def main() -> None:
        spool = LmdbSpool(tmp_path, min_free_bytes=0)
        await spool.commit([Put(ONE, b"shared")])
        words = [sys.executable, "-m", "moonpost", "spool", "check", str(tmp_path)]
        looking = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
        number = 0
        while looking.returncode is None:
            number += 1
            await spool.commit([Put(record(f"x{number}"), b"more")])
        told = await looking.stdout.read() if looking.stdout else b""
        assert looking.returncode == 0
        assert b" 0 torn, 0 orphaned" in told
        await spool.close()

    asyncio.run(main())


def test_text_from_outside_stays_on_its_line() -> None:
    odd = replace(ONE, recipient="bob\r\nwhole 7\x1b[2J@x.test")
    assert line(Looked(TORN, "1", "x", odd)).isprintable()
