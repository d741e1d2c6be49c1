"""Shared state in a real Redis: the suite of every state, and what two workers see of each other."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("redis", reason="needs the extra 'redis'")

from moonpost.adapters.redis_state import RedisState
from moonpost.adapters.state import state_for
from msys.ports import PortError
from msys.ports.memory_state import MemoryState
from msys.testing import check_ports as check


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """A redis-server of its own on a Unix socket."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("needs the Debian program redis-server or valkey-server")
    folder: Path = tmp_path_factory.mktemp("redis")
    path = folder / "s"
    running = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket(socket.AF_UNIX) as probe:
                if path.exists() and probe.connect_ex(str(path)) == 0:
                    break
            time.sleep(0.02)
        yield f"unix://{path}"
    finally:
        running.terminate()
        running.wait(10)


class Moment:
    """A clock both workers look at."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


def test_redis_state(server: str) -> None:
    async def scene() -> None:
        moment = Moment()
        state = RedisState(server, moment, prefix="suite:")
        try:
            await check.check_state(state, moment.advance)
        finally:
            await state.close()

    asyncio.run(scene())


def test_two_workers_count_together(server: str) -> None:
    async def scene() -> None:
        moment = Moment()
        one, two = (RedisState(server, moment, prefix="two:") for _ in "ab")
        try:
            await asyncio.gather(*(worker.counter_add("/c", 1) for worker in (one, two) * 50))
            assert await one.counter_read("/c") == 100
            for worker in one, two:
                worker.gauge_define("g", 10, 60, True)
                worker.series_define("s", "cidr", 60, 2, {})
            await asyncio.gather(*(worker.gauge_add("g", "k", 1) for worker in (one, two) * 20))
            assert await two.gauge_get("g", "k") == 40
            await one.series_add("s", "192.0.2.1", 1)
            await two.series_add("s", "192.0.2.2", 1)
            assert await one.series_count("s", "192.0.2.0/24", 0, 0) == 2
            assert await one.series_count("s", "192.0.0.0/8", 0, 0) == 2
            await one.share_set("k", "\xff")
            assert await two.share_get("k") == "\xff"
        finally:
            await one.close()
            await two.close()

    asyncio.run(scene())


def test_a_dead_server_is_a_port_error(tmp_path: Path) -> None:
    async def scene() -> None:
        state = RedisState(f"unix://{tmp_path}/none", time.time)
        with pytest.raises(PortError, match="shared state"):
            await state.counter_add("/c", 1)
        await state.close()

    asyncio.run(scene())


def test_without_a_url_state_stays_in_the_process(server: str) -> None:
    assert isinstance(state_for(None, time.time)[0], MemoryState)
    assert isinstance(state_for(server, time.time)[0], RedisState)
