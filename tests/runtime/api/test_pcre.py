"""Patterns: what match, replace and split answer, compared with Python's re where both agree."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msys import pcre
from msys.lua import LuaError, Table, u8


@pytest.mark.row("msys.pcre.match")
def test_match_gives_the_whole_the_groups_and_the_names() -> None:
    found, problem, offset = pcre.match("to ann@example.test now", r"(?<user>\w+)@(\w+)\.(x)?")
    assert (problem, offset) == (None, None)
    assert isinstance(found, Table)
    assert dict(found) == {0: "ann@example.", 1: "ann", 2: "example", "user": "ann"}
    assert found[3] is None
    assert pcre.match("a", "b") == (None, None, None)


def test_utf8_and_other_bytes_both_match() -> None:
    assert pcre.match(u8("größe"), u8("^gr.(ß)e$"))[0][1] == u8("ß")
    assert pcre.match("gr\xf6", "^gr.$")[0][0] == "gr\xf6"


def test_a_bad_pattern_is_nil_text_and_offset() -> None:
    for function in (
        lambda: pcre.match("x", "a(b"),
        lambda: pcre.replace("x", "a(b", "c"),
        lambda: pcre.split("x", "a(b"),
    ):
        value, problem, offset = function()
        assert value is None and "parenthesis" in problem and offset == 3


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        ("<$1>", "<a>-<b>"),
        ("<$0>", "<a1>-<b2>"),
        ("${digit}${1}", "1a-2b"),
        ("\\2\\1", "1a-2b"),
        ("\\$1 \\\\", "$1 \\-$1 \\"),
        ("$9", "-"),
        (lambda found: (found[2] == "1" and "one") or None, "one-b2"),
        (lambda found: False, "a1-b2"),
    ],
)
def test_replacements(replacement, expected: str) -> None:
    assert pcre.replace("a1-b2", r"(\w)(?<digit>\d)", replacement)[0] == expected


def test_replace_without_match_and_with_a_limit() -> None:
    assert pcre.replace("abc", "x", "y") == ("abc", None, None)
    assert pcre.replace("aaa", "a", "b", 2)[0] == "bba"


@given(st.text("ab,; ", max_size=30))
def test_split_is_pythons_without_empty_pieces(subject: str) -> None:
    found = pcre.split(subject, "[,;]+")[0]
    assert list(found.values()) == [piece for piece in re.split("[,;]+", subject) if piece]


@pytest.mark.row("msys.pcre.replace")
@given(st.text("aab", max_size=30))
def test_replace_is_pythons(subject: str) -> None:
    assert pcre.replace(subject, "a+?b", "<$0>")[0] == re.sub("a+?b", r"<\g<0>>", subject)


@pytest.mark.row("msys.pcre.split")
def test_split_edges() -> None:
    assert pcre.split("a", "")[1:] == ("an empty pattern was provided", 0)
    assert list(pcre.split("a,b,c", ",", 2)[0].values()) == ["a", "b,c"]
    assert list(pcre.split("abc", "x*")[0].values()) == ["a", "b", "c"]


def test_nil_is_refused_by_name() -> None:
    with pytest.raises(LuaError, match="bad argument #1 to 'match'"):
        pcre.match(None, "x")
    with pytest.raises(LuaError, match="bad argument #3 to 'replace'"):
        pcre.replace("x", "x", None)
