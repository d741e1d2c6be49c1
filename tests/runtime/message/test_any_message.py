"""Any bytes as a message, any functions on it in any order: answers or Lua errors, in time, and it stays a message.

The bytes are put together from what breaks parsers: boundaries that end early or never, encodings that lie, headers without
names, folds, stray line ends, eight bits, charsets nobody knows.
"""

from __future__ import annotations

import email
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msys.lua import LuaError, Table
from msys.message import Message
from msys.testing.policy import policy

PIECES = st.sampled_from(
    [
        b"From: a@b.test\r\n",
        b"Subject: =?utf-8?q?gr=C3=BC=DF?=\r\n",
        b"Subject: =?utf-8?b?////?= =?x?y?z?=\r\n",
        b"Content-Type: text/plain\r\n",
        b'Content-Type: text/html; charset="utf-8\r\n',
        b"Content-Type: text/plain; charset=x-none\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b'Content-Type: multipart/alternative; boundary="b b"\r\n',
        b"Content-Type: multipart/mixed\r\n",
        b'Content-Type: multipart/mixed; boundary=""\r\n',
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: ;;;=\r\n",
        b"Content-Type: text/plain; charset*0=ut; charset*1=f-8\r\n",
        b"Content-Type: text/plain; charset=utf-16\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Content-Transfer-Encoding: x-lie\r\n",
        b"MIME-Version: 1.0\r\n",
        b"X-Empty:\r\n",
        b": no name\r\n",
        b"no colon\r\n",
        b" fold\r\n",
        b"\tfold\r\n",
        b"X\xff: \x80\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"--b b\r\n",
        b"--b b-- \r\n",
        b"--\r\n",
        b"-- \r\n",
        b"--b--b\r\n",
        b"R3LDvMOfZQ==\r\n",
        b"=====\r\n",
        b"=C3=BC=\r\n",
        b"=ZZ=\r\n",
        b"Gr\xc3\xbc\xc3\x9fe\r\n",
        b"\xff\xfe\x00\r\n",
        b".\r\n",
        b"..dots\r\n",
        b"\r",
        b"\n",
        b"\0",
        b"x" * 1200 + b"\r\n",
        b"text",
        b"needle\r\n",
        b"\x1b$B$\x1b(B\r\n",
    ]
)
MESSAGES = st.lists(PIECES | st.binary(max_size=12), max_size=30).map(b"".join)
WORDS = st.sampled_from(
    [
        "",
        "x",
        "Subject",
        "X-New",
        "needle",
        "Grüße".encode().decode("latin-1"),
        "a\r\n b",
        "text/plain",
        "\xff",
    ]
)
PATTERNS = st.sampled_from(
    ["needle", "^--.*$", "(?i)X", "", "\\R", "(", "(?s).*", "\\x{fc}", "[\\x80-\\xff]+"]
)
ENCODINGS = st.sampled_from(["base64", "quoted-printable", "7bit", "8bit", "none"])


def parts(message: Message) -> list[Any]:
    """The parts in the order of the document, read-write."""
    found: list[Any] = []
    part = message.mime(False)
    while part is not None and len(found) < 40:
        found.append(part)
        part = part.thread
    return found


Step = Callable[[Message], Any]


def on_part(action: Callable[[Any, Message], Any], number: int) -> Step:
    def step(message: Message) -> Any:
        found = parts(message)
        return action(found[number % len(found)], message) if found else None

    return step


WHOLE = st.one_of(
    st.builds(lambda w: lambda m: m.header(w), WORDS),
    st.builds(
        lambda w, v, mode: lambda m: m.header(w, v, mode),
        WORDS,
        WORDS,
        st.sampled_from(["append", "prepend", "replace", "delete", "x"]),
    ),
    st.builds(lambda w: lambda m: m.header(w, None), WORDS),
    st.builds(lambda v: lambda m: m.body(v), WORDS),
    st.builds(lambda v: lambda m: m.raw(v), WORDS),
    st.builds(lambda v, t: lambda m: m.text(v, t, "utf-8"), WORDS, WORDS),
    st.just(
        lambda m: (
            m.body(),
            m.raw(),
            m.text(),
            m.get_message_size(),
            m.address_header("From", "all"),
        )
    ),
    st.builds(lambda p: lambda m: (m.body_match(p), m.raw_match(p), m.text_match(p)), PATTERNS),
    st.builds(lambda p, w: lambda m: m.body_replace(p, w), PATTERNS, WORDS),
    st.builds(lambda p, w: lambda m: m.raw_replace(p, w), PATTERNS, WORDS),
    st.builds(lambda p, w: lambda m: m.text_replace(p, w), PATTERNS, WORDS),
    st.just(lambda m: m.copy().content),
    st.just(lambda m: m.forward("a@b.test", "c@d.test", "see", "Fwd")),
)
ON_PARTS = st.one_of(
    st.just(lambda part, m: (part.content_type(), part.text(), part.header("content-type"))),
    st.builds(lambda w, v: lambda part, m: part.header(w, v), WORDS, WORDS),
    st.builds(lambda w: lambda part, m: part.header(w, None), WORDS),
    st.builds(
        lambda p, w: lambda part, m: (part.text_match(p), part.text_replace(p, w)), PATTERNS, WORDS
    ),
    st.builds(
        lambda p, w: lambda part, m: (part.body_match(p), part.body_replace(p, w)), PATTERNS, WORDS
    ),
    st.builds(
        lambda p, w: lambda part, m: (part.raw_match(p), part.raw_replace(p, w)), PATTERNS, WORDS
    ),
    st.just(lambda part, m: part.unlink()),
    st.builds(
        lambda e: lambda part, m: part.addLastChild(m.makePart("text/plain", "new", e)), ENCODINGS
    ),
    st.builds(
        lambda e: lambda part, m: part.insertAfter(m.makePart("text/plain", "new", e)), ENCODINGS
    ),
    st.just(lambda part, m: part.addFirstChild(m.makeContainer("multipart/mixed"))),
    st.just(lambda part, m: part.insertBefore(m.makeContainer("multipart/mixed", "edge", True))),
)
STEPS = st.lists(st.one_of(WHOLE, st.builds(on_part, ON_PARTS, st.integers(0, 7))), max_size=8)


@settings(max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(MESSAGES, STEPS)
def test_it_stays_a_message(content: bytes, steps: list[Step]) -> None:
    message = Message(content=content, mailfrom="ann@example.test", rcptto="bob@b.test")
    with policy(message=message):
        for step in steps:
            try:
                step(message)
            except LuaError as error:
                assert not isinstance(error.value, Table) and "internal" not in str(error.value)
    head, body, whole = message.header_block, message.body_block, message.content
    assert head + body == whole
    again = Message(content=whole)
    assert (again.header_block, again.body_block) == (head, body), "it would be read otherwise"
    assert list(email.message_from_bytes(whole).walk())
