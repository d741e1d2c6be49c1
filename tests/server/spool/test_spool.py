"""Every spool passes the conformance suite."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.spool.memory import MemorySpool
from moonpost.testing.check_spool import CHECKS, Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", ["memory", "lmdb"])
def test_a_spool_keeps_its_promises(kind: str, check: Check, tmp_path: Path) -> None:
    made = {"memory": MemorySpool, "lmdb": lambda: LmdbSpool(tmp_path / "spool", min_free_bytes=0)}
    asyncio.run(check(made[kind]))
