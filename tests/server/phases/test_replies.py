"""Replies as bytes: several lines, long lines, and text that would like to be more than text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonpost.phases.replies import MAX_TEXT, accepted, policy_failed, reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.7.1 no", b"550 5.7.1 no\r\n"),
        ("", b"550 \r\n"),
        ("one\ntwo", b"550-one\r\n550 two\r\n"),
        ("one\r\ntwo\r\n", b"550-one\r\n550 two\r\n"),
        ("one\n\ntwo", b"550-one\r\n550-\r\n550 two\r\n"),
        ("a\rb\x00c", b"550 a?b?c\r\n"),
        ("tab\there", b"550 tab\there\r\n"),
        ("gr\xfc\xdfe", b"550 gr\xfc\xdfe\r\n"),
        ("552 text", b"550 552 text\r\n"),
    ],
)
def test_text_becomes_lines(text: str, expected: bytes) -> None:
    assert reply(550, text) == expected


def test_a_long_text_is_several_lines() -> None:
    lines = reply(550, "x" * (2 * MAX_TEXT + 1)).split(b"\r\n")
    assert [len(line) for line in lines] == [MAX_TEXT + 4, MAX_TEXT + 4, 5, 0]
    assert lines[0].startswith(b"550-x")
    assert lines[2] == b"550 x"


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_text_can_forge_a_reply(text: str) -> None:
    whole = reply(451, text)
    assert re.fullmatch(rb"(451-[^\r\n]*\r\n)*451 [^\r\n]*\r\n", whole)


def test_documented_wordings() -> None:
    assert (
        policy_failed("mx.test")
        == b"421 mx.test temporary issue, please retry your message later\r\n"
    )
    assert accepted("20/00-25593-945A87F3") == b"250 2.0.0 OK 20/00-25593-945A87F3\r\n"
