"""Mistakes of an operator: told all at once, with file, line and caret; a running server goes on as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from testkit.small_server import (
    callout,
    moonpost,
    reply_to_mail,
    small_server,
    until,
    write_policy,
)

REFUSE = """\
  if vctx:get(msys.core.VCTX_MESS, "mailfrom_domain") == "no.test" then
    vctx:set_code(550, "5.7.1 no")
  end"""
GOOD = callout("validate_mailfrom", "str, ac, vctx", REFUSE, script="judge")
# what is wrong -> script text, place, what is under the caret
WRONG_SCRIPTS = {
    "syntax": ("local function f(\n  return 1\nend\n", "judge.lua:2:3:", "return"),
    "unknown function": (GOOD.replace("set_code", "set_cod"), "judge.lua:5:", "set_cod"),
    "unknown callout": (
        GOOD.replace("validate_mailfrom", "validate_mailform"),
        "judge.lua:3:",
        "validate_mailform",
    ),
    "table without module": ("msys.registerModul('judge', {})\n", "judge.lua:1:", "registerModul"),
}


def test_check_shows_every_wrong_script_with_line_and_caret(tmp_path: Path) -> None:
    folders = [tmp_path / name.replace(" ", "_") for name in WRONG_SCRIPTS]
    for folder, (text, _, _) in zip(folders, WRONG_SCRIPTS.values(), strict=True):
        folder.mkdir()
        write_policy(folder / "judge.lua", text)
    done = moonpost("check", *folders)
    assert done.returncode == 1, done.stdout + done.stderr
    for folder, (_, place, marked) in zip(folders, WRONG_SCRIPTS.values(), strict=True):
        assert_shown(done.stdout + done.stderr, f"{folder.name}/{place}", marked)


def assert_shown(said: str, place: str, marked: str) -> None:
    """The place, the source line, and a caret under what is wrong in it."""
    lines = said.splitlines()
    at = next((n for n, line in enumerate(lines) if place in line), None)
    assert at is not None, f"{place} is not in:\n{said}"
    source, carets = lines[at + 1], lines[at + 2]
    begin = carets.index("^")
    assert marked in source[begin : begin + carets.count("^")], said


def test_check_tells_every_mistake_of_a_configuration_at_once(tmp_path: Path) -> None:
    options = "retry_intervall = 5\nretry_interval = soon\n"
    server = small_server(tmp_path, {"judge": WRONG_SCRIPTS["syntax"][0]}, options=options)
    done = moonpost("check", server.config)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert_shown(said, "ecelerity.conf:9:1:", "retry_intervall")
    assert "did you mean `Retry_Interval`?" in said
    assert_shown(said, "ecelerity.conf:10:", "soon")
    assert_shown(said, "judge.lua:2:3:", "return")


@pytest.mark.parametrize(
    ("options", "script", "place"),
    [
        ("", WRONG_SCRIPTS["syntax"][0], "judge.lua:2:3:"),
        ("", "error('not today')\n", "judge.lua:1: not today"),
        ("retry_intervall = 5\n", GOOD, "ecelerity.conf:9:1:"),
        ("", GOOD.replace('"judge"', '"jury"').replace("mod)", "5)"), "judge.lua:9"),
    ],
    ids=["syntax", "error at load", "unknown key", "no table"],
)
def test_the_server_does_not_start(tmp_path: Path, options: str, script: str, place: str) -> None:
    server = small_server(tmp_path, {"judge": script}, options=options)
    done = moonpost("serve", server.config)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert place in done.stderr
    assert "Traceback" not in done.stderr.replace("stack traceback", "")


def test_a_missing_configuration_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = moonpost("serve", tmp_path / "nothing.conf")
    assert done.returncode == 2
    assert "nothing.conf" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_running_server_keeps_its_policy_when_the_new_one_is_broken(tmp_path: Path) -> None:
    broken = {
        "judge.lua:2:3:": WRONG_SCRIPTS["syntax"][0],
        "judge.lua:1: not today": "error('not today')\n",
        "registerModule": 'msys.registerModule("judge", 5)\n',
    }
    with small_server(tmp_path, {"judge": GOOD}) as server:
        server.start()
        for told, text in broken.items():
            write_policy(tmp_path / "judge.lua", text)
            server.reload()
            assert until(lambda t=told: t in server.errors.read_text(encoding="utf-8"))
            assert reply_to_mail(server.port, "ann@no.test")[0] == 550
        write_policy(tmp_path / "judge.lua", GOOD.replace("550", "551"))
        server.reload()
        assert until(lambda: reply_to_mail(server.port, "ann@no.test")[0] == 551)
        assert server.stop() == 0


def test_a_running_server_keeps_its_configuration_when_the_new_one_is_broken(
    tmp_path: Path,
) -> None:
    with small_server(tmp_path, {"judge": GOOD}) as server:
        server.start()
        server.edit("retry_interval = 1", "retry_interval = 1\nretry_intervall = 5")
        server.reload()
        assert until(lambda: "ecelerity.conf:9:1:" in server.errors.read_text(encoding="utf-8"))
        assert reply_to_mail(server.port, "ann@no.test")[0] == 550
        assert server.stop() == 0
