"""Every entry of docs/differences.md is a difference still, and prints here what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
ENTRY = re.compile(
    r"^## (?P<title>[^\n]+)\n.*?```lua\n(?P<lua>.*?)```\n\nours: `(?P<ours>[^`\n]+)`",
    re.DOTALL | re.MULTILINE,
)
ENTRIES = [(m["title"], m["lua"], m["ours"]) for m in ENTRY.finditer(PAGE.read_text("utf-8"))]


def printed(program: list[str], path: Path) -> str:
    done = subprocess.run(
        [*program, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def test_the_page_has_its_entries() -> None:
    assert len(ENTRIES) == PAGE.read_text("utf-8").count("\n## ")


@pytest.mark.parametrize(("title", "lua", "ours"), ENTRIES, ids=[entry[0] for entry in ENTRIES])
def test_a_difference_is_one(title: str, lua: str, ours: str, tmp_path: Path) -> None:
    path = tmp_path / "difference.lua"
    path.write_text(lua, encoding="utf-8")
    here = printed([sys.executable, "-m", "moonpost", "lua", "--std", "5.1"], path)
    assert here.startswith(ours), here
    if shutil.which("lua5.1") is None:
        pytest.skip("lua5.1 is not installed")
    assert printed(["lua5.1"], path) != here, "the difference has gone: take it off the page"
