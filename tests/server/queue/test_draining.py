"""A spool is handed to another server: nothing is lost, nothing is sent twice, envelopes and ages go along."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from moonpost.outbound.connection import Connection, Target
from moonpost.outbound.letters import ConversationSettings
from moonpost.queue.draining import AGE, Drained, NoAges, drain
from moonpost.queue.options import DEFAULTS, TIMEOUTS
from moonpost.spool.interface import Put
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.spool.memory import MemorySpool
from moonpost.spool.record import Record
from moonpost.testing.sink import DROP, FEATURES, Sink
from testkit.small_server import callout, moonpost, small_server

NOW = 1_700_000_000.0
SCRIPT = {"policy": callout("validate_ehlo", "str, ac, vctx", "", script="policy")}


def record(id: str, recipient: str = "b@b.test", **facts: Any) -> Record:
    facts = {"sender": "a@a.test", "created_at": NOW - 500, "next_attempt_at": NOW + 900} | facts
    return Record(id=id, recipient=recipient, domain=recipient.rpartition("@")[2], **facts)


def run(sink: Sink, *puts: Put, **options: Any) -> tuple[Drained, MemorySpool, list[str]]:
    kept: list[str] = []

    async def main() -> tuple[Drained, MemorySpool]:
        spool = MemorySpool()
        await spool.commit(puts)
        async with sink:

            async def open_connection() -> Connection:
                timeouts = {name: float(DEFAULTS[name]) for name in TIMEOUTS}
                target = Target("sink.test", "127.0.0.1", sink.port)
                return await Connection.open(target, ConversationSettings("us.test"), timeouts)

            result = await drain(
                spool,
                open_connection,
                lambda: NOW,
                lambda one, why: kept.append(f"{one.id} {why}"),
                **options,
            )
        return result, spool

    result, spool = asyncio.run(main())
    return result, spool, sorted(kept)


def taking_ages(**options: Any) -> Sink:
    return Sink(features=(*FEATURES, "XAGE"), **options)


def test_everything_goes_with_its_envelope_and_age() -> None:
    sink = taking_ages()
    content = b"Subject: x\r\n\r\n.dot\r\n"
    shared = [
        Put(record("1", "b@b.test", parameters={"ENVID": "e1", "NOTIFY": "NEVER"}), content),
        Put(record("2", "c@b.test", parameters={"ENVID": "e1", "ORCPT": "rfc822;x@y"}), content),
    ]
    other = Put(record("3", "d@d.test", sender="", created_at=NOW - 70_000), b"A: 1\r\n\r\n")
    result, spool, kept = run(sink, *shared, other)
    assert (result.handed, result.kept, spool.count(), kept) == (3, 0, 0, [])
    assert {(one.sender, *one.recipients) for one in sink.received} == {
        ("<a@a.test> SIZE=20 ENVID=e1 XAGE=500", "b@b.test", "c@b.test"),
        ("<> SIZE=8 XAGE=70000", "d@d.test"),
    }
    assert "RCPT TO:<b@b.test> NOTIFY=NEVER" in sink.commands
    assert "RCPT TO:<c@b.test> ORCPT=rfc822;x@y" in sink.commands


def test_what_is_refused_stays_and_is_told() -> None:
    sink = taking_ages(
        answers={"RCPT TO:<no@b.test>": "550 5.1.1 who?", "RCPT TO:<wait@b.test>": "450 later"}
    )
    puts = [Put(record(name, f"{name}@b.test"), b"x: y\r\n\r\n") for name in ("yes", "no", "wait")]
    result, spool, kept = run(sink, *puts)
    assert (result.handed, result.kept, spool.count()) == (1, 2, 2)
    assert kept == ["no 550 5.1.1 who?", "wait 450 later"]


def test_a_server_without_ages_gets_nothing_unless_that_is_wanted() -> None:
    put = Put(record("1"), b"x: y\r\n\r\n")
    with pytest.raises(NoAges):
        run(Sink(), put)
    result, spool, _ = run(Sink(), put, ages=False)
    assert result.handed == 1 and spool.count() == 0


def test_connections_that_break_lose_nothing() -> None:
    sent = iter(range(10_000))
    sink = taking_ages(answers={"BODY": lambda _: DROP if next(sent) % 7 == 3 else "250 kept"})
    puts = [Put(record(f"m{n}", f"r{n}@b.test"), b"%d\r\n" % n) for n in range(60)]
    result, spool, kept = run(sink, *puts)
    taken = {one.recipients[0] for one in sink.received}
    left = {line.split()[0] for line in kept}
    assert result.handed + result.kept == 60 and spool.count() == len(left) > 0
    assert taken == {f"r{n}@b.test" for n in range(60)} - {f"r{id[1:]}@b.test" for id in left}


def test_a_server_with_room_for_one_connection_gets_everything_once() -> None:
    sink = taking_ages()
    first = iter([f"250-sink.test\r\n250-PIPELINING\r\n250 {AGE}"])
    sink.answers["EHLO"] = lambda _: next(first, "421 4.7.0 too many connections")
    puts = [Put(record(f"m{n}", f"r{n}@b.test"), b"%d\r\n" % n) for n in range(40)]
    result, spool, kept = run(sink, *puts)
    assert (result.handed, spool.count(), kept) == (40, 0, [])
    assert len(sink.received) == 40 and "too many connections" in result.problems[0]


def test_a_server_that_is_not_there_is_told() -> None:
    sink = taking_ages(banner="554 5.7.1 not you")
    result, spool, _ = run(sink, Put(record("1"), b"x: y\r\n\r\n"))
    assert result.handed == 0 and spool.count() == 1
    assert result.problems[0].startswith(("554", "451", "421"))


async def keep(folder: Path, *puts: Put) -> None:
    spool = LmdbSpool(folder, min_free_bytes=0)
    await spool.commit(puts)
    await spool.close()


async def kept_in(folder: Path) -> list[Record]:
    spool = LmdbSpool(folder, min_free_bytes=0)
    pages = [await spool.page(summary.queue, None, 10) for summary in await spool.scan()]
    await spool.close()
    return [one for page in pages for one in page.records]


def test_from_the_command_line_to_another_moonpost(tmp_path: Path) -> None:
    old = tmp_path / "old.conf"
    old.write_text('spoolbase = "old"')
    accepted_at = time.time() - 5000
    facts = {"created_at": accepted_at, "parameters": {"ENVID": "e1", "NOTIFY": "NEVER"}}
    put = Put(record("01/00-1", **facts), b"Subject: x\r\n\r\nhi\r\n")
    asyncio.run(keep(tmp_path / "old", put))
    with small_server(tmp_path, SCRIPT, options="suspend_delivery = true") as new:
        new.edit(
            'Listen "127.0.0.1:0" {}', 'SMTP_Extensions = ( "XAGE" "DSN" ) Listen "127.0.0.1:0" {}'
        )
        new.start()
        target = f"127.0.0.1:{new.port}"
        running = moonpost("drain", "--to", target, new.config)
        assert running.returncode == 2 and "belongs to a running server" in running.stderr
        dry = moonpost("drain", "--to", target, "--dry-run", old)
        assert dry.returncode == 0 and f"1 messages would be handed to {target}" in dry.stdout
        done = moonpost("drain", "--to", target, old)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"1 messages handed to {target}, 0 left in {tmp_path}/old\n"
        new.kill()
    assert asyncio.run(kept_in(tmp_path / "old")) == []
    (there,) = asyncio.run(kept_in(tmp_path / "var/spool"))
    assert (there.sender, there.recipient) == ("a@a.test", "b@b.test")
    assert there.parameters == {"ENVID": "e1", "NOTIFY": "NEVER"}
    assert there.created_at == pytest.approx(accepted_at, abs=60)
