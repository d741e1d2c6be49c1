"""kill -9 at random moments under load: what was acknowledged, what arrived, what was lost, what came twice.

    .venv/bin/python bench/kills.py [--kills 200] [--workers 2] [--clients 8] [--seed 1]

With `--workers 2` the victim is the owner of the queues or an acceptor, at random. Each kill hits a server that has
acknowledged mail since the one before. The exit code is 1 when acknowledged mail did not arrive. Mail that arrives
twice is what SMTP cannot avoid: the receiver had it, and the server died before it could note the answer.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from running import Scene, scene, until

from moonpost.testing.load import Load

DELIVERED_WITHIN_S = 120.0


@dataclass(slots=True)
class Kills:
    """What came of it."""

    killed: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    arrived: int = 0  # different messages
    lost: int = 0
    twice: int = 0  # arrivals beyond the first
    unannounced: int = 0  # arrived although the client was never told: it will send again
    seconds: float = 0.0

    def lines(self) -> list[str]:
        victims = ", ".join(f"{count} {name}" for name, count in sorted(self.killed.items()))
        return [
            f"killed: {victims}, in {self.seconds:.0f} s",
            f"acknowledged: {self.acknowledged}",
            f"lost: {self.lost}",
            f"arrived: {self.arrived}, of them without an acknowledgement: {self.unannounced}",
            f"arrived again: {self.twice}",
        ]


def kills(count: int, workers: int = 1, clients: int = 8, seed: int = 1) -> Kills:
    """Kill the server so often."""
    chance = random.Random(seed)
    began = time.monotonic()
    result = Kills()
    with scene(workers) as here:
        here.serving.start()
        with Load(here.port, clients) as load:
            for _ in range(count):
                before = len(load.acknowledged)
                until(lambda before=before: len(load.acknowledged) > before, 60)
                time.sleep(chance.uniform(0, 0.3))
                result.killed[_kill(here, chance)] += 1
        acknowledged, arrivals = load.acknowledged, here.arrivals.counts
        until(lambda: acknowledged <= arrivals.keys(), DELIVERED_WITHIN_S)
        here.serving.stop()
        result.acknowledged = len(acknowledged)
        result.arrived = len(arrivals)
        result.lost = len(acknowledged - arrivals.keys())
        result.unannounced = len(arrivals.keys() - acknowledged)
        result.twice = arrivals.total() - len(arrivals)
    result.seconds = time.monotonic() - began
    return result


def _kill(here: Scene, chance: random.Random) -> str:
    processes = here.processes()
    kind = chance.choice([kind for kind, each in processes.items() if each])
    if kind == "owner":
        here.serving.kill()
        here.serving.start()
    else:
        victim = chance.choice(processes[kind])
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in here.processes()[kind], 30)
    return kind


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    result = kills(given.kills, given.workers, given.clients, given.seed)
    print(*result.lines(), sep="\n")
    return 1 if result.lost else 0


if __name__ == "__main__":
    sys.exit(main())
