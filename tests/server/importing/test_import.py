"""`moonpost import` over a made-up tree, and over the samples."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from moonpost.cli import main
from moonpost.importing.differences import differences
from moonpost.importing.tree import read_tree
from testkit.cases import run_lua_text

HERE = Path(__file__).parent
SAMPLES = HERE.parents[2] / "samples"
LUA = shutil.which("lua5.1")
EXAMPLES = [row for row in differences().values() if row.example]


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["import", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_report_reads_as_it_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    code, text = run("tree")
    assert code == 1
    assert text == (HERE / "report.txt").read_text(encoding="utf-8"), (
        "when the new text is right: cd tests/server/importing && moonpost import tree > report.txt"
    )


def test_json_says_every_place() -> None:
    code, text = run("--format", "json", HERE / "tree")
    found = json.loads(text)
    assert code == 1
    assert found["verdicts"] == {
        "runs": 3,
        "differs": 2,
        "missing": 1,
        "does not compile": 1,
        "not found": 1,
    }
    by_path = {script["path"]: script for script in found["scripts"]}
    assert by_path["lua/scan.lua"]["missing"] == [
        {"name": 'require "socket.http"', "line": 2},
        {"name": "msys.smpp.smpp_get_message_id_from_pdu", "line": 8},
        {"name": "msys.core.ec_unheard_of", "line": 15},
        {"name": "msys.smpp.smpp_get_message_id_from_pdu", "line": 16},
    ]
    assert by_path["lua/good.lua"]["requires"] == [
        {"name": "msys.core", "path": "", "found": True},
        {"name": "lib.words", "path": "lua/lib/words.lua", "found": True},
    ]
    assert by_path["lua/weak.lua"]["differences"] == [
        {"name": "weak tables", "line": 2},
        {"name": "starting programs", "line": 5},
    ]
    assert [one["code"] for one in by_path["lua/typo.lua"]["diagnostics"]] == ["L102"]
    assert by_path["lua/spare.lua"]["loaded"] is False
    assert found["functions"]["msys.pcre.match"]["places"] == [
        {"script": "lua/scan.lua", "line": 14},
        {"script": "lua/scan.lua", "line": 14},
    ]


def test_what_needs_work_comes_in_the_order_of_need() -> None:
    found = json.loads(run("--format", "json", HERE / "tree")[1])
    assert [script["path"] for script in found["scripts"]][:5] == [
        "lua/gone",
        "lua/typo.lua",
        "lua/scan.lua",
        "lua/weak.lua",
        "lua/spare.lua",
    ]


def test_the_samples_run_as_they_are() -> None:
    code, text = run("--format", "json", SAMPLES)
    found = json.loads(text)
    assert code == 0
    assert set(found["verdicts"]) and found["verdicts"]["runs"] == len(found["scripts"])
    assert all(one["state"] == "provided" for one in found["functions"].values())
    assert not found["problems"]


def test_a_folder_without_policy_is_bad_usage(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here\n")
    code, text = run(tmp_path)
    assert code == 2
    assert "neither Lua scripts nor script stanzas" in text


def test_nothing_is_run_or_written(tmp_path: Path) -> None:
    shutil.copytree(HERE / "tree", tmp_path / "tree")
    mark = tmp_path / "mark"
    script = tmp_path / "tree" / "evil.lua"
    script.write_text(f"io.open({json.dumps(str(mark))}, 'w'):write('ran'):close()\n")
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "tree").rglob("*"))
    run(tmp_path / "tree")
    assert not mark.exists()
    assert sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "tree").rglob("*")) == before


def test_a_link_out_of_the_tree_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "secret.lua").write_text("return 1\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "own.lua").write_text("return 1\n")
    (tree / "link.lua").symlink_to(tmp_path / "secret.lua")
    assert list(read_tree(tree).scripts) == ["own.lua"]


def test_a_name_means_the_nearest_file(tmp_path: Path) -> None:
    for path in ("a/lua/policy.lua", "b/lua/policy.lua", "b/deep/lua/policy.lua"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("return 1\n")
    tree = read_tree(tmp_path)
    assert tree.meant_by("lua.policy", "b/main.conf") == "b/lua/policy.lua"
    assert tree.meant_by("lua/policy", "b/deep/main.conf") == "b/deep/lua/policy.lua"
    assert tree.meant_by("/opt/msys/lua/policy", "main.conf") == "a/lua/policy.lua"
    assert tree.meant_by("policy.lua", "main.conf") == "a/lua/policy.lua"
    assert tree.meant_by("other", "main.conf") == ""


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row.name)
def test_a_difference_is_one(row, tmp_path: Path) -> None:
    """Fails when moonpost does as Lua does: then the row must go."""
    here = run_lua_text(row.example)
    if row.here:
        assert here == row.here
    if LUA is None:
        pytest.skip("the Debian package lua5.1 is not installed")
    program = tmp_path / "example.lua"
    program.write_text(row.example, encoding="latin-1")
    done = subprocess.run([LUA, program], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout != here
