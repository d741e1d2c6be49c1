"""Body, raw content and text of whole messages."""

from __future__ import annotations

import pytest

from msys.lua import LuaError, Table, u8
from msys.lua.bytestr import to_str
from msys.testing.policy import policy
from testkit.messages import ALTERNATIVE, NESTED, PLAIN, message, wire

row = pytest.mark.row


@row("msg:body")
def test_body_is_the_wire_form_without_end_marker() -> None:
    assert message().body() == "Dear Bob,\r\n..dotted\r\nbye\r\n"


@row("msg:body")
def test_setting_the_body_keeps_the_headers() -> None:
    msg = message()
    assert msg.body("new\r\n..x\r\n.\r\n") == "new\r\n..x\r\n"
    assert msg.content == PLAIN.partition(b"\r\n\r\n")[0] + b"\r\n\r\nnew\r\n.x\r\n"


@row("msg:body")
@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\r\n", "a\r\nb\r\n.\r\n", "a\rb"])
def test_lines_are_made_whole(text: str) -> None:
    msg = message()
    assert msg.body(text) == "a\r\nb\r\n"


@row("msg:body")
def test_body_set_to_itself_changes_nothing() -> None:
    msg = message(wire("A: 1", "", "..", "...x", ".", "", ".y"))
    before = msg.content
    msg.body(msg.body())
    assert msg.content == before
    msg.body(msg.body() + ".\r\n")
    assert msg.content == before


@row("msg:body")
def test_setting_the_body_needs_a_string() -> None:
    with pytest.raises(LuaError, match="bad argument #1 to 'body'"):
        message().body(None)


@row("msg:body")
def test_setting_the_body_raises_in_set_binding() -> None:
    msg = message()
    with policy("validate_set_binding", phase="set_binding"):
        assert msg.body().startswith("Dear")
        with pytest.raises(LuaError, match="set_binding"):
            msg.body("x")


@row("msg:body")
def test_a_body_that_looks_like_headers_stays_a_body() -> None:
    msg = message(b"")
    msg.body("From: x\r\n")
    assert msg.body() == "From: x\r\n"
    assert message(msg.content).body() == "From: x\r\n"


@row("msg:raw")
def test_raw_gives_text_and_length() -> None:
    text, length = message().raw()
    assert to_str(PLAIN).replace("\n.d", "\n..d") == text
    assert length == len(text)


@row("msg:raw")
def test_setting_raw_replaces_everything() -> None:
    msg = message()
    assert msg.raw("A: 1\r\n\r\nx\r\n.\r\n") == ("A: 1\r\n\r\nx\r\n", 11)
    assert msg.header("A")[1] == "1"
    assert msg.header("Subject")[1] is None


@row("msg:raw")
def test_raw_survives_every_byte() -> None:
    every = bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"")
    msg = message(b"A: 1\r\n\r\n" + every + b"\r\n")
    msg.raw(msg.raw()[0])
    assert msg.content == b"A: 1\r\n\r\n" + every + b"\r\n"


@row("msg:get_message_size")
def test_size_counts_stuffed_dots() -> None:
    assert message().get_message_size() == len(PLAIN) + 1
    assert message(b"").get_message_size() == 0


@row("msg:text")
def test_text_of_one_part_is_a_string() -> None:
    assert message().text() == "Dear Bob,\r\n.dotted\r\nbye\r\n"


@row("msg:text")
def test_text_of_several_parts_is_a_table_of_utf8() -> None:
    found = message(ALTERNATIVE).text()
    assert isinstance(found, Table)
    assert [found[1], found[2], found[3]] == [u8("Grüße aus Köln"), u8("<b>Grüße</b>"), None]
    nested = message(NESTED).text()
    assert [nested[at] for at in (1, 2, 3)] == ["plain text", "<p>html</p>", "inside"]


@row("msg:text")
def test_without_a_text_part_there_is_nil() -> None:
    assert message(wire("Content-Type: image/png", "", "xx")).text() is None


@row("msg:text")
def test_bytes_that_are_no_text_show_as_replacement() -> None:
    msg = message(wire("Content-Type: text/plain; charset=utf-8", "", b"a\xffb"))
    assert msg.text() == u8("a\N{REPLACEMENT CHARACTER}b\r\n")


@row("msg:text")
def test_setting_ascii_text() -> None:
    msg = message(ALTERNATIVE)
    assert msg.text("hello\n.there") is True
    assert msg.text() == "hello\r\n.there\r\n"
    assert msg.header("content-type")[1] == "text/plain; charset=us-ascii"
    assert msg.header("content-transfer-encoding")[1] == "7bit"
    assert msg.header("from")[1] == "ann@example.test"
    assert msg.header("mime-version")[1] == "1.0"
    assert msg.content.endswith(b"\r\n\r\nhello\r\n.there\r\n")


@row("msg:text")
def test_setting_text_with_type_and_charset() -> None:
    msg = message()
    assert msg.text(u8("<p>Grüße</p>\r\n"), "text/html", "iso-8859-1") is True
    assert msg.header("content-type")[1] == "text/html; charset=iso-8859-1"
    assert b"<p>Gr=FC=DFe</p>\r\n" in msg.body_block
    assert msg.text() == u8("<p>Grüße</p>\r\n")


@row("msg:text")
def test_text_that_does_not_fit_its_charset_raises() -> None:
    msg = message()
    for charset, text in (("us-ascii", u8("ü")), ("iso-8859-1", u8("€")), ("nope", "x")):
        with pytest.raises(LuaError, match=r"charset|fit"):
            msg.text(text, "text/plain", charset)
    assert msg.content == PLAIN


@row("msg:body_match")
def test_body_match_searches_undecoded() -> None:
    msg = message(ALTERNATIVE)
    found, error, offset = msg.body_match("Gr=C3=(?<byte>..)(x)?")
    assert isinstance(found, Table)
    assert (found[0], found[1], found["byte"], found[2]) == ("Gr=C3=BC", "BC", "BC", None)
    assert (error, offset) == (None, None)
    assert msg.body_match("From:") == (False, None, None)


@row(
    "msg:body_match",
)
def test_a_bad_pattern_is_told() -> None:
    found, error, offset = message().body_match("a(b")
    assert (found, offset) == (False, 3)
    assert isinstance(error, str)
    assert "parenthes" in error


@row("msg:body_replace")
def test_body_replace_replaces_all() -> None:
    msg = message()
    assert msg.body_replace("(?m)^(b)(o)?", "<$1$2>") is True
    assert msg.content.endswith(b"Dear Bob,\r\n.dotted\r\n<b>ye\r\n")
    assert msg.body_replace("zzz", "y") is False
    assert msg.body_replace("a(", "y") is False


@row("msg:raw_match")
def test_raw_match_sees_headers_and_body() -> None:
    found, *_ = message().raw_match(r"(?s)Subject: (\w+).*Dear")
    assert found[1] == "Hello"
    assert message().raw_match("zzz")[0] is False


@row("msg:raw_replace")
def test_raw_replace_reads_the_headers_anew() -> None:
    msg = message()
    assert (
        msg.raw_replace("(?m)^X-Tag: one$", "X-Other: 1") is False
    )  # `$` stands before \n, not \r
    assert msg.raw_replace("X-Tag: one\r\n", "X-Other: 1\r\n") is True
    assert (msg.header("X-Other")[1], msg.header("X-Tag")[1]) == ("1", "two")


@row("msg:text_match")
def test_text_match_searches_decoded_text_in_order() -> None:
    msg = message(ALTERNATIVE)
    assert msg.text_match(u8("Gr(ü)"))[0][1] == u8("ü")
    assert msg.text_match("<b>")[0][0] == "<b>"
    assert msg.text_match("boundary") == (False, None, None)
    assert msg.text_match("a(b")[2] == 3


@row("msg:text_match")
def test_a_dot_matches_a_whole_character() -> None:
    assert message(ALTERNATIVE).text_match("Gr.(.)e")[0][1] == u8("ß")


@row("msg:text_replace")
def test_text_replace_keeps_encoding_charset_and_other_parts() -> None:
    msg = message(ALTERNATIVE)
    assert msg.text_replace(u8("Köln"), u8("Düren")) is True
    assert msg.content == ALTERNATIVE.replace(b"K=C3=B6ln", b"D=C3=BCren")
    assert msg.text_replace("<b>(.*)</b>", u8("<i>$1 ü</i>")) is True
    assert b"<i>Gr\xfc\xdfe \xfc</i>\r\n--b1--" in msg.content


@row("msg:text_replace")
def test_text_replace_without_a_match_changes_nothing() -> None:
    msg = message(ALTERNATIVE)
    assert msg.text_replace("zzz", "x") is False
    assert msg.text_replace("(", "x") is False
    assert msg.content == ALTERNATIVE


@row("msg:text_replace")
def test_a_plain_part_gets_an_encoding_only_when_it_needs_one() -> None:
    msg = message(wire("Content-Type: text/plain; charset=utf-8; format=flowed", "", "hi Bob"))
    assert msg.text_replace("Bob", "Ann") is True
    assert msg.header("content-transfer-encoding")[1] is None
    assert msg.text_replace("Ann", u8("Änn")) is True
    assert msg.header("content-transfer-encoding")[1] == "quoted-printable"
    assert msg.text() == u8("hi Änn\r\n")


@row("msg:text_replace")
def test_a_character_the_charset_lacks_makes_it_utf8() -> None:
    msg = message(wire("Content-Type: text/plain; charset=us-ascii; format=flowed", "", "hi"))
    assert msg.text_replace("hi", u8("hé")) is True
    assert msg.header("content-type")[1] == "text/plain; charset=utf-8; format=flowed"
    assert msg.text() == u8("hé\r\n")


@row("msg:text_replace")
def test_damaged_bytes_survive_a_replacement_beside_them() -> None:
    msg = message(
        wire(
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            "",
            b"a\xff\xfe hi \xc3",
        )
    )
    assert msg.text_replace("hi", u8("hé")) is True
    assert msg.body_block == b"a\xff\xfe h\xc3\xa9 \xc3\r\n"


@row("msg:text_replace")
def test_the_end_marker_can_be_replaced_in_a_single_part() -> None:
    """A published script adds a disclaimer this way."""
    msg = message()
    assert msg.text_replace("\r\n.\r\n", "\r\nDisclaimer\r\n.\r\n") is True
    assert msg.content == PLAIN + b"Disclaimer\r\n"


@row("msg:text_replace")
def test_charsets_of_several_bytes() -> None:
    text = "日本語 test"
    msg = message(
        wire("Content-Type: text/plain; charset=iso-2022-jp", "", text.encode("iso-2022-jp"))
    )
    assert msg.text() == u8(text + "\r\n")
    assert msg.text_replace("test", u8("テスト")) is True
    assert msg.body_block == "日本語 テスト\r\n".encode("iso-2022-jp")
