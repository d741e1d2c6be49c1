"""The MIME tree against the standard library's `email`, on messages that it made."""

from __future__ import annotations

import email
import email.policy
from email.message import Message as Mail
from email.mime.application import MIMEApplication
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from hypothesis import given, settings
from hypothesis import strategies as st

from msys.lua import u8
from msys.message import Part
from testkit.messages import message

TEXTS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))
    | st.sampled_from("\n.- "),
    max_size=120,
)
CHARSETS = st.sampled_from(["utf-8", "us-ascii", "iso-8859-1", "utf-16"])


def text_part(text: str, charset: str) -> Mail:
    fits = text.encode(charset, "ignore").decode(charset)
    return MIMEText(fits, "plain", charset)


def container(parts: list[Mail], subtype: str) -> Mail:
    made = MIMEMultipart(subtype)
    for part in parts:
        made.attach(part)
    return made


def attached(part: Mail) -> Mail:
    part["Subject"] = "attached"
    return MIMEMessage(part)


LEAVES = st.builds(text_part, TEXTS, CHARSETS) | st.builds(MIMEApplication, st.binary(max_size=80))
TREES = st.recursive(
    LEAVES,
    lambda parts: (
        st.builds(
            container,
            st.lists(parts, min_size=1, max_size=4),
            st.sampled_from(["mixed", "alternative", "related"]),
        )
        | st.builds(attached, parts)
    ),
    max_leaves=8,
)


def walk(part: Part | None) -> list[Part]:
    found = []
    while part is not None:
        found.append(part)
        part = part.thread
    return found


@given(TREES)
@settings(max_examples=60, deadline=None)
def test_structure_and_content_agree(tree: Mail) -> None:
    content = tree.as_bytes(policy=email.policy.SMTP)
    theirs = list(email.message_from_bytes(content).walk())
    ours = walk(message(content).mime())
    assert [part.type for part in ours] == [part.get_content_type() for part in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        if other.is_multipart():
            assert mine.text() is None
            continue
        payload = other.get_payload(decode=True)
        assert isinstance(payload, bytes)
        charset = other.get_content_charset()
        if charset:
            assert mine.text() in (u8(payload.decode(charset)), None if not mine.body else "")
        elif payload:
            assert mine.text() == payload.decode("latin-1")


@given(TREES, TEXTS)
@settings(max_examples=40, deadline=None)
def test_email_reads_what_was_changed(tree: Mail, text: str) -> None:
    msg = message(tree.as_bytes(policy=email.policy.SMTP))
    leaf = next((part for part in walk(msg.mime(False)) if part.parts is None), None)
    assert leaf is not None
    wanted = u8(text.replace("\n", "\r\n"))
    leaf.text(u8(text), "text/plain", "utf-8")
    leaf.header("X-Mark", u8(text.replace("\n", " ").strip()) or "x")
    theirs = email.message_from_bytes(msg.content)
    found = next(part for part in theirs.walk() if part["X-Mark"])
    payload = found.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode("utf-8").removesuffix("\r\n") == wanted.encode("latin-1").decode(
        "utf-8"
    ).removesuffix("\r\n")
    assert len(list(theirs.walk())) == len(walk(message(msg.content).mime()))
