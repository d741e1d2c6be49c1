"""The MIME tree: walking it, reading parts, changing them."""

from __future__ import annotations

import email

import pytest

from msys import core
from msys.lua import LuaError, Table, index, setindex, u8
from msys.message import Message, Part
from msys.testing.policy import policy
from testkit.messages import ALTERNATIVE, NESTED, PLAIN, message, wire

row = pytest.mark.row


def top(content: bytes, readonly: bool = False) -> tuple[Message, Part]:
    msg = message(content)
    part = msg.mime(readonly)
    assert part is not None
    return msg, part


def walk(part: Part | None) -> list[Part]:
    found = []
    while part is not None:
        found.append(part)
        part = part.thread
    return found


@row("msg:mime")
def test_thread_walks_in_document_order() -> None:
    _, part = top(NESTED)
    assert [one.type for one in walk(part)] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "message/rfc822",
        "text/plain",
        "application/pdf",
    ]


@row("msg:mime")
def test_fields_lead_from_part_to_part() -> None:
    _, part = top(NESTED)
    first = part.parts
    assert first is not None
    assert index(first, "next") is not None
    assert first.parent is part
    assert first.next is not None
    assert first.next.type == "message/rfc822"
    assert index(first, "boundary") == "inner"
    assert part.next is None
    assert part.parent is None


@row("msg:mime")
def test_offsets_are_those_of_the_content() -> None:
    _, part = top(ALTERNATIVE)
    leaf = part.parts
    assert leaf is not None
    assert ALTERNATIVE[leaf.headers_start :].startswith(b"Content-Type: text/plain")
    assert ALTERNATIVE[leaf.body_start : leaf.body_end] == b"Gr=C3=BC=C3=9Fe aus K=C3=B6ln"


@row("msg:mime")
def test_the_tree_is_read_only_unless_told_otherwise() -> None:
    for readonly in ((), (True,), (None,)):
        msg = message(ALTERNATIVE)
        part = msg.mime(*readonly)
        assert part is not None
        if readonly == (None,):
            assert part.header("X", "1") is True  # nil is not true
            continue
        with pytest.raises(LuaError, match="read-only"):
            part.header("X", "1")


@row("msg:mime")
def test_an_empty_message_has_no_tree() -> None:
    assert message(b"").mime() is None


@row("msg:mime")
def test_parts_of_another_body_raise() -> None:
    msg, part = top(ALTERNATIVE)
    leaf = part.parts
    assert leaf is not None
    msg.body("new\r\n")
    with pytest.raises(LuaError, match=r"take msg:mime\(\) again"):
        leaf.text()
    fresh = msg.mime(False)
    assert fresh is not None
    assert fresh is not part


@row("msg:mime")
def test_untouched_writable_tree_changes_no_byte() -> None:
    for content in (PLAIN, ALTERNATIVE, NESTED):
        msg, part = top(content)
        assert len(walk(part)) >= 1
        part.touch()
        for one in walk(part):
            one.touch()
        assert msg.content == content


@row("msgpart:header")
def test_part_headers_read_write_delete() -> None:
    msg, part = top(ALTERNATIVE)
    leaf = part.parts
    assert leaf is not None
    assert leaf.header("content-TYPE")[1] == "text/plain; charset=utf-8"
    assert leaf.header("X")[1] is None
    assert leaf.header("X-New", u8("ü")) is True
    assert leaf.header("X-New", "0", "prepend") is True
    assert leaf.header("X-New", "2", "append") is True
    assert [leaf.header("x-new")[at] for at in (1, 2, 3)] == ["0", u8("ü"), "2"]
    assert leaf.header("X-New", None) is True
    assert leaf.header("X-New", "") is False
    assert msg.content == ALTERNATIVE
    leaf.header("X", "1")
    assert b"quoted-printable\r\nX: 1\r\n\r\nGr=" in msg.content
    assert msg.header("x")[1] is None


@row("msgpart:header")
def test_an_absent_value_is_not_nil() -> None:
    _, part = top(PLAIN)
    assert isinstance(part.header("Subject"), Table)
    assert part.header("Subject", None) is True


@row("msgpart:header")
def test_headers_of_the_top_part_are_those_of_the_message() -> None:
    msg, part = top(ALTERNATIVE)
    leaf = part.parts
    assert leaf is not None
    msg.header("X-Msg", "1")
    part.header("X-Part", "2")
    assert (part.header("X-Msg")[1], msg.header("X-Part")[1]) == ("1", "2")
    leaf.header("X-Leaf", "3")
    assert all(mark in msg.content for mark in (b"X-Msg: 1", b"X-Part: 2", b"X-Leaf: 3"))


@row("msgpart:address_header")
def test_part_address_header() -> None:
    _, part = top(PLAIN)
    assert [part.address_header("To")[at] for at in (1, 2, 3)] == [
        "bob@example.test",
        "carl@other.test",
        None,
    ]
    assert part.address_header("from", "detail")[1] == "list"


@row("msgpart:content_type")
def test_content_type_of_parts() -> None:
    _, part = top(NESTED)
    *_, pdf = walk(part)
    found = pdf.content_type()
    assert dict(found) == {
        "mimetype": "application/pdf",
        "encoding": "base64",
        "is_attachment": True,
        "filename": u8("Grüße.pdf"),
    }
    plain = walk(part)[2].content_type()
    assert dict(plain) == {"mimetype": "text/plain", "encoding": "7bit", "is_attachment": False}


@row("msgpart:content_type")
@pytest.mark.parametrize(
    ("value", "mimetype", "charset", "filename"),
    [
        ('TEXT/HTML; Charset="UTF-8"; name=a.html', "text/html", "utf-8", "a.html"),
        ("text", "text/plain", None, None),
        ("image/png; name==?utf-8?q?=C3=BC?=", "image/png", None, u8("ü")),
        ("image/png; name*0=lo; name*1=ng.png", "image/png", None, "long.png"),
        (";;;=", "text/plain", None, None),
    ],
)
def test_content_type_values(
    value: str, mimetype: str, charset: str | None, filename: str | None
) -> None:
    _, part = top(wire(f"Content-Type: {value}", "", "x"))
    found = part.content_type()
    assert (found["mimetype"], found["charset"], found["filename"]) == (mimetype, charset, filename)


@row("msgpart:text")
def test_part_text_reads_and_writes() -> None:
    msg, part = top(NESTED)
    mixed, alternative, plain, html, attached, _inside, pdf = walk(part)
    assert (plain.text(), pdf.text()) == ("plain text", "%PDF-1.4\n")
    assert (mixed.text(), alternative.text(), attached.text()) == (None, None, None)
    assert html.text(u8("<p>Grüße</p>"), "text/html", "utf-8") is True
    assert html.text() == u8("<p>Grüße</p>")
    again = walk(message(msg.content).mime())
    assert again[3].text() == u8("<p>Grüße</p>")
    assert again[2].text() == "plain text"


@row("msgpart:text")
def test_a_part_without_body_has_no_text() -> None:
    _, part = top(wire("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "", "--b--"))
    assert part.parts is not None
    assert part.parts.text() is None


@row("msgpart:text")
def test_text_that_looks_like_a_delimiter_is_encoded() -> None:
    msg, part = top(ALTERNATIVE)
    assert part.parts is not None
    part.parts.text("a\r\n--b1--\r\nb")
    again = walk(message(msg.content).mime())
    assert [one.type for one in again] == ["multipart/alternative", "text/plain", "text/html"]
    assert again[1].text() == "a\r\n--b1--\r\nb"


@row("msgpart:text_match")
def test_part_text_match() -> None:
    _, part = top(NESTED)
    leaves = walk(part)
    assert leaves[2].text_match("pl(.)in")[0][1] == "a"
    assert leaves[2].text_match("html") == (False, None, None)
    assert leaves[6].text_match("PDF")[0] is False


@row("msgpart:text_replace")
def test_part_text_replace_of_leaf_and_container() -> None:
    msg, part = top(NESTED)
    leaves = walk(part)
    assert leaves[2].text_replace("plain", "simple") is True
    assert msg.content == NESTED.replace(b"plain text", b"simple text")
    assert leaves[1].text_replace("t", "T") is True
    assert b"simple TexT" in msg.content
    assert b"<p>hTml</p>" in msg.content
    assert b"\r\ninside\r\n" in msg.content
    assert part.text_replace("zzz", "") is False


@row("msgpart:body_match")
@row("msgpart:raw_match")
def test_part_body_and_raw_match() -> None:
    _, part = top(NESTED)
    leaf = walk(part)[6]
    assert leaf.body_match("JVBE(.)")[0][1] == "R"
    assert leaf.body_match("base64")[0] is False
    assert leaf.raw_match("base(64)")[0][1] == "64"
    assert leaf.raw_match("plain text")[0] is False


@row("msgpart:body_replace")
def test_part_body_replace() -> None:
    msg, part = top(NESTED)
    leaf = walk(part)[2]
    assert leaf.body_replace("plain (t)", "$1$1") is True
    assert msg.content == NESTED.replace(b"plain text", b"ttext")
    assert leaf.body_replace("plain", "x") is False


@row("msgpart:raw_replace")
def test_part_raw_replace() -> None:
    msg, part = top(NESTED)
    leaf = walk(part)[6]
    assert leaf.raw_replace("application/pdf", "application/x-pdf") is True
    assert msg.content == NESTED.replace(b"application/pdf", b"application/x-pdf")
    assert leaf.type == "application/x-pdf"
    assert leaf.raw_replace("zzz", "x") is False


@row("msgpart:addLastChild")
@row("msg:makePart")
def test_a_disclaimer_is_added_as_the_published_script_does() -> None:
    msg, part = top(ALTERNATIVE)
    text = "Disclaimer"
    added = msg.makePart("text/plain", text)
    setindex(added, "body_start", 0)
    setindex(added, "body_end", len(text))
    assert part.addLastChild(added) is True
    assert msg.content == ALTERNATIVE.replace(
        b"\r\n--b1--", b"\r\n--b1\r\nContent-Type: text/plain\r\n\r\nDisclaimer\r\n--b1--"
    )
    assert added.parent is part


@row("msgpart:addFirstChild")
def test_first_child_comes_before_the_others() -> None:
    msg, part = top(ALTERNATIVE)
    assert part.addFirstChild(msg.makePart("text/x-first", "1")) is True
    again = walk(message(msg.content).mime())
    assert [one.type for one in again[1:]] == ["text/x-first", "text/plain", "text/html"]
    assert b"preamble stays\r\n--b1\r\nContent-Type: text/x-first" in msg.content


@row("msgpart:addFirstChild")
@row("msgpart:addLastChild")
def test_what_cannot_be_added_gives_false() -> None:
    msg, part = top(ALTERNATIVE)
    leaf = part.parts
    assert leaf is not None
    assert leaf.addLastChild(msg.makePart("text/plain", "x")) is False  # a leaf
    assert part.addFirstChild(leaf) is False  # linked already
    assert part.addLastChild(part) is False  # itself
    assert part.addLastChild(msg.makePart("text/plain", "\r\n--b1--\r\n")) is False  # would end it
    with pytest.raises(LuaError, match="message part expected, got nil"):
        part.addLastChild(None)
    with pytest.raises(LuaError, match="message part expected, got string"):
        part.addFirstChild("x")
    assert msg.content == ALTERNATIVE


@row("msgpart:insertAfter")
@row("msgpart:insertBefore")
def test_inserting_beside_a_part() -> None:
    msg, part = top(ALTERNATIVE)
    leaf = part.parts
    assert leaf is not None
    after, before = msg.makePart("text/x-after", "a"), msg.makePart("text/x-before", "b")
    assert after.insertAfter(leaf) is True
    assert before.insertBefore(leaf) is True
    types = [one.type for one in walk(message(msg.content).mime())[1:]]
    assert types == ["text/x-before", "text/plain", "text/x-after", "text/html"]
    assert msg.makePart("text/plain", "x").insertAfter(part) is False
    assert msg.makePart("text/plain", "x").insertBefore(part) is False


@row("msgpart:unlink")
def test_unlinking_takes_the_part_and_its_delimiter_out() -> None:
    msg, part = top(NESTED)
    walk(part)[1].unlink()
    assert [one.type for one in walk(message(msg.content).mime())] == [
        "multipart/mixed",
        "message/rfc822",
        "text/plain",
        "application/pdf",
    ]
    with pytest.raises(LuaError, match="top part"):
        part.unlink()


@row("msgpart:unlink")
def test_an_emptied_container_stays() -> None:
    msg, part = top(wire("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "x"))
    assert part.parts is not None
    part.parts.unlink()
    assert part.parts is None
    assert msg.content == wire("Content-Type: multipart/mixed; boundary=b", "", "", "--b--")
    assert part.addLastChild(msg.makePart("text/plain", "y")) is True
    assert b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\ny\r\n--b--\r\n" in msg.content


@row("msgpart:unlink")
def test_an_unlinked_part_can_go_elsewhere() -> None:
    msg, part = top(NESTED)
    pdf = walk(part)[6]
    alternative = walk(part)[1]
    pdf.unlink()
    assert alternative.addFirstChild(pdf) is True
    assert [one.type for one in walk(message(msg.content).mime())][:3] == [
        "multipart/mixed",
        "multipart/alternative",
        "application/pdf",
    ]


@row("msg:makeContainer")
def test_containers_take_children() -> None:
    msg, part = top(NESTED)
    box = msg.makeContainer("multipart/related", "my mark")
    assert box.header("Content-Type")[1] == 'multipart/related; boundary="my mark"'
    assert box.addLastChild(msg.makePart("text/plain", "in the box")) is True
    assert part.addLastChild(box) is True
    types = [one.type for one in walk(message(msg.content).mime())]
    assert types[-2:] == ["multipart/related", "text/plain"]
    assert walk(part)[-1].text() == "in the box"


@row("msg:makeContainer")
@pytest.mark.parametrize(
    "wrong", [("text/plain",), (None,), ("multipart/x", 'a"b'), ("multipart/x", "")]
)
def test_containers_that_cannot_be(wrong: tuple[object, ...]) -> None:
    with pytest.raises(LuaError, match="bad argument"):
        message().makeContainer(*wrong)


@row("msg:makeBoundary")
def test_boundaries_are_new_each_time() -> None:
    msg, part = top(NESTED)
    one, two = msg.makeBoundary(), msg.makeBoundary(part)
    assert one != two
    assert one not in msg.raw()[0]
    assert 10 < len(one) <= 70
    with pytest.raises(LuaError, match="message part expected"):
        msg.makeBoundary("x")


@row("msg:makePart")
def test_parts_are_in_the_given_encoding() -> None:
    msg, part = top(NESTED)
    made = msg.makePart("text/plain; charset=utf-8", "R3LDvMOfZQ==", core.EC_MIME_TE_BASE64)
    assert made.text() == u8("Grüße")
    assert msg.makePart("text/plain", u8("ü")).encoding == "8bit"
    assert msg.makePart("text/plain").body_end == 0
    with pytest.raises(LuaError, match="EC_MIME_TE"):
        msg.makePart("text/plain", "x", "base64")
    with pytest.raises(LuaError, match="MIME type"):
        msg.makePart("text/plain\r\nEvil: 1", "x")
    assert part.addLastChild(made) is True
    assert email.message_from_bytes(msg.content).get_payload()[-1].get_payload(decode=True) == (
        "Grüße".encode()
    )


@row("msg:makePart")
def test_line_ends_of_an_added_part_are_made_whole() -> None:
    msg, part = top(ALTERNATIVE)
    assert part.addLastChild(msg.makePart("text/plain", "a\nb")) is True
    assert b"\r\n\r\na\r\nb\r\n--b1--" in msg.content


def test_offsets_outside_the_bytes_raise() -> None:
    made = message().makePart("text/plain", "abc")
    with pytest.raises(LuaError, match="between 0 and 3"):
        made.body_end = 4
    made.body_start = 1
    assert made.text() == "bc"


def test_parts_cannot_be_changed_in_set_binding() -> None:
    _, part = top(ALTERNATIVE)
    with (
        policy("validate_set_binding", phase="set_binding"),
        pytest.raises(LuaError, match="set_binding"),
    ):
        part.header("X", "1")
