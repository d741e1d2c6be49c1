"""Every entry of docs/differences.md is a difference still, and prints here what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from moonpost.cli import main
from moonpost.importing.differences import differences

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
ENTRY = re.compile(
    r"^## (?P<title>[^\n]+)\n.*?```lua\n(?P<lua>.*?)```\n\nours: `(?P<ours>[^`\n]+)`",
    re.DOTALL | re.MULTILINE,
)
ENTRIES = [(m["title"], m["lua"], m["ours"]) for m in ENTRY.finditer(PAGE.read_text("utf-8"))]

BY_THEIR_LIBRARY = {"debug.setfenv"}  # as `setfenv`
WITHOUT_A_ROW = {"print", "and", "or", ".."}  # in every script


def ours_of(path: Path) -> str:
    return CliRunner().invoke(main, ["lua", "--std", "5.1", str(path)]).output


def theirs_of(path: Path) -> str:
    done = subprocess.run(["lua5.1", path], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_the_page_has_its_entries() -> None:
    assert len(ENTRIES) == PAGE.read_text("utf-8").count("\n## ")


@pytest.mark.parametrize(("title", "lua", "ours"), ENTRIES, ids=[entry[0] for entry in ENTRIES])
def test_a_difference_is_one(title: str, lua: str, ours: str, tmp_path: Path) -> None:
    path = tmp_path / "difference.lua"
    path.write_text(lua, encoding="utf-8")
    here = ours_of(path)
    assert here.startswith(ours), here
    if shutil.which("lua5.1") is None:
        pytest.skip("lua5.1 is not installed")
    assert theirs_of(path) != here, "the difference has gone: take it off the page"


def test_the_page_and_the_table_of_the_importer_name_the_same() -> None:
    """What `moonpost import` tells of by name is on the page, and a heading that names something is in its table."""
    told = {name for row in differences().values() for name in (*row.globals, *row.keys)}
    named = set(re.findall(r"`([\w.]+)`", PAGE.read_text("utf-8")))
    assert told - named - BY_THEIR_LIBRARY == set()
    headings = {name for title, _, _ in ENTRIES for name in re.findall(r"`([\w.]+)`", title)}
    assert headings - told == WITHOUT_A_ROW
