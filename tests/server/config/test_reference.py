"""The reference page is made from the tables."""

from __future__ import annotations

from moonpost.config.render import COMMAND, PAGE, page


def test_the_reference_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"stale; run {COMMAND}"
