"""Short versions of bench/kills.py and bench/soak.py: nothing acknowledged is lost, nothing grows.

A few minutes: `pytest -m long tests/long/test_staying_up.py`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
SEVERAL = pytest.mark.skipif(
    not (shutil.which("redis-server") or shutil.which("valkey-server")),
    reason="needs the Debian program redis-server or valkey-server",
)
MOST_GROWTH_MIB = 8  # what caches may still take after the first of so many reloads
MOST_MORE = 5  # descriptors and tasks: connections kept for the next letter; what leaks, leaks by the hundred here
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def run(script: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, str(BENCH / script), *options],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=SEVERAL)])
def test_random_kills_lose_nothing(workers: str) -> None:
    said = run("kills.py", "--kills", "10", "--workers", workers)
    assert "lost: 0\n" in said
    assert int(re.findall(r"acknowledged: (\d+)", said)[0]) >= 10


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=SEVERAL)])
def test_mixed_load_leaves_nothing_behind(workers: str) -> None:
    said = run("soak.py", "--minutes", "1", "--workers", workers)
    assert "lost: 0;" in said
    nothing_left(said)


def test_reloads_leave_nothing_behind() -> None:
    nothing_left(run("soak.py", "--reloads", "500"))


def nothing_left(said: str) -> None:
    """The last table of a soak: as many descriptors and tasks, and hardly more memory."""
    rows = re.findall(
        r"^\| (owner|acceptor \d) \| ([\d.]+) → ([\d.]+) MiB \| (\d+) → (\d+) \| (.*) \|$",
        said,
        re.M,
    )
    assert rows, said
    for name, start, end, before, after, tasks in rows[-1:]:
        assert float(end) - float(start) < MOST_GROWTH_MIB, f"{name}: {said}"
        assert int(after) <= int(before) + MOST_MORE, f"{name}: {said}"
        if tasks:
            first, _, last = tasks.partition(" → ")
            assert int(last) <= int(first) + MOST_MORE, said
