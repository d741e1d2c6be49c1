"""Findings of configurations reach the commands that tell of findings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def moonpost(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "moonpost", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def broken(folder: Path) -> Path:
    config = folder / "our.conf"
    config.write_text(
        'no_such_option = 1\ninbound_audit {}\nalerting {}\nscriptlet "scriptlet" { script "a" { source = "a" } }\n'
    )
    (folder / "a.lua").write_text("msys.nothing_like_this()\n")
    (folder / "a.lua").chmod(0o644)
    return config


def test_explain_knows_configuration_codes() -> None:
    done = moonpost("explain", "c513")
    assert done.returncode == 0
    assert done.stdout.startswith("C513: ")
    assert moonpost("explain", "L202").stdout.startswith("L202: ")
    assert "no diagnostic is called C999" in moonpost("explain", "C999").stderr


def test_check_puts_both_kinds_into_one_list(tmp_path: Path) -> None:
    done = moonpost("check", "--format", "json", broken(tmp_path))
    found = json.loads(done.stdout)
    assert done.returncode == 2
    (first, second) = found
    assert (first["path"], first["line"], first["column"]) == (str(tmp_path / "our.conf"), 1, 1)
    assert first["code"].startswith("C5")
    assert second["code"].startswith("L3")
    assert first.keys() == second.keys()


def test_check_puts_both_kinds_into_one_sarif_log(tmp_path: Path) -> None:
    log = json.loads(moonpost("check", "--format", "sarif", broken(tmp_path)).stdout)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    assert {rule[:2] for rule in rules} == {"L3", "C5"}


def test_serve_says_everything_that_keeps_it_from_starting(tmp_path: Path) -> None:
    config = tmp_path / "our.conf"
    config.write_text(
        'inbound_audit {}\nalerting {}\nspoolbase = "spool"\n'
        'scriptlet "scriptlet" { script "a" { source = "gone" } script "b" { source = "gone_too" } }\n'
    )
    done = moonpost("serve", config)
    assert (done.returncode, done.stdout) == (2, "")
    assert "`gone`" in done.stderr
    assert "`gone_too`" in done.stderr
    assert not (tmp_path / "spool").exists()
