"""What several processes cost: processor time of receiving and delivering, one process against an owner with acceptors.

    .venv/bin/python bench/processes.py [--rounds 5] [--count 1000] [--workers 2]

Both servers run all the time and are loaded in turns by twenty sessions of `smtp-source`; the figure is the user and
system time of all processes of a server, delivery included, for a thousand messages of 4 KB, and the ratio the median
of those within a round. Messages per second stand beside it: they mean something only where processors are free.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from running import Scene, scene, until

TICKS = os.sysconf("SC_CLK_TCK")
SIZE = 4096


def cpu_s(here: Scene) -> float:
    """User and system time of all processes so far."""
    total = 0
    for processes in here.processes().values():
        for process in processes:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def load(here: Scene, count: int) -> tuple[float, float]:
    """Seconds of processor for a thousand messages, and messages per second until all were acknowledged."""
    before, began = cpu_s(here), time.monotonic()
    arrived = here.arrivals.total + count
    sending = [
        "smtp-source",
        "-s",
        "20",
        "-m",
        str(count),
        "-l",
        str(SIZE),
        "-f",
        "a@x.test",
        "-t",
        "b@y.test",
    ]
    subprocess.run([*sending, f"127.0.0.1:{here.port}"], check=True)
    rate = count / (time.monotonic() - began)
    if not until(lambda: here.arrivals.total >= arrived, 120):
        sys.exit(
            f"{arrived - here.arrivals.total} messages did not arrive: the figures mean nothing"
        )
    time.sleep(0.5)  # what is left to do after the last one counts too
    return (cpu_s(here) - before) * 1000 / count, rate


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if shutil.which("smtp-source") is None:
        sys.exit("smtp-source is missing: apt-get install postfix")
    with scene(1) as one, scene(given.workers) as several:
        for here in (one, several):
            here.serving.start()
            load(here, given.count // 4)  # warm-up
        rounds = [(load(one, given.count), load(several, given.count)) for _ in range(given.rounds)]
    ratios = [b[0] / a[0] for a, b in rounds]
    for name, at in (("one process", 0), (f"owner and {given.workers} acceptors", 1)):
        cpu = statistics.median(each[at][0] for each in rounds)
        rate = statistics.median(each[at][1] for each in rounds)
        print(f"{name}: {cpu:.2f} s/1000, {rate:.0f} messages/s")
    print(f"ratio: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
