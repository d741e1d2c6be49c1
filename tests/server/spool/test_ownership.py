"""One server delivers from a spool; others may put mail in."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from moonpost.spool.interface import Put, SpoolError
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.testing.check_spool import B, ids, record

OTHER = """
import asyncio, sys
from pathlib import Path
from moonpost.spool.interface import Put, SpoolError
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.testing.check_spool import record

async def main():
    try:
        LmdbSpool(Path(sys.argv[1]), min_free_bytes=0)
    except SpoolError as error:
        print(error)
    spool = LmdbSpool(Path(sys.argv[1]), min_free_bytes=0, owner=False)
    await spool.commit([Put(record("from the other"), b"x")])
    await spool.close()

asyncio.run(main())
"""


def test_a_second_server_is_refused_and_a_second_receiver_is_not(tmp_path: Path) -> None:
    async def main() -> None:
        spool = LmdbSpool(tmp_path, min_free_bytes=0)
        await spool.commit([Put(record("mine"), b"x")])
        said = subprocess.run(
            [sys.executable, "-c", OTHER, str(tmp_path)],
            capture_output=True, text=True, check=True, env=os.environ,
        )  # fmt: skip
        assert "belongs to a running server" in said.stdout
        assert await ids(spool, B) == ["from the other", "mine"]
        (one, content), (gone, nothing) = spool.just_kept(["from the other", "gone"], 1)
        assert one == await spool.get("from the other") and content == b"x"
        assert gone is None and nothing is None
        assert spool.just_kept(["mine"], 0) == [(await spool.get("mine"), None)]
        await spool.close()
        again = LmdbSpool(tmp_path, min_free_bytes=0)
        assert again.count() == 2
        await again.close()

    asyncio.run(main())


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="file/spool can't be made"):
        LmdbSpool(tmp_path / "file" / "spool")
    (tmp_path / "data.mdb").write_bytes(b"rubbish" * 1000)
    with pytest.raises(SpoolError, match="can't be opened"):
        LmdbSpool(tmp_path)
    (tmp_path / "data.mdb").unlink()
    asyncio.run(LmdbSpool(tmp_path).close())
