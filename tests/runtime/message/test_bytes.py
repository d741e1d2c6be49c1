"""Bytes nobody changed stay: over nasty content, through signatures, through random edits."""

from __future__ import annotations

import base64
import random

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from msys.lua import LuaError
from msys.message import Message, Part, fields, transfer
from msys.message import wire as wire_form
from testkit.messages import ALTERNATIVE, NESTED, PLAIN, message, wire

NASTY = st.lists(
    st.sampled_from(
        [
            b"\r\n", b"\n", b"\r", b".", b"..", b"--b", b"--b--", b"--b ", b"\r\n--b\r\n", b"\r\n--b--\r\n",
            b"\r\n--in\r\n", b"--in--", b"Content-Type: multipart/mixed; boundary=b\r\n",
            b"Content-Type: multipart/digest; boundary=\"in\"\r\n", b"Content-Type: message/rfc822\r\n",
            b"Content-Type: text/plain; charset=utf-8\r\n", b"Content-Type: text/html; charset=zlib\r\n",
            b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
            b"Content-Disposition: attachment; filename*0*=utf-8''%FC\r\n", b"Subject: =?utf-8?b?!?=\r\n",
            b" folded\r\n", b":", b"=", b"=C3", b"text", b"\xff", b"\0", b"\xc3\xbc", b"From: a@b\r\n", b"QUJD",
        ]
    ),
    max_size=25,
).map(b"".join)  # fmt: skip


def all_parts(msg: Message, readonly: bool) -> list[Part]:
    found = []
    part = msg.mime(readonly)
    while part is not None:
        found.append(part)
        part = part.thread
    return found


@given(NASTY)
@settings(max_examples=300)
def test_reading_never_fails_and_never_changes(content: bytes) -> None:
    msg = message(content)
    for part in all_parts(msg, readonly=True):
        part.text(), part.content_type(), part.header("Subject"), part.address_header("From")
        part.text_match("x"), part.raw_match("x"), part.body_match("(?i)C")
        _ = part.next, part.parent, part.boundary, part.body_start
    msg.text(), msg.raw(), msg.body(), msg.text_match("e"), msg.get_message_size()
    assert msg.content == content


@given(NASTY)
@settings(max_examples=300)
def test_a_tree_put_together_again_is_the_same(content: bytes) -> None:
    msg = message(content)
    parts = all_parts(msg, readonly=False)
    if parts:
        parts[0].touch()
    end = fields.header_end(content)
    separated = content[:end] == b"\r\n" or content[:end].endswith(b"\r\n\r\n")
    if separated or not content[end:] or not content[:end]:
        assert msg.content == content
    else:
        assert msg.content == content[:end] + b"\r\n" + content[end:]


@given(NASTY, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_edits_leave_a_message_that_reads_the_same_again(
    content: bytes, chance: random.Random
) -> None:
    msg = message(content)
    for _ in range(3):
        parts = all_parts(msg, readonly=False)
        if not parts:
            return
        part = chance.choice(parts)
        try:
            match chance.randrange(7):
                case 0:
                    part.header("X-New", "value")
                case 1:
                    part.text("other text\n.\n--b\n", "text/plain")
                case 2:
                    part.text_replace("t", "\xc3\xbc")
                case 3:
                    part.addLastChild(msg.makePart("text/plain", "new"))
                case 4:
                    part.addFirstChild(msg.makePart("text/plain", ""))
                case 5:
                    part.unlink()
                case 6:
                    msg.header("Y", "1", "prepend")
        except LuaError as error:
            assert "top part" in str(error)
        tree = [(one.type, one.head.strip(), one.body) for one in all_parts(msg, readonly=False)]
        again = [
            (one.type, one.head.strip(), one.body)
            for one in all_parts(message(msg.content), readonly=True)
        ]
        assert [one[0] for one in again][:1] == [one[0] for one in tree][:1]
        assert message(msg.content).content == msg.content


@given(NASTY)
@settings(max_examples=300)
def test_what_scripts_set_ends_as_a_message_must(content: bytes) -> None:
    msg = Message()
    msg.raw(content.decode("latin-1"))
    kept = msg.content
    assert kept == b"" or kept.endswith(b"\r\n")
    assert not wire_form.STRAY_LINE_END.search(kept)
    on_the_wire = wire_form.stuff(kept) + b".\r\n"
    assert b"\r\n.\r\n" not in b"\r\n" + on_the_wire[:-3]
    msg.raw(msg.raw()[0])
    assert msg.content == kept


@given(st.binary(max_size=400).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b"\r\n")))
def test_stuffing_is_undone_exactly(content: bytes) -> None:
    assert wire_form.unstuff(wire_form.stuff(content)) == content
    assert wire_form.stuffed_size(content) == len(wire_form.stuff(content))


@given(st.binary(max_size=400))
def test_transfer_encodings_come_back(content: bytes) -> None:
    assert transfer.decoded(transfer.encoded(content, "base64"), "base64") == content
    quoted = transfer.encoded(content, "quoted-printable")
    assert transfer.decoded(quoted, "quoted-printable") == content
    assert all(len(line) <= 76 for line in quoted.split(b"\r\n"))
    assert quoted.isascii()
    transfer.decoded(content, "base64")
    transfer.decoded(content, "quoted-printable")


@given(NASTY)
def test_header_end_agrees_with_the_fields(content: bytes) -> None:
    at = fields.header_end(content)
    found = fields.fields(content[:at])
    assert sum(field.end - field.start for field in found) in (at, at - 2)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.mark.parametrize(
    "content", [PLAIN, ALTERNATIVE, NESTED], ids=["plain", "alternative", "nested"]
)
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
def test_a_signature_over_the_body_survives_header_edits(
    content: bytes, body: bytes, key: rsa.RSAPrivateKey
) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = base64.b64encode(
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    signature = dkim.sign(
        content,
        b"sel",
        b"example.test",
        pem,
        canonicalize=(b"simple", body),
        include_headers=[b"from"],
    )
    msg = message(signature + content)
    msg.header("X-Spam-Score", "1.5")
    msg.header("Received", "from x by y; date", "prepend")
    msg.header("X-Tag", None)
    tree = msg.mime(False)
    assert tree is not None
    tree.header("X-Other", "1", "append")
    copy = msg.copy_for("x@y.test")
    copy.header("X-Copy", "1")
    for one in (msg, copy):
        assert dkim.verify(one.content, dnsfunc=lambda *_, **__: b"v=DKIM1; p=" + public)
    msg.text_replace("e", "E")
    assert not dkim.verify(msg.content, dnsfunc=lambda *_, **__: b"v=DKIM1; p=" + public)


def test_construction_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> int:
        raise AssertionError("the header was looked at")

    monkeypatch.setattr(fields, "header_end", forbidden)
    monkeypatch.setattr(fields, "fields", forbidden)
    msg = Message(content=PLAIN, mailfrom="a@b.test", rcptto="c@d.test")
    copies = [msg.copy_for(f"{n}@x.test") for n in range(3)]
    assert all(copy.content is PLAIN for copy in (msg, *copies))
    assert msg.get_message_size() == len(PLAIN) + 1


def test_deep_nesting_and_many_parts_have_limits() -> None:
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500)
    )
    assert len(all_parts(message(deep), readonly=True)) <= 51
    many = wire("Content-Type: multipart/mixed; boundary=b", "") + b"--b\r\n\r\nx\r\n" * 12_000
    msg = message(many)
    parts = all_parts(msg, readonly=False)
    assert len(parts) <= 20_001
    parts[0].touch()
    assert msg.content == many
