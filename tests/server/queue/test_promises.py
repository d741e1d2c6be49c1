"""What was accepted is delivered, deferred or bounced: failing spools, killed processes, the right order."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from moonpost.adapters.clock import LoopClock
from moonpost.outbound.answers import Outcome
from moonpost.queue.options import QueueOptions
from moonpost.spool.interface import SpoolError
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.spool.memory import MemorySpool
from moonpost.spool.record import Record
from moonpost.testing.faults import Faults, FaultySpool
from moonpost.testing.sink import Sink
from testkit.delivery import Onlooker, line


class Hasty(LoopClock):
    """Pauses after trouble take no time worth waiting for."""

    def sleep(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(min(seconds, 0.01))

    def call_later(self, seconds: float, function: Any) -> Any:
        return super().call_later(min(seconds, 0.02), function)


class Notifier:
    """Remembers whom it told, and what was still in the spool then."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []
        self.spool: Any = None

    async def failed(
        self,
        record: Record,
        content: bytes,
        outcome: Outcome,
        options: QueueOptions,
        remote: str = "",
    ) -> None:
        self.told.append((record.recipient, await self.spool.get(record.id) is not None))

    async def delayed(
        self,
        record: Record,
        content: bytes,
        outcome: Outcome,
        options: QueueOptions,
        remote: str = "",
    ) -> None:
        self.told.append((f"late {record.recipient}", record.warned == 1))


@pytest.mark.parametrize("late", [False, True], ids=["before it took effect", "after"])
def test_whichever_call_of_the_spool_fails_accepted_mail_arrives(
    late: bool, tmp_path: Path
) -> None:
    at = 0
    while True:
        at += 1
        faults = Faults(at)
        answers = iter(["450 once"])

        async def main() -> None:
            sink = Sink(answers={"RCPT TO:<later@b.test>": lambda _: next(answers, "250 ok")})  # noqa: B023
            spool = FaultySpool(MemorySpool(), faults, late=late)  # noqa: B023
            async with (
                sink,
                line(
                    tmp_path, sink.port, spool=spool, clock=Hasty(), retry_interval=0.01,  # type: ignore[arg-type]
                    max_retry_interval=0.01, max_resident_active_queue=0,
                ) as made,
            ):  # fmt: skip
                promised = set()
                for recipients in (("b@b.test", "later@b.test"), ("c@c.test",)):
                    try:
                        await made.send(*recipients)
                        promised.update(recipients)
                    except SpoolError:
                        assert faults.struck  # noqa: B023
                await made.until(lambda: made.journal.kinds().count("D") >= len(promised))
                arrived = [name for one in sink.received for name in one.recipients]
                assert sorted(arrived) == sorted(promised)
                if not late:
                    assert spool.count() == 0

        asyncio.run(main())
        if not faults.struck:
            break
    assert at > 8, "the loop must reach every call"


def test_the_sender_is_told_before_the_mail_leaves_the_spool(tmp_path: Path) -> None:
    notifier = Notifier()

    async def main() -> None:
        async with (
            Sink(answers={"RCPT": "550 5.1.1 who?"}) as sink,
            line(tmp_path, sink.port, notifier=notifier) as made,
        ):
            notifier.spool = made.spool
            await made.send("b@b.test", "c@b.test")
            assert await made.events(2) == "PP"
            assert made.spool.count() == 0

    asyncio.run(main())
    assert sorted(notifier.told) == [("b@b.test", True), ("c@b.test", True)]


def test_a_sender_is_warned_that_mail_is_late(tmp_path: Path) -> None:
    notifier = Notifier()

    async def main() -> None:
        async with (
            Sink(answers={"RCPT": "450 4.2.2 full"}) as sink,
            line(
                tmp_path, sink.port, notifier=notifier, retry_interval=0.02, max_retry_interval=0.02,
                max_retries=6, generate_delay_dsn=True, delay_dsn_retry_interval=0.04,
            ) as made,
        ):  # fmt: skip
            notifier.spool = made.spool
            await made.send("b@b.test")
            await made.until(lambda: "P" in made.journal.kinds())

    asyncio.run(main())
    assert notifier.told[0] == ("late b@b.test", True)
    assert notifier.told[-1] == ("b@b.test", True)
    assert 2 <= len(notifier.told) <= 4


def test_hooks_see_every_result_and_may_move_mail_before_it_waits(tmp_path: Path) -> None:
    class Hooks(Onlooker):
        def __init__(self) -> None:
            self.seen: list[tuple[str, str, int]] = []

        async def before_requeue(self, record: Record, content: bytes | None, now: float) -> None:
            record.binding = "slow"

        async def logged(
            self, record: Record, content: bytes | None, attempt: Any, outcome: Outcome
        ) -> None:
            self.seen.append((outcome.fate.value, record.recipient, attempt.retries))

    hooks = Hooks()
    answers = iter(["450 once"])

    async def main() -> None:
        async with (
            Sink(answers={"MAIL": lambda _: next(answers, "250 ok")}) as sink,
            line(tmp_path, sink.port, hooks=hooks, retry_interval=0.05) as made,
        ):
            (record,) = await made.send("b@b.test")
            await made.until(lambda: "T" in made.journal.kinds())
            kept = await made.spool.get(record.id)
            assert kept is not None and kept.binding == "slow"
            await made.until(lambda: len(hooks.seen) == 2)

    asyncio.run(main())
    assert hooks.seen == [("deferred", "b@b.test", 0), ("delivered", "b@b.test", 1)]


PROCESS = """
import asyncio, os, sys
from pathlib import Path
from testkit.delivery import line

async def main():
    async with line(Path(sys.argv[1]), int(sys.argv[2])) as made:
        for n in range(int(sys.argv[3])):
            name = f"{os.getpid()}-{n}@b{n % 3}.test"
            await made.send(name, content=b"Subject: x\\r\\n\\r\\n" + name.encode() + b"\\r\\n")
            os.write(1, f"kept {name}\\n".encode())
        await made.until(lambda: made.spool.count() == 0, 20)
    os.write(1, b"done\\n")

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_server_delivers_everything_it_accepted_when_it_comes_back(
    seed: int, tmp_path: Path
) -> None:
    async def main() -> None:
        async with Sink() as sink:
            kept: set[str] = set()
            for after in (100 * seed, 170 * seed, None):
                kept |= await _life(tmp_path, sink, after)
            arrived = [name for one in sink.received for name in one.recipients]
            assert kept <= set(arrived)
            # Delivered, and killed before the spool knew: these come twice, never more often than there were kills.
            assert max(map(arrived.count, kept)) <= 3
            assert len(arrived) - len(set(arrived)) < len(arrived) / 2
            for one in sink.received:
                assert one.content.endswith(one.recipients[0].encode() + b"\r\n")

    asyncio.run(main())
    spool = LmdbSpool(tmp_path / "spool", min_free_bytes=0, deep_check=True)
    assert spool.repaired == [] and spool.count() == 0
    asyncio.run(spool.close())


async def _life(folder: Path, sink: Sink, kill_after: int | None) -> set[str]:
    """One process; returns what it acknowledged. kill_after: so many acknowledgements."""
    count = "0" if kill_after is None else "100000"
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder), str(sink.port), count],
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert process.stdout is not None
    loop = asyncio.get_running_loop()
    said = b""
    while chunk := await loop.run_in_executor(None, os.read, process.stdout.fileno(), 65536):
        said += chunk
        if kill_after is not None and said.count(b"\n") >= kill_after:
            process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    if kill_after is None:
        assert said == b"done\n"
    return set(re.findall(r"^kept (\S+)$", said.decode(), re.M))
