"""The reference pages say what the rows and docstrings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from msys.catalog import render, rows

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = render.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_up_to_date(name: str) -> None:
    path = FOLDER / name
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    assert written == PAGES[name], f"docs/reference/{name} is stale; run: {render.COMMAND}"


def test_every_row_has_its_place() -> None:
    assert PAGES["coverage.md"].count("\n| [") == len(rows())
    for row in rows():
        assert f"## `{render.signature(row)}`\n" in PAGES[f"{row.package}.md"]
