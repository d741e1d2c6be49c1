"""The libraries inside a policy call: output, files and time go through the ports, and waiting suspends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from msys.lua import Environment, io, os, pcall, print
from msys.ports import PortError
from msys.testing.fakes import FakeClock, FakeFiles
from msys.testing.policy import policy, run_policy


def test_print_goes_to_the_paniclog_or_to_the_console(lua: Environment) -> None:
    with policy(environment=lua) as here:
        print("one", 2, None)
        lines: list[str] = []
        here.call.output = lines.append
        print("to the console")
    assert "one\t2\tnil" in here.ports.log.text
    assert lines == ["to the console"] and "console" not in here.ports.log.text


def test_time_is_the_clock_ports(lua: Environment) -> None:
    with policy(environment=lua) as here:
        assert isinstance(here.ports.clock, FakeClock)
        before = os.time()
        here.ports.clock.advance(60)
        assert os.time() == before + 60 == int(here.ports.clock.now())
        assert os.date("!%S") == os.date("!%S", before + 60)


def test_files_are_opened_through_the_file_port(lua: Environment) -> None:
    with policy(environment=lua) as here:
        here.ports.files = FakeFiles({"/policy/list.txt": b"a\nb\n"})
        assert list(io.lines("list.txt")) == ["a", "b"]
        out = io.open("out.txt", "w")
        out.write("x", 1)
        out.close()
        assert io.open("out.txt").read("*a") == "x1"
        assert io.open("none.txt") == (None, "none.txt: No such file or directory", 2)
        assert (
            pcall(io.lines, "none.txt")[1]
            == "bad argument #1 to 'lines' (none.txt: No such file or directory)"
        )


class SlowFiles:
    """Opens files after a turn of the event loop."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.turns = 0

    def open(self, uri: str, flags: int, mode: int) -> Any:
        async def opened() -> Any:
            await asyncio.sleep(0)
            self.turns += 1
            if uri == "denied":
                raise PortError("EACCES", "not yours")
            return open(self.root / uri, "r+b", buffering=0)

        return opened()


class SlowPools:
    """Runs jobs in a thread of the event loop."""

    def __init__(self) -> None:
        self.jobs = 0

    def run(self, pool: str, job: Any) -> Any:
        assert pool == "IO"
        self.jobs += 1
        return asyncio.to_thread(job)


def test_file_work_waits_in_the_pool(lua: Environment, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"line\n" * 5)
    with policy(environment=lua) as here:
        ports = here.ports
    files, pools = SlowFiles(tmp_path), SlowPools()
    ports.files, ports.pools = files, pools  # type: ignore[assignment]

    def read() -> Any:
        return [*io.lines("f")], io.open("denied")

    lines, denied = run_policy(read, ports, lua)
    assert lines == ["line"] * 5 and files.turns == 2 and pools.jobs >= 2
    assert denied == (None, "denied: Permission denied", 13)
