"""Mixed load with reloads for some minutes, or reloads alone: what grows, and how long clients wait.

    .venv/bin/python bench/soak.py [--minutes 10] [--workers 1]
    .venv/bin/python bench/soak.py --reloads 10000

The load: small and large mail, short and long sessions, refused senders, clients that hang up in the middle and clients
that say nothing. Every two seconds the policy changes and is reloaded. Memory, descriptors and tasks are read when the
server is warm and at the end, each time after a moment without load. Nothing fails for being slow; the exit code is 1
when acknowledged mail did not arrive.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from running import Scene, scene, until

from moonpost.control.client import Console
from moonpost.testing.load import Load

WARM_S = 20.0  # caches fill, pools start
RELOAD_EVERY_S = 2.0
NEW_POLICY_EVERY = 10  # of the reloads alone: the others build a new generation of the same sources
PAGE = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment."""

    resident_kib: int
    descriptors: int
    tasks: int | None  # of the owner, which the console knows

    @classmethod
    def of(cls, process: int, tasks: int | None = None) -> Sample:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        descriptors = len(os.listdir(f"/proc/{process}/fd"))
        return cls(pages * PAGE // 1024, descriptors, tasks)


def samples(here: Scene) -> dict[str, Sample]:
    """All processes of the server."""
    found = {}
    for kind, processes in here.processes().items():
        for at, process in enumerate(processes, 1):
            if kind == "owner":
                tasks = re.search(r"tasks: (\d+)", asked(here, "memory"))
                found[kind] = Sample.of(process, int(tasks.group(1)) if tasks else None)
            else:
                found[f"{kind} {at}"] = Sample.of(process)
    return found


def asked(here: Scene, command: str) -> str:
    """The console's answer; a new session each time, since an idle one is closed."""
    with Console(str(here.serving.folder / "var" / "console.sock"), 60.0) as console:
        return console.request(command).text


def table(before: dict[str, Sample], after: dict[str, Sample]) -> list[str]:
    rows = ["| process | resident memory | descriptors | tasks |", "| --- | --- | --- | --- |"]
    for name, start in before.items():
        end = after.get(name)
        if end is not None:
            memory = f"{start.resident_kib / 1024:.1f} → {end.resident_kib / 1024:.1f} MiB"
            tasks = f"{start.tasks} → {end.tasks}" if start.tasks is not None else ""
            rows.append(
                f"| {name} | {memory} | {start.descriptors} → {end.descriptors} | {tasks} |"
            )
    return rows


def soak(minutes: float, workers: int) -> int:
    """Mixed load; prints as it goes."""
    with scene(workers) as here:
        here.serving.start()
        before: dict[str, Sample] = {}
        end = time.monotonic() + minutes * 60
        acknowledged: set[str] = set()
        seconds: list[float] = []
        reloads = number = 0
        while time.monotonic() < end:
            number += 1
            last = min(end - time.monotonic(), WARM_S if not before else 60.0)
            with _mixed(here.port, number) as loads:
                until_at = time.monotonic() + max(last, 0.0)
                while time.monotonic() < until_at:
                    here.write_policy(2 + reloads)
                    here.serving.reload()
                    reloads += 1
                    time.sleep(RELOAD_EVERY_S)
            for load in loads:
                acknowledged |= load.acknowledged
                seconds += load.seconds
            until(partial(acknowledged.issubset, here.arrivals.counts.keys()), 60)
            now = _at_rest(here)
            before = before or now
            print(
                f"{number}: {len(acknowledged)} acknowledged",
                *table(before, now)[2:],
                sep="\n",
                flush=True,
            )
        lost = len(acknowledged - here.arrivals.counts.keys())
        twice = here.arrivals.counts.total() - len(here.arrivals.counts)
        print(f"{minutes:g} minutes, {len(acknowledged)} messages acknowledged, {reloads} reloads")
        print(f"lost: {lost}; arrived again: {twice}")
        print(*_waits(seconds), sep="\n")
        print(*table(before, now), sep="\n")
        here.serving.stop()
    return 1 if lost else 0


def reloads_alone(count: int, workers: int) -> int:
    """One reload after the other through the console."""
    with scene(workers) as here:
        here.serving.start()
        before: dict[str, Sample] = {}
        seconds = []
        for number in range(1, count + 1):
            if number % NEW_POLICY_EVERY == 0:
                here.write_policy(number)
            began = time.monotonic()
            said = asked(here, "config reload")
            seconds.append(time.monotonic() - began)
            if "Reconfigure complete." not in said:
                print(said)
                return 1
            if number == min(200, count // 10):
                before = _at_rest(here)
            if number % max(1, count // 10) == 0:
                now = _at_rest(here)
                print(f"{number} reloads", *table(before, now)[2:], sep="\n", flush=True)
        print(f"{count} reloads, median {statistics.median(seconds) * 1000:.0f} ms")
        print(*table(before, _at_rest(here)), sep="\n")
        here.serving.stop()
    return 0


def _at_rest(here: Scene) -> dict[str, Sample]:
    """When nothing more is under way."""
    until(lambda: not re.search(r"[1-9]\d* (active|delayed)", asked(here, "mailq")), 30)
    time.sleep(1.0)
    return samples(here)


def _waits(seconds: list[float]) -> Iterator[str]:
    if len(seconds) > 100:
        cuts = statistics.quantiles(seconds, n=1000)
        shown = [
            ("median", cuts[499]),
            ("99 %", cuts[989]),
            ("99.9 %", cuts[998]),
            ("worst", max(seconds)),
        ]
        yield "from MAIL to the last reply: " + ", ".join(
            f"{name} {s * 1000:.0f} ms" for name, s in shown
        )


@contextmanager
def _mixed(port: int, number: int) -> Iterator[list[Load]]:
    """All kinds of clients at once."""
    stopping = threading.Event()
    loads = [
        Load(port, 4, f"small-{number}"),
        Load(port, 2, f"short-{number}", per_session=1),
        Load(port, 1, f"large-{number}", size=300_000),
    ]
    others: list[Any] = [_refused, _hanging_up, _silent]
    threads = [threading.Thread(target=_again, args=(other, port, stopping)) for other in others]
    for thread in threads:
        thread.start()
    try:
        for load in loads:
            load.__enter__()
        yield loads
    finally:
        stopping.set()
        for load in loads:
            load.stop()
        for thread in threads:
            thread.join(60)


def _again(client: Any, port: int, stopping: threading.Event) -> None:
    while not stopping.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as channel:
            client(channel, stopping)


def _refused(channel: socket.socket, stopping: threading.Event) -> None:
    for line in (
        b"EHLO x\r\n",
        b"MAIL FROM:<a@closed.test>\r\n",
        b"RCPT TO:<b@y.test>\r\n",
        b"QUIT\r\n",
    ):
        channel.sendall(line)
        channel.recv(4096)
    stopping.wait(0.05)


def _hanging_up(channel: socket.socket, stopping: threading.Event) -> None:
    channel.sendall(b"EHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nhalf a li")
    stopping.wait(0.1)


def _silent(channel: socket.socket, stopping: threading.Event) -> None:
    channel.recv(100)
    stopping.wait(3)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--reloads", type=int, default=0, help="so many reloads, without load")
    given = parser.parse_args()
    if given.reloads:
        return reloads_alone(given.reloads, given.workers)
    return soak(given.minutes, given.workers)


if __name__ == "__main__":
    sys.exit(main())
