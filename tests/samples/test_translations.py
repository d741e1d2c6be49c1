"""The committed Python of every sample: current, typed, and known to mypy well enough to find mistakes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
COMMITTED = sorted(
    path.relative_to(SAMPLES)
    for path in SAMPLES.rglob("*.py")
    if path.with_suffix(".lua").exists()  # others are policy in Python from the start
)
ANY_SHARE = 0.2  # at most one expression in five


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the compiler makes of the samples now."""
    folder = tmp_path_factory.mktemp("translated")
    run(sys.executable, "-m", "moonpost", "compile", "-o", str(folder), str(SAMPLES))
    return folder


@pytest.fixture(scope="module")
def fresh_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translated-again")
    command = [sys.executable, "-m", "moonpost", "compile", "-o", str(folder), str(SAMPLES)]
    run(*command, PYTHONHASHSEED="1")
    return folder


def run(*command: str, check: bool = True, **environment: str) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        check=False,
        env={**os.environ, **environment},
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("path", COMMITTED, ids=str)
def test_the_committed_translation_is_current(fresh: Path, path: Path) -> None:
    current = (fresh / path).read_text(encoding="utf-8")
    assert (SAMPLES / path).read_text(encoding="utf-8") == current, (
        f"samples/{path} is stale; run: make samples"
    )


def test_every_script_has_its_translation(fresh: Path) -> None:
    assert sorted(path.relative_to(fresh) for path in fresh.rglob("*.py")) == COMMITTED


def test_the_compiler_writes_the_same_bytes_on_every_run(fresh: Path, fresh_again: Path) -> None:
    for path in sorted(fresh.rglob("*.*")):
        again = fresh_again / path.relative_to(fresh)
        assert path.read_bytes() == again.read_bytes(), path.name


def test_samples_are_strictly_typed_and_at_most_one_expression_in_five_is_any(
    tmp_path: Path,
) -> None:
    run(sys.executable, "-m", "mypy", "samples", "--any-exprs-report", str(tmp_path))
    total = (tmp_path / "any-exprs.txt").read_text(encoding="utf-8").splitlines()[-1].split()
    anys, expressions = int(total[1]), int(total[2])
    assert expressions > 500
    assert anys <= expressions * ANY_SHARE, f"{anys} of {expressions} expressions are Any"


def test_mypy_finds_a_misspelled_method_in_a_translation(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    text = (SAMPLES / "rewrite" / "policy.py").read_text(encoding="utf-8")
    assert "msg.rcptto(" in text
    planted.write_text(text.replace("msg.rcptto(", "msg.rcpto("), encoding="utf-8")
    said = run(sys.executable, "-m", "mypy", "--strict", str(planted), check=False)
    assert '"Message" has no attribute "rcpto"' in said, said


@pytest.mark.skipif(shutil.which("luac5.1") is None, reason="the Debian package lua5.1 is missing")
def test_samples_without_dialect_operators_are_plain_lua() -> None:
    for path in sorted(SAMPLES.rglob("*.lua")):
        if path.parent.name != "dialect":
            run("luac5.1", "-p", str(path))
