"""Bytes, lines, spans and excerpts of a source file."""

from __future__ import annotations

import hashlib

import pytest

from lua2py.source import SourceFile

TEXT = "one\ntwo\r\nthree\rfour\n\rfive"


def test_lines_are_counted_as_lua_counts_them() -> None:
    source = SourceFile("a.lua", TEXT.encode())
    assert [source.line(number) for number in range(8)] == [
        "",
        "one",
        "two",
        "three",
        "four",
        "five",
        "",
        "",
    ]


def test_positions_begin_at_one_and_every_offset_has_one() -> None:
    source = SourceFile("a.lua", TEXT.encode())
    for offset in range(len(TEXT) + 1):
        line, column = source.position(offset)
        assert source.line_starts[line - 1] + column - 1 == offset
    assert source.position(0) == (1, 1)
    assert source.position(TEXT.index("five")) == (5, 1)


@pytest.mark.parametrize("start", range(0, len(TEXT) + 1, 3))
def test_a_span_knows_both_its_ends(start: int) -> None:
    source = SourceFile("a.lua", TEXT.encode())
    for end in range(start, len(TEXT) + 1):
        span = source.span(start, end)
        assert (span.line, span.column) == source.position(start)
        assert (span.end_line, span.end_column) == source.position(end)


@pytest.mark.parametrize(
    ("text", "piece", "line", "carets"),
    [
        ("x = = 1", "= 1", "x = = 1", "    ^^^"),
        ("\tif x", "x", "    if x", "       ^"),
        ("a = 'caf\xc3\xa9' .. b", "b", "a = 'café' .. b", " " * 14 + "^"),
        ("a = '\xff\x01' .. b", "b", "a = '\\xff\\x01' .. b", " " * 18 + "^"),
        ("f(1,\n  2)", "(1,\n  2)", "f(1,", " ^^^"),
    ],
)
def test_an_excerpt_has_carets_under_the_place(
    text: str, piece: str, line: str, carets: str
) -> None:
    source = SourceFile.of_text(text)
    start = text.rindex(piece)
    assert source.excerpt(source.span(start, start + len(piece))) == (line, carets)


def test_an_excerpt_at_the_end_has_one_caret() -> None:
    source = SourceFile.of_text("x =")
    assert source.excerpt(source.span(3, 3)) == ("x =", "   ^")


def test_any_byte_is_a_character() -> None:
    data = bytes(range(256))
    source = SourceFile("a.lua", data)
    assert [ord(char) for char in source.text] == list(data)
    assert source.sha256 == hashlib.sha256(data).hexdigest()
