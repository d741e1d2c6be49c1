"""`moonpost compile --explain`: why a helper stands, for a file or one line of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moonpost.cli.compile import command

POLICY = "local limits = load_limits()\nlocal n = 1\nprint(n + 1,\n  limits.all + 1)\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.lua"
    path.write_text(POLICY)
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, words)])


def test_every_helper_of_a_file_has_a_line(policy: Path) -> None:
    done = run("--explain", policy)
    assert done.exit_code == 0
    first, *_, add = done.output.splitlines()
    assert first.startswith(f"{policy}:1:16: first: one result is wanted")
    assert add.startswith(f"{policy}:4:3: add: plain Python needs a number: `limits.all` may be")
    assert not policy.with_suffix(".py").exists()


def test_one_line_is_told_alone(policy: Path) -> None:
    assert run("--explain", f"{policy}:4").output.count("\n") == 1
    assert run("--explain", f"{policy}:2").output == (
        f"{policy}:2: plain Python, no helper stands in its place\n"
    )


def test_other_files_count_for_what_they_share(policy: Path, tmp_path: Path) -> None:
    policy.write_text("total = 1\nfunction up() total = total + 1 end\n")
    other = tmp_path / "other.lua"
    other.write_text("total = 'many'\n")
    assert "no helper" in run("--explain", policy).output
    assert "a global, which any file may assign" in run("--explain", policy, other).output


def test_what_cannot_be_explained_is_said(policy: Path, tmp_path: Path) -> None:
    missing = run("--explain", tmp_path / "none.lua")
    assert (missing.exit_code, "there is no file" in missing.output) == (2, True)
    policy.write_text("local = 1\n")
    broken = run("--explain", policy)
    assert (broken.exit_code, "L102" in broken.output) == (1, True)
    assert run().exit_code == 2
