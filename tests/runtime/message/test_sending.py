"""Mail that policy makes: build, inject, forward, copies."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest

from msys import core
from msys.lua import LuaError, Table, tostring, u8
from msys.message import Message
from msys.testing.policy import Policy, policy
from testkit.messages import ALTERNATIVE, PLAIN, message

row = pytest.mark.row


def parsed(content: bytes) -> EmailMessage:
    found = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(found, EmailMessage)
    assert not any(part.defects for part in found.walk())
    return found


def only(here: Policy) -> tuple[Message, str, tuple[str, ...]]:
    (found,) = here.ports.outbox.submitted
    return found


def built(attachments: Any = None) -> Message:
    msg = core.ec_message_new(None)
    headers = Table(
        {
            "Subject": "Hi",
            "From": "a@b.test",
            "Content-Type": "ignored",
            "X-A": Table.array("1", "2"),
        }
    )
    parts = Table({"text/html": u8("<b>Grüße</b>"), "text/plain": u8("Grüße")})
    assert msg.build(headers, parts, attachments) is True
    return msg


@row("msg:build")
def test_build_makes_alternatives_in_a_mixed_message() -> None:
    with policy():
        msg = built()
    mail = parsed(msg.content)
    assert mail.get_content_type() == "multipart/mixed"
    (alternative,) = mail.iter_parts()
    assert alternative.get_content_type() == "multipart/alternative"
    plain, html = alternative.iter_parts()
    assert (plain.get_content_type(), plain.get_content()) == ("text/plain", "Grüße")
    assert html.get_content() == "<b>Grüße</b>"
    assert html["Content-Transfer-Encoding"] == "quoted-printable"
    assert html["Content-Disposition"] == "inline"
    assert (mail["Subject"], mail.get_all("X-A"), mail["MIME-Version"]) == ("Hi", ["1", "2"], "1.0")
    assert msg.text()[1] == u8("Grüße")  # type: ignore[index]


@row("msg:build")
def test_a_charset_or_another_type_means_base64() -> None:
    with policy():
        msg = core.ec_message_new(None)
        msg.build(
            Table(),
            Table({"text/plain; charset=iso-8859-1": "caf\xe9", "image/png": "\x89PNG\r\n"}),
        )
    plain, image = next(parsed(msg.content).iter_parts()).iter_parts()
    assert (plain["Content-Transfer-Encoding"], plain.get_content()) == ("base64", "café")
    assert image["Content-Transfer-Encoding"] == "base64"


@row("msg:build")
def test_attachments_of_every_kind() -> None:
    with policy() as here:
        here.ports.files.content["/data/x.b64"] = b"SGVsbG8=\r\n"
        stream, _ = core.io_wrapper_open("/data/x.b64")
        attachments = Table.array(
            Table(
                {
                    "type": "text/csv; charset=utf-8",
                    "name": "./a.csv",
                    "content": u8("ä;1\n"),
                    "headers": "X-One: 1\r\nX-Two: 2",
                }
            ),
            Table({"type": "application/x", "name": "x.bin", "content": stream}),
            Table({"content": message()}),
        )
        msg = built(attachments)
    _, csv, binary, mail = parsed(msg.content).iter_parts()
    assert (csv.get_filename(), csv.get_content().strip()) == ("a.csv", "ä;1")
    assert (csv["X-One"], csv["X-Two"]) == ("1", "2")
    assert binary.get_content() == b"Hello"
    assert mail.get_content_type() == "message/rfc822"
    assert mail.get_content()["Subject"] == "Hello"


@row("msg:build")
@pytest.mark.parametrize(
    "arguments",
    [
        (None, Table({"text/plain": "x"})),
        (Table(), None),
        (Table(), Table()),
        (Table(), Table({1: "x"})),
        (Table({"A": "x\r\nB: y"}), Table({"text/plain": "x"})),
        (Table({"A": True}), Table({"text/plain": "x"})),
        (Table(), Table({"text/plain\r\nX: y": "x"})),
        (Table(), Table({"text/plain": "x"}), Table.array("x")),
        (
            Table(),
            Table({"text/plain": "x"}),
            Table.array(Table({"name": "a\r\nb", "content": "x"})),
        ),
    ],
)
def test_build_refuses_other_shapes(arguments: tuple[Any, ...]) -> None:
    with policy(), pytest.raises(LuaError):
        core.ec_message_new(None).build(*arguments)


@row("msg:build")
def test_build_needs_an_empty_message() -> None:
    with pytest.raises(LuaError, match="empty message"):
        message().build(Table(), Table({"text/plain": "x"}))


@row("msg:inject")
def test_inject_sends_one_message_to_several() -> None:
    with policy() as here:
        msg = built()
        assert msg.inject("ann@example.test", "b@c.test, <d@e.test>") is True
        sent, sender, recipients = only(here)
    assert (sender, recipients) == ("ann@example.test", ("b@c.test", "d@e.test"))
    assert sent.recv_method == core.P_INTERNAL
    assert tostring(sent.conn_id) == "00/00-00000-00000000"
    mail = parsed(sent.content)
    assert mail["Date"] is not None
    assert mail["Message-ID"] is not None
    assert "internal" in mail["Received"]
    assert sent.body_block == msg.body_block


@row("msg:inject")
def test_inject_leaves_the_message_as_it_is() -> None:
    with policy() as here:
        msg = message()
        msg.inject("", "x@y.test")
        sent, sender, _ = only(here)
    assert msg.content == PLAIN
    assert (msg.mailfrom(), sender, sent.mailfrom()) == ("ann@example.test", "", "")
    assert sent.id != msg.id
    assert sent.header("Received")[2] is None  # there was one already


@row("msg:inject")
def test_inject_refuses_bad_addresses_and_empty_messages() -> None:
    with policy() as here:
        for wrong in (("a", "b@c.test"), ("a@b.test", ""), ("a@b.test", "c d"), (None, "b@c.test")):
            with pytest.raises(LuaError, match="bad argument"):
                message().inject(*wrong)
        with pytest.raises(LuaError, match="empty"):
            core.ec_message_new(None).inject("a@b.test", "c@d.test")
        assert here.ports.outbox.submitted == []


@row("msg:forward")
def test_forward_attaches_the_message() -> None:
    with policy() as here:
        msg = message(ALTERNATIVE)
        assert (
            msg.forward("me@x.test", "a@b.test,c@d.test", u8("Grüße\n"), "See this", "utf-8")
            is True
        )
        sent, sender, recipients = only(here)
    assert (sender, recipients) == ("me@x.test", ("a@b.test", "c@d.test"))
    mail = parsed(sent.content)
    text, attached = mail.iter_parts()
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "me@x.test",
        "a@b.test, c@d.test",
        "See this",
    )
    assert text.get_content().strip() == "Grüße"
    assert attached.get_content()["From"] == "ann@example.test"
    assert ALTERNATIVE in sent.content
    assert msg.content == ALTERNATIVE


@row("msg:forward")
def test_forward_makes_up_a_subject() -> None:
    with policy() as here:
        message().forward("me@x.test", "a@b.test", "text")
        sent, *_ = only(here)
    assert sent.header("Subject")[1] == "Fwd: Hello"
    assert b"charset=us-ascii" in sent.content


@row("msg:forward")
def test_forward_needs_content() -> None:
    with policy("validate_rcptto", phase="rcptto"), pytest.raises(LuaError, match="rcptto"):
        message().forward("me@x.test", "a@b.test", "text")


def test_copies_are_independent() -> None:
    msg = message(ALTERNATIVE)
    tree = msg.mime(False)
    assert tree is not None
    copies = [msg.copy_for(f"r{n}@x.test") for n in range(20)]
    assert all(copy.body_block is msg.body_block for copy in copies)
    copies[0].header("X-Copy", "0")
    copies[1].text_replace("Gr", "gr")
    tree.header("X-Parent", "1")
    assert copies[0].body_block is copies[2].body_block
    assert copies[2].content == ALTERNATIVE
    assert b"X-Copy" not in copies[1].content
    assert b"X-Parent" not in copies[0].content
    assert copies[1].content != ALTERNATIVE
    assert msg.snapshot().copy().content == msg.content


def test_render_to_string_with_flags() -> None:
    msg, buffer = message(), core.string_new()
    assert msg.render_to_string(buffer, 0) == len(buffer)
    assert tostring(buffer).endswith("bye\r\n.\r\n")
    assert "\r\n..dotted" in tostring(buffer)
    msg.render_to_string(buffer, core.EC_MSG_RENDER_OMIT_DOT | core.EC_MSG_RENDER_UNSTUFFED)
    assert tostring(buffer) == PLAIN.decode()
    msg.render_to_string(buffer, core.EC_MSG_RENDER_HEADERS_ONLY)
    assert tostring(buffer) == msg.header_block.decode()
    msg.render_to_string(buffer, core.EC_MSG_RENDER_OMIT_HEADERS | core.EC_MSG_RENDER_OMIT_DOT)
    assert tostring(buffer) == msg.body()
