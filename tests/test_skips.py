"""Continuous integration does not let a test fall silent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.skips import ALLOWED, allowed_patterns

TESTS = Path(__file__).parent


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_an_unlisted_skip_fails_the_run_in_ci_alone(tmp_path: Path, ci: str, code: int) -> None:
    test = tmp_path / "test_silent.py"
    test.write_text("import pytest\ndef test_silent():\n    pytest.skip('no nsd')\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "testkit.skips", "--rootdir", tmp_path, test],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(TESTS)},
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert ("test_silent.py::test_silent: Skipped: no nsd" in done.stdout) == bool(ci)


def test_every_allowed_skip_still_exists() -> None:
    for pattern in allowed_patterns(ALLOWED.read_text(encoding="utf-8")):
        file, _, name = pattern.partition("::")
        text = (TESTS.parent / file).read_text(encoding="utf-8")
        assert f"def {name.partition('?')[0]}(" in text, f"{pattern}: no such test any more"
