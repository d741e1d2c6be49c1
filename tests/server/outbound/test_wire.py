"""Content as it stands on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonpost.outbound.wire import as_data, is_safe_address


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (b"", b".\r\n"),
        (b"x", b"x\r\n.\r\n"),
        (b"x\r\n", b"x\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\n..b\r\n", b"a\r\n..\r\n...b\r\n.\r\n"),
        (b"a\n.\nMAIL FROM:<x>\r\n", b"a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n"),
        (b"a\r.\r\r\nb", b"a\r\n..\r\n\r\nb\r\n.\r\n"),
        (b"a\r\n.b\r", b"a\r\n..b\r\n.\r\n"),
    ],
)
def test_dots_are_doubled_and_line_ends_made_whole(content: bytes, sent: bytes) -> None:
    assert as_data(content) == sent


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n."])).map(b"".join))
def test_no_content_can_end_the_message_early(content: bytes) -> None:
    sent = as_data(content)
    assert sent.endswith(b"\r\n.\r\n") or sent == b".\r\n"
    body = sent[: -len(b".\r\n")]
    assert b"\r\n.\r\n" not in body + b"\r\n" and not body.startswith(b".\r\n")
    assert body.count(b"\r\n") == body.count(b"\n") == body.count(b"\r")


@pytest.mark.parametrize("bad", ["a\r\n@b", "a>b@c", "<", "a\0", "ü\u1234@x"])
def test_an_address_cannot_hold_a_command(bad: str) -> None:
    assert not is_safe_address(bad)
    assert is_safe_address('"a b"@c.test')
