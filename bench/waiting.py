"""What a message costs while very many others wait for their next attempt: time, memory, start.

    .venv/bin/python bench/waiting.py [--messages 1000000] [--rounds 5]

The waiting ones lie in a thousand queues and are due in an hour. Two servers take the same load in turns: one with
them, one with an empty spool. Memory is the anonymous part: pages of the spool's file belong to the kernel's cache.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import time
from functools import partial
from pathlib import Path

from peers import RELAYING, Server, new_folder
from report import Row, compared, interleave, table

QUEUES = 1000
COMMIT = 5000  # messages to one commit while the spool is filled
LOAD = 2000
CONTENT = b"Subject: waiting\r\n\r\n" + b"x" * 200 + b"\r\n"


async def fill(folder: Path, messages: int) -> None:
    from moonpost.spool.interface import Put
    from moonpost.spool.lmdb_store import LmdbSpool
    from moonpost.spool.record import Record

    spool, now = LmdbSpool(folder), time.time()
    for start in range(0, messages, COMMIT):
        records = [
            Record(
                id=f"{number:08X}", sender="a@x.test", recipient=f"b@d{number % QUEUES}.test",
                domain=f"d{number % QUEUES}.test", created_at=now, next_attempt_at=now + 3600,
            )
            for number in range(start, min(start + COMMIT, messages))
        ]  # fmt: skip
        # Content of its own for each, as mail has it.
        await spool.commit([Put(record, CONTENT + record.id.encode()) for record in records])
    await spool.close()


def memory_mb(pid: int) -> float:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def waiting(messages: int = 1_000_000, rounds: int = 5) -> list[Row]:
    """Processor time, memory and time to start, beside those of a server without waiting mail. Raises Lost."""
    full, empty = new_folder("waiting"), new_folder("ours")
    servers: dict[str, Server] = {}
    try:
        asyncio.run(fill(full / "spool", messages))
        started = {}
        for name, folder in {"ours": full, "empty": empty}.items():
            began = time.monotonic()
            servers[name] = Server("ours", RELAYING, folder)
            started[name] = time.monotonic() - began
        for server in servers.values():
            server.load("4k-d", LOAD // 4)  # warm-up
        loads = {name: partial(server.load, "4k-d", LOAD) for name, server in servers.items()}
        measured = interleave(loads, rounds)
        memory = {name: memory_mb(server.pid) for name, server in servers.items()}
    finally:
        for server in servers.values():
            server.stop()
        shutil.rmtree(full, ignore_errors=True)
    what = f"{messages:,} messages"
    return [
        compared("waiting", f"{what}, one more", "s/1000", measured, "empty"),
        Row("waiting", f"{what}, memory", memory["ours"], "MB", note=f"empty: {memory['empty']:.0f} MB"),
        Row("waiting", f"{what}, start", started["ours"], "s", note=f"empty: {started['empty']:.1f} s"),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(table(waiting(given.messages, given.rounds)))


if __name__ == "__main__":
    main()
