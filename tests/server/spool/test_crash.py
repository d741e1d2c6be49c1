"""What was acknowledged survives: a killed process, and a machine that loses what was not synced."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.testing.power import TRACE, replay

WRITER = """
import asyncio, os, sys
from pathlib import Path
from moonpost.spool.interface import Put, Remove
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.testing.check_spool import record

async def session(spool, name, count):
    for n in range(count):
        one = record(f"{name}-{n}")
        await spool.commit([Put(one, b"body of " + one.id.encode())])
        os.write(1, f"kept {one.id}\\n".encode())
        if n % 5 == 4:
            await spool.commit([Remove(one.id)])
            os.write(1, f"gone {one.id}\\n".encode())

async def main():
    spool = LmdbSpool(Path(sys.argv[1]), min_free_bytes=0)
    await asyncio.gather(*(session(spool, name, int(sys.argv[2])) for name in range(5)))
    await spool.close()

asyncio.run(main())
"""
strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def start(folder: Path, count: int, *before: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*before, sys.executable, "-c", WRITER, str(folder), str(count)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ,
    )  # fmt: skip


def promised(output: bytes) -> tuple[set[str], set[str]]:
    """Ids acknowledged as kept and not as gone; ids whose removal was acknowledged."""
    kept = set(re.findall(r"^kept (\S+)$", output.decode(), re.M))
    gone = set(re.findall(r"^gone (\S+)$", output.decode(), re.M))
    return kept - gone, gone


def held(folder: Path) -> dict[str, bytes]:
    async def main() -> dict[str, bytes]:
        spool = LmdbSpool(folder, min_free_bytes=0)
        assert spool.repaired == [] and await spool.check() == []
        found = {}
        with spool.environment.begin() as transaction:
            names = [key.decode() for key, _ in transaction.cursor(db=spool.tables["records"])]
        for name in names:
            record = await spool.get(name)
            assert record is not None
            found[name] = await spool.get_body(record)
        await spool.close()
        return found

    return asyncio.run(main())


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.3])
def test_a_killed_process_loses_nothing_it_acknowledged(after_s: float, tmp_path: Path) -> None:
    process = start(tmp_path, 100_000)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    kept, gone = promised(first + process.communicate()[0])
    assert len(kept) > 5
    found = held(tmp_path)
    # The last id of each session may have been removed without our hearing of it.
    missing = {name for name in kept if name not in found}
    assert all(int(name.partition("-")[2]) % 5 == 4 for name in missing) and len(missing) <= 5
    assert not gone & set(found)
    assert all(found[name] == b"body of " + name.encode() for name in kept - missing)


@strace
def test_what_was_acknowledged_is_there_after_a_power_cut(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    process = start(tmp_path / "spool", 6, "strace", *TRACE, "-o", str(trace))
    said = process.communicate()[0].decode().splitlines()
    kept: set[str] = set()
    removed: set[str] = set()
    checked = 0
    for number, (line, disk) in enumerate(replay(trace, "data.mdb")):
        word, _, name = line.partition(" ")
        (kept if word == "kept" else removed).add(name)
        if number % 7 and number != len(said) - 1:
            continue
        folder = tmp_path / f"cut {number}"
        folder.mkdir()
        (folder / "data.mdb").write_bytes(disk.synced)
        found = held(folder)
        # A removal may have happened without our having heard of it yet.
        missing = kept - removed - set(found)
        assert all(int(one.partition("-")[2]) % 5 == 4 for one in missing), line
        assert not removed & set(found)
        checked += 1
    assert len(kept) == 30 and len(removed) == 5 and checked >= 5


@strace
def test_the_replay_drops_what_was_not_synced(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    code = (
        "import os, sys; f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "os.pwrite(f, b'one', 0); os.write(1, b'a\\n'); os.fdatasync(f); os.write(1, b'b\\n')\n"
        "os.pwrite(f, b'TWO', 0); os.write(1, b'c\\n')"
    )
    subprocess.run(
        ["strace", *TRACE, "-o", str(trace), sys.executable, "-c", code, str(tmp_path / "x.db")],
        check=True, capture_output=True,
    )  # fmt: skip
    found = {line: bytes(disk.synced) for line, disk in replay(trace, "x.db")}
    assert found == {"a": b"", "b": b"one", "c": b"one"}
