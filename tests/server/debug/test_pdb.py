"""pdb through a pipe, in both views: where it stops, what it shows, how it goes on and ends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest


def talk(start: Any, *arguments: str | Path, say: str) -> tuple[list[str], str, int]:
    """Answers to each command (the first: before any), standard error, exit code."""
    process = start(*arguments)
    out, errors = process.communicate(say.replace("; ", "\n").encode() + b"\n", timeout=60)
    return out.decode().split("(Pdb) "), errors.decode(), process.returncode


def stops(answers: list[str]) -> list[tuple[int, str]]:
    """Line and function of each stop in a policy file."""
    return [
        (int(line), function)
        for answer in answers
        for line, function in re.findall(r"^> \S+policy\.lua\((\d+)\)(\S+)\(\)", answer, re.M)
    ]


def test_it_stops_in_the_first_line_of_the_first_callout(start: Any, folder: Path) -> None:
    answers, _, code = talk(start, folder, say="p ac.remote_addr.ip; c")
    assert stops(answers[:1]) == [(15, "validate_connect")]
    assert "-> local total = 0 -- line 15" in answers[0]
    assert answers[1].strip() == "'127.0.0.1'"
    assert "accepted: 250" in answers[2]
    assert code == 0


def test_it_steps_through_lua_lines_and_shows_lua(start: Any, folder: Path) -> None:
    answers, _, _ = talk(start, folder, say="n; n; s; w; l; p n; r; n; q")
    assert stops(answers)[:4] == [
        (15, "validate_connect"),
        (16, "validate_connect"),
        (17, "validate_connect"),
        (5, "double"),
    ]
    where = answers[4]
    assert [line for line, _ in re.findall(r"policy\.lua\((\d+)\)(\w+)", where)] == ["17", "5"]
    assert "moonpost" not in where  # the frames of the server are left out
    assert re.search(r"^  5  ->\s+local twice = n \* 2 -- line 5$", answers[5], re.M)
    assert answers[6].strip() == "1"
    assert "policy.lua(6)double()->2" in answers[7]


def test_a_breakpoint_holds_locals_and_conditions(start: Any, folder: Path) -> None:
    answers, _, _ = talk(
        start, folder, "-b", "mine/policy.lua:6, twice == 4", say="p twice; up; p total; c"
    )
    assert stops(answers[:1]) == [(6, "double")]
    assert answers[1].strip() == "4"
    assert answers[3].strip() == "2"


def test_breakpoints_are_set_on_the_way(start: Any, folder: Path) -> None:
    answers, _, _ = talk(start, folder, say="b policy.lua:25; c; n; p total; cl 1; c")
    assert "Breakpoint 1 at" in answers[1]
    assert stops([answers[2]]) == [(25, "validate_ehlo")]
    assert answers[4].strip() == "'12'"


def test_a_line_without_code_means_the_next_one(start: Any, folder: Path) -> None:
    answers, _, _ = talk(start, folder, say="b policy.lua:9; b policy.lua:99; q")
    assert "line 9 has no code; the next one with code is 10" in answers[1]
    assert "has no code at or after line 99" in answers[2]


def test_it_steps_over_a_call_that_suspends(start: Any, folder: Path) -> None:
    answers, _, _ = talk(start, folder, "-b", "policy.lua:19", say="n; p err; n; n; q")
    assert stops(answers)[:2] == [(19, "validate_connect"), (20, "validate_connect")]
    assert answers[2].strip() == "'NXDOMAIN'"


def test_stepping_past_a_callout_reaches_the_next_one(start: Any, folder: Path) -> None:
    answers, _, _ = talk(start, folder, "-b", "policy.lua:21", say="n; n; q")
    assert "--Return--" in answers[1]
    assert stops([answers[2]]) == [(25, "validate_ehlo")]


def test_breakpoints_reach_init_and_main_chunks(start: Any, folder: Path) -> None:
    answers, _, _ = talk(start, folder, "-b", "policy.lua:11", "-b", "policy.lua:29", say="c; c")
    assert stops(answers[:2]) == [(29, "<module>"), (11, "init")]


def test_variables_can_be_changed(start: Any, folder: Path) -> None:
    answers, _, _ = talk(start, folder, "-b", "policy.lua:19", say="!total = 7; c")
    assert "connection context total: 7" in answers[-1]


def test_the_python_view_steps_through_generated_lines(start: Any, folder: Path) -> None:
    answers, _, code = talk(
        start, folder, "--view", "py", say="b mine/policy.lua:6; c; p twice; w; c; cl 1; c"
    )
    assert re.search(r"^> \S+\.py\(\d+\)validate_connect\(\)\n-> total = 0", answers[0], re.M)
    assert re.search(r"^> \S+\.py\(\d+\)double\(\)\n-> return twice", answers[2], re.M)
    assert answers[3].strip() == "2"
    assert "validate_connect()" in answers[4]
    assert code == 0


def test_breakpoints_of_the_command_line_work_in_the_python_view(start: Any, folder: Path) -> None:
    answers, _, _ = talk(start, folder, "--view", "py", "-b", "policy.lua:25", say="n; p total; c")
    assert "validate_ehlo()" in answers[0]
    assert answers[2].strip() == "'12'"


def test_quitting_ends_it_quietly(start: Any, folder: Path) -> None:
    for say in ("q", ""):  # told to, or the input ended
        answers, errors, code = talk(start, folder, say=say)
        assert "Traceback" not in "".join(answers) + errors
        assert code == 0


def test_an_unknown_file_is_said_and_mail_goes_on(start: Any, folder: Path) -> None:
    answers, _, code = talk(start, folder, "-b", "other.lua:1", say="")
    assert "no policy file is called other.lua" in answers[0]
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-b", "nowhere"], "expected FILE:LINE"),
        (["--dap", "0.0.0.0:5678"], "listens on loopback"),
        (["--dap", "mail.example.com:5678"], "listens on loopback"),
        (["--dap", "127.0.0.1"], "expected HOST:PORT"),
        (["--dap", "127.0.0.1:0", "--pdb"], "leaves breakpoints to the editor"),
        (["--message", "/nowhere.eml"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(
    start: Any, folder: Path, arguments: list[str], words: str
) -> None:
    _, errors, code = talk(start, folder, *arguments, say="")
    assert code == 2
    assert words in " ".join(errors.split())
