"""Line coverage of Lua policy, as coverage.py measures and reports it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import coverage
import pytest

SETTINGS = """\
[run]
plugins = moonpost.coverage_plugin
concurrency = greenlet
data_file = {folder}/data
source = {folder}/policy
"""
PROGRAM = """\
-- the lines of a comment are not code
local function sign(n)
  if n < 0 then
    return "minus"
  elseif n == 0 then
    return "zero"
  end
  return "plus"
end

local co = coroutine.wrap(function()
  coroutine.yield(sign(1))
  error("never resumed")
end)

print(co())
for i = 1, 0 do
  print(i)
end
local unused = function()
  return 1
end
print(pcall(function()
  error({ code = 5 })
end))
"""
MISSING = [4, 6, 13, 18, 21]
POLICY = """\
require("msys.core")
local mod = {}

function mod:validate_mailfrom(str, ac, vctx)
  local answers = msys.dnsLookup("listed.example.test", "a")
  if answers then
    vctx:set_code(550, "5.7.1 listed")
    return msys.core.VALIDATE_DONE
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("policy", mod)
"""


class Measured:
    """A folder with policy, and what coverage.py says of it after a run."""

    def __init__(self, folder: Path) -> None:
        self.policy = folder / "policy"
        self.policy.mkdir()
        self.settings = folder / "coverage.ini"
        self.settings.write_text(SETTINGS.format(folder=folder), encoding="utf-8")

    def write(self, name: str, text: str) -> Path:
        path = self.policy / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return path

    def run(self, *words: str | Path) -> str:
        """A moonpost command under `coverage run`."""
        command = [sys.executable, "-m", "coverage", "run", f"--rcfile={self.settings}"]
        done = subprocess.run(
            [*command, "-m", "moonpost", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.policy,
        )
        assert not done.stderr, done.stderr
        return done.stdout

    def analysis(self, path: Path) -> tuple[list[int], list[int]]:
        """Lines that are code, and those that did not run."""
        measured = coverage.Coverage(config_file=str(self.settings))
        measured.load()
        _, statements, _, missing, _ = measured.analysis2(str(path))
        return statements, missing


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    return Measured(tmp_path)


@pytest.mark.parametrize("view", ["py", "lua"])
def test_the_lines_that_ran_are_told_in_both_views(measured: Measured, view: str) -> None:
    program = measured.write("program.lua", PROGRAM)
    assert measured.run("lua", "--view", view, program).startswith("plus\nfalse\ttable")
    statements, missing = measured.analysis(program)
    assert missing == MISSING
    assert {1, 10, 15}.isdisjoint(statements)


def test_policy_that_waits_is_covered(measured: Measured) -> None:
    policy = measured.write("policy.lua", POLICY)
    said = measured.run("sim", policy, "--dns", "listed.example.test=A=127.0.0.2")
    assert "550 5.7.1 listed" in said
    assert measured.analysis(policy)[1] == [10]
    measured.run("sim", policy)
    assert measured.analysis(policy)[1] == [7, 8]


def test_a_script_that_never_ran_counts_as_not_covered(measured: Measured) -> None:
    measured.write("policy.lua", POLICY)
    spare = measured.write("spare.lua", "local x = 1\nprint(x)\n")
    broken = measured.write("broken.lua", "local x = = 1\n")
    measured.run("sim", measured.policy / "policy.lua")
    assert measured.analysis(spare) == ([1, 2], [1, 2])
    assert measured.analysis(broken) == ([], [])


def test_the_report_names_lua_files(measured: Measured) -> None:
    measured.write("policy.lua", POLICY)
    measured.run("sim", measured.policy / "policy.lua")
    done = subprocess.run(
        [sys.executable, "-m", "coverage", "report", "-m", f"--rcfile={measured.settings}"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=measured.policy,
    )
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("policy.lua"))
    assert row.endswith("7-8")
