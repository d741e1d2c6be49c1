"""Every function of the catalogue is missed when it does nothing: some test of its row fails.

One run finds which tests call which function; then each function in turn does nothing while those tests run again.
Takes some ten minutes: `pytest -m long tests/long/test_mutation.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from msys.catalog import by_name
from msys.catalog.binding import BOUND
from msys.namespace import load_all

ROOT = Path(__file__).resolve().parents[2]
WHERE = ["tests/runtime", "--ignore=tests/runtime/lua"]
MOST = 25  # tests of one function that are run; chosen: what fails at all fails among the first

load_all()
pytestmark = pytest.mark.long


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "testkit.mutation", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tests_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Which tests call the function of a row, or say that they cover it."""
    record = tmp_path_factory.mktemp("mutation") / "called"
    run("--maxfail=1000", *WHERE, CALLED_BY=str(record))
    found: dict[str, list[str]] = {}
    for line in record.read_text(encoding="utf-8").splitlines():
        name, _, test = line.partition("\t")
        found.setdefault(name, []).append(test)
    return found


@pytest.mark.parametrize("name", [name for name in by_name() if name in BOUND])
def test_a_function_that_does_nothing_is_missed(tests_of: dict[str, list[str]], name: str) -> None:
    assert tests_of.get(name), f"no test calls {name}"
    done = run(*tests_of[name][:MOST], MUTATE=name)
    assert done.returncode == 1, (
        f"{name} does nothing and no test misses it\n{done.stdout}{done.stderr}"
    )
