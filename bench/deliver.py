"""What handing over a message costs, against aiosmtplib, in paired rounds.

    .venv/bin/python bench/deliver.py [--rounds 5] [--sizes 4096,102400] [--count 4000]

Every round starts each client anew, in turns, against postfix's `smtp-sink` on loopback: twenty connections that are
used again. The figure is the client's user and system time per thousand messages, the verdict the median of the ratios
within a round. Clients: `ours` is the connection alone; `aiosmtplib` the same with that library; `queue` is the whole
line from acceptance to removal: keeper, spool, queues, connections, log lines; `smtp-source` is postfix's own, in C.

    --client KIND PORT SIZE COUNT     what the benchmark starts
    --profile FILE                    profile `queue` with cProfile at the first size
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from report import Row, compared, interleave, table

CONNECTIONS = 20
KINDS = ("ours", "aiosmtplib", "queue", "smtp-source")
SIZES = (4096, 102400)
LARGE = 50_000  # octets
TARGETS = {
    False: 0.5,
    True: 0.3,
}  # small, large: the connection's processor time as a part of aiosmtplib's


def content_of(size: int) -> bytes:
    """Lines of 78 characters under a small header."""
    head = b"From: a@x.test\r\nTo: b@y.test\r\nSubject: bench\r\n\r\n"
    line = b"x" * 76 + b"\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


async def ours(port: int, content: bytes, count: int) -> dict[str, float]:
    from moonpost.outbound.answers import Fate
    from moonpost.outbound.connection import Connection, Target
    from moonpost.outbound.letters import ConversationSettings, Letter
    from moonpost.queue.options import TIMEOUTS

    timeouts = dict.fromkeys(TIMEOUTS, 60.0)
    letter = Letter("a@x.test", ("b@y.test",), content)

    async def work(share: int) -> None:
        target = Target("sink", "127.0.0.1", port)
        connection = await Connection.open(target, ConversationSettings("bench"), timeouts)
        for _ in range(share):
            (outcome,) = await connection.send(letter)
            assert outcome.fate is Fate.DELIVERED, outcome
        connection.close()

    await asyncio.gather(*(work(count // CONNECTIONS) for _ in range(CONNECTIONS)))
    return {}


async def aiosmtplib(port: int, content: bytes, count: int) -> dict[str, float]:
    import aiosmtplib as library

    async def work(share: int) -> None:
        client = library.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await client.connect()
        for _ in range(share):
            await client.sendmail("a@x.test", ["b@y.test"], content)
        await client.quit()

    await asyncio.gather(*(work(count // CONNECTIONS) for _ in range(CONNECTIONS)))
    return {}


async def queue(port: int, content: bytes, count: int) -> dict[str, float]:
    from moonpost.adapters.clock import LoopClock
    from moonpost.observe.logs import LogFile, MailLogs
    from moonpost.queue.keeper import Internal, SpoolKeeper
    from moonpost.queue.manager import QueueManager
    from moonpost.spool.lmdb_store import LmdbSpool
    from msys.message import Message
    from msys.testing.fakes import FakeDns

    options = {
        "routes": ("127.0.0.1",),
        "remote_smtp_port": port,
        "max_outbound_connections": CONNECTIONS,
    }

    def option(name: str, _binding: str, _domain: str) -> object:
        return options.get(name)

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # the disk, not a tmpfs
        clock = LoopClock()
        spool = LmdbSpool(Path(folder) / "spool")
        mainlog = LogFile(Path(folder) / "mainlog.ec")
        journal = MailLogs(mainlog)
        manager = QueueManager(spool, FakeDns(), clock, option, hostname="bench", journal=journal)
        keeper = SpoolKeeper(spool, manager.accepted, option, journal, clock.now, hostname="bench")
        await manager.start()

        async def session(share: int) -> None:
            for _ in range(share):
                message = Message(content=content, mailfrom="a@x.test", rcptto="b@y.test")
                await keeper.keep([message], Internal(clock.now()))

        await asyncio.gather(*(session(count // CONNECTIONS) for _ in range(CONNECTIONS)))
        while spool.count():
            await asyncio.sleep(0.01)
        syncs = spool.writer.batches
        await manager.stop()
        await spool.close()
        mainlog.close()
    return {"syncs_per_message": syncs / count}


CLIENTS: dict[str, Callable[[int, bytes, int], Coroutine[Any, Any, dict[str, float]]]] = {
    "ours": ours,
    "aiosmtplib": aiosmtplib,
    "queue": queue,
}


def client(kind: str, port: int, size: int, count: int) -> None:
    """Send, and print what it took as JSON."""
    content = content_of(size)
    asyncio.run(CLIENTS[kind](port, content, CONNECTIONS))  # imports, caches
    start = time.monotonic()
    before = time.process_time()
    extra = asyncio.run(CLIENTS[kind](port, content, count))
    cpu = time.process_time() - before
    print(json.dumps({"cpu": cpu, "seconds": time.monotonic() - start, **extra}))


def run(kind: str, port: int, size: int, count: int) -> dict[str, float]:
    """One client in a process of its own."""
    if kind == "smtp-source":
        program = shutil.which("smtp-source") or "/usr/sbin/smtp-source"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        subprocess.run(
            [program, "-d", "-s", str(CONNECTIONS), "-m", str(count), "-l", str(size),
             "-f", "a@x.test", "-t", "b@y.test", f"127.0.0.1:{port}"], check=True,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"cpu": cpu, "seconds": time.monotonic() - start}
    done = subprocess.run(
        [sys.executable, __file__, "--client", kind, str(port), str(size), str(count)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


class Lost(Exception):
    """The receiving server has not got every message: the figures mean nothing."""


class Sink:
    """smtp-sink on a free port, and how many messages it ought to have got."""

    def __init__(self) -> None:
        program = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.sent = 0
        self._counters = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the server
        options = ["-c", *(["-u", "nobody"] if os.getuid() == 0 else [])]
        self._process = subprocess.Popen(
            [program, *options, f"127.0.0.1:{self.port}", "1000"], stdout=self._counters
        )
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("smtp-sink did not start")

    def take(self, kind: str, size: int, count: int) -> dict[str, float]:
        """One run of a client."""
        self.sent += count + (CONNECTIONS if kind in CLIENTS else 0)
        return run(kind, self.port, size, count)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def received(self) -> int:
        """Messages so far. It counts on its output: `sess=1 quit=1 mesg=1`."""
        end = os.fstat(self._counters.fileno()).st_size
        tail = os.pread(self._counters.fileno(), 200, max(0, end - 200))
        found = re.findall(rb"mesg=(\d+)[\r\n]", tail + b"\n")
        return int(found[-1]) if found else 0

    def check(self) -> None:
        """Raises Lost unless everything arrived."""
        got = self.received()
        if got != self.sent:
            raise Lost(f"{self.sent} messages sent, the receiving server counted {got}")


def delivering(rounds: int, count: int = 4000, sizes: Sequence[int] = SIZES) -> list[Row]:
    """Paired rounds of every size: each client against aiosmtplib. Raises Lost."""
    rows: list[Row] = []
    for size in sizes:
        many = (count if size < LARGE else count // 4) // CONNECTIONS * CONNECTIONS
        extras: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        sink = Sink()
        try:
            for kind in KINDS:
                sink.take(kind, size, CONNECTIONS)  # warm-up
            clients = {kind: partial(_cpu, sink, kind, size, many, extras[kind]) for kind in KINDS}
            measured = interleave(clients, rounds)
        finally:
            sink.stop()
        sink.check()
        for kind in KINDS:
            if kind != "aiosmtplib":
                rows.append(_row(kind, size, measured, extras[kind]))
    return rows


def _cpu(sink: Sink, kind: str, size: int, count: int, extras: list[dict[str, float]]) -> float:
    """CPU seconds per thousand messages of one run; the rest of what it said goes to `extras`."""
    found = sink.take(kind, size, count)
    extras.append(found | {"rate": count / found["seconds"]})
    return 1000 * found["cpu"] / count


def _row(
    kind: str, size: int, measured: dict[str, list[float]], extras: list[dict[str, float]]
) -> Row:
    note = f"{statistics.median(one['rate'] for one in extras):,.0f} messages/s"
    syncs = [one["syncs_per_message"] for one in extras if "syncs_per_message" in one]
    if syncs:
        note += f", {statistics.median(syncs):.3f} syncs per message"
    target = TARGETS[size >= LARGE] if kind == "ours" else None
    return compared(
        "deliver", f"{size} bytes, {kind}", "s/1000", measured, "aiosmtplib", target, ours=kind, note=note
    )  # fmt: skip


def profile(file: str, size: int, count: int) -> None:
    import cProfile
    import pstats

    sink = Sink()
    profiler = cProfile.Profile()
    try:
        profiler.runcall(asyncio.run, queue(sink.port, content_of(size), count))
    finally:
        sink.stop()
    profiler.dump_stats(file)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--client", nargs=4, metavar=("KIND", "PORT", "SIZE", "COUNT"))
    parser.add_argument("--profile")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    if given.client:
        kind, port, size, count = given.client
        client(kind, int(port), int(size), int(count))
    elif given.profile:
        profile(given.profile, sizes[0], given.count)
    else:
        print(table(delivering(given.rounds, given.count, sizes)))


if __name__ == "__main__":
    main()
