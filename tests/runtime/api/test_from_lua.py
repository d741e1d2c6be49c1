"""Which functions of the catalogue a test calls from compiled Lua, and which none does yet.

`tests/rows_not_from_lua.txt` names the second kind, so that the list can only be shortened knowingly. The tests are those
marked `from_lua`, in files called `test_*_rows.py`; each fails when Lua does not call what its mark names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from msys import pcre
from msys.catalog import by_name
from testkit.from_lua import watching

TESTS = Path(__file__).parents[2]
LACKING = TESTS / "rows_not_from_lua.txt"


def test_each_row_is_called_from_lua_or_listed_as_lacking(tmp_path: Path) -> None:
    found = tmp_path / "names"
    files = sorted(str(path) for path in TESTS.rglob("test_*_rows.py"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *files],
        cwd=TESTS.parent,
        env={**os.environ, "FROM_LUA_LIST": str(found)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    proved = set(found.read_text("utf-8").split())
    listed = LACKING.read_text("utf-8").split()
    assert sorted(proved - set(by_name())) == [], "marks that name no row"
    assert listed == sorted(set(by_name()) - proved), f"bring {LACKING.name} up to date"


def test_a_call_from_python_proves_nothing() -> None:
    with watching() as called:
        pcre.match("a", "a")
    assert called == set()


def test_a_marked_test_fails_when_lua_does_not_call(tmp_path: Path) -> None:
    path = tmp_path / "test_one.py"
    path.write_text(
        "import pytest\nfrom msys import pcre\n"
        '@pytest.mark.from_lua("msys.pcre.match")\ndef test_one():\n    pcre.match("a", "a")\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "testkit.from_lua", "-p", "no:cacheprovider",
         "-c", os.devnull, "--rootdir", str(tmp_path), str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "compiled Lua never called msys.pcre.match" in done.stdout
