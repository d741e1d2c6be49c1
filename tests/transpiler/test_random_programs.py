"""Random programs print here what they print under lua5.1, errors with their lines included.

`testkit.compare` runs one seed by hand and shortens what it finds.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from testkit.compare import Difference, compared, differences, shortened
from testkit.oracle import needs_lua

FEW = {  # chosen: half a minute of processor time for each kind; the last kind takes five seconds
    "plain": 1500,
    "deep": 500,
    "scopes": 150,
}
MANY = 500  # programs of one kind in a part of the long run: 200 parts, 100,000 programs


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Two: each learns the grammar once, from one kind."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool


def told(found: list[Difference]) -> str:
    return "\n".join([f"{len(found)} differ", *map(str, found[:10])])


@needs_lua
@pytest.mark.timeout(600)  # on a machine that does other things as well
def test_programs_print_what_they_print_under_lua(processes: ProcessPoolExecutor) -> None:
    parts = [processes.submit(differences, kind, range(count)) for kind, count in FEW.items()]
    found = [difference for part in parts for difference in part.result()]
    assert not found, told(found)


@needs_lua
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, 50_000, MANY))
@pytest.mark.parametrize("kind", FEW)
def test_a_hundred_thousand_programs(kind: str, first: int) -> None:
    found = differences(kind, range(first, first + MANY))
    assert not found, told(found)


@needs_lua
def test_a_difference_is_seen_and_shortened() -> None:
    """The comparison itself: the order of `pairs` is a difference that every run has."""
    text = (
        "local t = {}\nlocal unused = 1\n"
        "for _, word in ipairs { 'one', 'two', 'three', 'four', 'five' } do t[word] = true end\n"
        "show(unused)\nfor word in pairs(t) do show(word) end\n"
    )
    (found,) = compared(["by hand"], [text])
    short = shortened(found).text
    assert "unused" not in short and "pairs(t)" in short
