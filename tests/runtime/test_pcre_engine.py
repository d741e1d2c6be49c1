"""PCRE over bytes: what matches, what is replaced, what is stopped."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msys.lua import u8
from msys.pcre_engine import BadPattern, search_bytes, substitute_bytes
from msys.ports import PolicyLimit


def test_the_match_table_has_whole_captures_and_names() -> None:
    found = search_bytes(b"x=1 y=22", r"(?<name>y)=(\d+)(z)?")
    assert found is not None
    assert dict(found) == {0: "y=22", 1: "y", 2: "22", "name": "y"}
    assert search_bytes(b"abc", "x") is None


def test_utf8_on_both_sides_matches_characters_and_anything_else_bytes() -> None:
    text = "Grüße".encode()
    assert search_bytes(text, "^.....$") is not None
    assert search_bytes(text, u8("(?i)GRÜßE")) is not None
    assert search_bytes(text + b"\xff", "^.....$") is None
    assert search_bytes(b"caf\xe9", "caf\xe9$") is not None
    assert search_bytes("€".encode(), r"\x{20ac}") is not None


@pytest.mark.parametrize(
    ("replacement", "wanted"),
    [
        ("$1", "bnd"),
        ("${1}x", "bxnxdx"),
        ("\\1", "bnd"),
        ("$0$0", "ababananadad"),
        ("$9|$nope${nope}", "|$nope|$nope|$nope"),
        ("\\$1 \\\\", "$1 \\$1 \\$1 \\"),
        ("${c}", "bnd"),
        ("$", "$$$"),
        ("", ""),
    ],
)
def test_references_in_replacements(replacement: str, wanted: str) -> None:
    assert substitute_bytes(b"abanad", "a(?<c>[a-z])", replacement) == (wanted.encode(), 3)


def test_no_match_gives_the_same_object() -> None:
    subject = b"abc"
    assert substitute_bytes(subject, "x", "y")[0] is subject


def test_at_most_so_many_are_replaced() -> None:
    assert substitute_bytes(b"aaaa", "a", "b", 2) == (b"bbaa", 2)


def test_a_bad_pattern_tells_where() -> None:
    with pytest.raises(BadPattern) as caught:
        search_bytes(b"x", "ab(c")
    assert caught.value.offset == 4
    with pytest.raises(BadPattern) as caught:
        search_bytes("ü".encode(), "*")
    assert caught.value.offset in (0, 1)


def test_a_catastrophic_pattern_is_stopped_for_good() -> None:
    with pytest.raises(PolicyLimit):
        search_bytes(b"a" * 40 + b"b", "(a+)+$")
    with pytest.raises(PolicyLimit):
        substitute_bytes(b"a" * 40 + b"b", "(a+)+$", "")
    assert not issubclass(PolicyLimit, Exception)


@given(
    st.text(alphabet="abx", max_size=12),
    st.sampled_from(["a*", "b|x*", "(a)(b)?", "x?", "^a|b$", r"\b"]),
)
@settings(max_examples=60)
def test_replacing_agrees_with_perl(subject: str, pattern: str) -> None:
    if not shutil.which("perl"):
        pytest.skip("perl is not installed")
    script = "my ($s, $p) = @ARGV; no warnings; $s =~ s/$p/<$1$&>/g; print $s"
    wanted = subprocess.run(
        ["perl", "-e", script, subject, pattern], capture_output=True, check=True
    )
    got, _ = substitute_bytes(subject.encode(), pattern, "<$1$0>")
    assert got == wanted.stdout
