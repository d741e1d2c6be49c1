"""Every case file: the translation prints what the case says, and what lua5.1 itself prints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lua2py import SourceFile, translate
from testkit.cases import Case, all_cases, run_lua_text

FOLDER = Path(__file__).parent / "cases"
CASES = all_cases(FOLDER)
LUA = shutil.which("lua5.1")


def _id(case: Case) -> str:
    return f"{case.path.stem}: {case.name}"


def _bytes_as_text(text: str) -> str:
    """Case files are UTF-8; Lua sees bytes."""
    return text.encode("utf-8").decode("latin-1")


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_translation_prints_what_the_case_says(case: Case) -> None:
    if case.out is not None:
        assert run_lua_text(_bytes_as_text(case.lua), case.std) == _bytes_as_text(case.out)
    translation = translate(SourceFile("case.lua", case.lua.encode("utf-8")), std=case.std)
    if "diagnostics" in case.sections:
        assert [d.code for d in translation.diagnostics] == case.sections["diagnostics"].split()
    if "python" in case.sections:
        lines = [line.strip() for line in translation.python.splitlines()]
        place = 0
        for wanted in (
            line.strip() for line in case.sections["python"].splitlines() if line.strip()
        ):
            assert wanted in lines[place:], f"no line {wanted!r} in\n{translation.python}"
            place = lines.index(wanted, place) + 1


@pytest.mark.parametrize("case", [case for case in CASES if case.out is not None], ids=_id)
def test_the_lua_view_prints_the_same(case: Case) -> None:
    assert run_lua_text(_bytes_as_text(case.lua), case.std, view="lua") == _bytes_as_text(
        case.out or ""
    )


@pytest.mark.skipif(LUA is None, reason="the Debian package lua5.1 is not installed")
def test_lua_itself_prints_what_the_cases_say(tmp_path: Path) -> None:
    """All cases that stock Lua can run, in one process each, compared all at once."""
    assert LUA is not None
    wrong = []
    for case in CASES:
        if case.std != "5.1" or case.differs or case.out is None:
            continue
        path = tmp_path / "case.lua"
        path.write_text(case.lua, encoding="utf-8")
        done = subprocess.run(
            [LUA, "case.lua"], cwd=tmp_path, capture_output=True, timeout=20, check=False, text=True
        )
        out = done.stdout
        if done.returncode:
            out += "lua: " + done.stderr.splitlines()[0].partition(": ")[2] + "\n"
        if out != case.out:
            wrong.append(f"{_id(case)}\n--- lua prints\n{out}--- case says\n{case.out}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_translation_is_the_same_on_every_run(case: Case) -> None:
    source = SourceFile("case.lua", case.lua.encode("utf-8"))
    assert translate(source, std=case.std).python == translate(source, std=case.std).python
