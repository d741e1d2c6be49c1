"""Chunks to items: the same items whatever the chunk borders."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moonpost.inbound.intake import MAX_COMMAND, Chunk, Content, Intake, Item, Line
from moonpost.phases.content import Problem

PIECES = st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b".",
            b"\r\n.\r\n",
            b"\n",
            b"\r",
            b"x",
            b"..",
            b"\r\n..",
            b"\n.\n",
            b"abc",
            b"\x00\xff",
        ]
    ),
    max_size=12,
)


def split(data: bytes, borders: list[int]) -> list[bytes]:
    cuts = sorted({border % (len(data) + 1) for border in borders} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(cuts)]


def contents(chunks: list[bytes], limit: int = 0) -> tuple[Item | None, int]:
    """The content found in chunks, and how many bytes are left."""
    intake = Intake()
    intake.expect_content(limit)
    found = None
    for chunk in chunks:
        intake.feed(chunk)
        if found is None:
            found = intake.next()
    return found, len(intake)


def reference(data: bytes) -> bytes | None:
    """The stuffed content, found the slow and obvious way."""
    end = (b"\r\n" + data).find(b"\r\n.\r\n")
    return None if end < 0 else data[:end]


@given(PIECES, st.lists(st.integers(0, 60), max_size=8))
@settings(max_examples=300, deadline=None)
def test_content_does_not_depend_on_chunk_borders(pieces: list[bytes], borders: list[int]) -> None:
    data = b"".join(pieces)
    found, left = contents(split(data, borders))
    stuffed = reference(data)
    if stuffed is None:
        assert found is None
        return
    assert isinstance(found, Content)
    bare = stuffed.replace(b"\r\n", b"")
    if b"\r" in bare or b"\n" in bare:
        assert found == Content(b"", Problem.BARE_NEWLINE)
    else:
        lines = [line.removeprefix(b".") for line in stuffed.split(b"\r\n")]
        assert found == Content(b"\r\n".join(lines))
    assert left == len(data) - len(stuffed) - 3


@given(PIECES, st.lists(st.integers(0, 60), max_size=8), st.integers(1, 20))
@settings(max_examples=200, deadline=None)
def test_content_over_the_limit_is_dropped_and_its_end_still_found(
    pieces: list[bytes], borders: list[int], limit: int
) -> None:
    data = b"".join(pieces)
    found, left = contents(split(data, borders), limit)
    stuffed = reference(data)
    if stuffed is None:
        assert found is None
    elif len(stuffed) > limit:
        assert found == Content(b"", Problem.TOO_LARGE)
        assert left == len(data) - len(stuffed) - 3
    else:
        assert isinstance(found, Content)
        assert found.problem is not Problem.TOO_LARGE


def test_dropped_content_is_not_held() -> None:
    intake = Intake()
    intake.expect_content(100)
    for _ in range(50):
        intake.feed(b"x" * 1000)
        assert intake.next() is None
    assert len(intake) < 2000
    intake.feed(b"\r\n.\r\nNOOP\r\n")
    assert intake.next() == Content(b"", Problem.TOO_LARGE)
    assert intake.next() == Line("NOOP")


def test_lines_byte_by_byte() -> None:
    intake = Intake()
    found = []
    for byte in b"EHLO x\r\nN\xc3\xb6\r\n\r\nQUIT\n":
        intake.feed(bytes([byte]))
        if (item := intake.next()) is not None:
            found.append(item)
    assert found == [
        Line("EHLO x"),
        Line("N\xc3\xb6"),
        Line(""),
        Line("", Problem.BARE_NEWLINE),
    ]


def test_a_line_without_end_is_not_held() -> None:
    intake = Intake()
    for _ in range(20):
        intake.feed(b"x" * MAX_COMMAND)
        assert intake.next() is None
    assert len(intake) <= MAX_COMMAND
    intake.feed(b"\r\nNOOP\r\n")
    assert intake.next() == Line("", Problem.TOO_LARGE)
    assert intake.next() == Line("NOOP")


@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_chunk_is_exactly_its_size(size: int) -> None:
    intake = Intake()
    intake.feed(b"12345NOOP\r\n"[5 - size :])
    intake.expect_chunk(size)
    assert intake.next() == Chunk(b"12345"[5 - size :])
    assert intake.next() == Line("NOOP")


def test_a_discarded_chunk_is_gone_as_it_comes() -> None:
    intake = Intake()
    intake.expect_chunk(5, discard=True)
    intake.feed(b"123")
    assert intake.next() is None
    assert len(intake) == 0
    intake.feed(b"45NOOP\r\n")
    assert intake.next() == Chunk(b"")
    assert intake.next() == Line("NOOP")
