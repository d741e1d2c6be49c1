"""Header fields of messages: what policy reads, and what the bytes look like after it wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msys.lua import LuaError, Table, u8
from msys.testing.policy import policy
from testkit.messages import ALTERNATIVE, PLAIN, message, wire

header = pytest.mark.row("msg:header")


def texts(table: Table) -> list[str]:
    return [table[at] for at in range(1, len(table) + 1)]


@header
def test_values_come_in_order_whatever_the_case() -> None:
    assert texts(message().header("X-TAG")) == ["one", "two"]


@header
def test_absent_header_reads_as_empty_table() -> None:
    found = message().header("Nope")
    assert isinstance(found, Table)
    assert found[1] is None


@header
def test_values_are_unfolded_and_decoded() -> None:
    msg = message(
        wire(
            "Subject: =?utf-8?Q?Gr=C3=BC?= =?UTF-8?B?w59l?=",
            "\t=?iso-8859-1?q?_K=F6ln?= (x)",
            "X-Half: =?utf-8?q?=C3?= =?utf-8?q?=A9?=",
            "X-Bad: =?nope?q?x?= =?utf-8?b?!!!?=",
            "X-Raw: caf\xe9",
            "",
        )
    )
    assert texts(msg.header("subject")) == [u8("Grüße Köln (x)")]
    assert texts(msg.header("x-half")) == [u8("é")]
    assert texts(msg.header("x-bad")) == ["=?nope?q?x?= =?utf-8?b?!!!?="]
    assert texts(msg.header("x-raw")) == [u8("café")]


@header
def test_replace_removes_all_and_adds_at_the_end() -> None:
    msg = message()
    assert msg.header("x-Tag", "new") is True
    assert texts(msg.header("X-Tag")) == ["new"]
    assert msg.content == PLAIN.replace(b"X-Tag: one\r\nx-tag: two\r\n", b"x-Tag: new\r\n")


@header
def test_modes_prepend_and_append() -> None:
    msg = message(wire("A: 1", "", "body"))
    assert msg.header("B", "first", "prepend") is True
    assert msg.header("A", "2", "append") is True
    assert msg.header("C", Table({1: "x", 2: "y"}), "prepend") is True
    assert msg.content == wire("C: x", "C: y", "B: first", "A: 1", "A: 2", "", "body")


@header
def test_nil_mode_means_replace() -> None:
    msg = message(wire("A: 1", "", "body"))
    assert msg.header("A", "2", None) is True
    assert msg.content == wire("A: 2", "", "body")


@header
@pytest.mark.parametrize("nothing", ["", None], ids=["empty", "nil"])
def test_empty_and_nil_delete_every_instance(nothing: object) -> None:
    msg = message()
    assert msg.header("x-tag", nothing) is True
    assert msg.content == PLAIN.replace(b"X-Tag: one\r\nx-tag: two\r\n", b"")
    assert msg.header("x-tag", nothing) is False


@header
def test_deletion_takes_folded_lines_along() -> None:
    msg = message(wire("A: 1", " more", "\tand more", "B: 2", "", "x"))
    assert msg.header("a", None) is True
    assert msg.content == wire("B: 2", "", "x")


@header
def test_body_bytes_are_the_same_object_after_a_header_edit() -> None:
    msg = message(ALTERNATIVE)
    body = msg.body_block
    msg.header("X-New", "1")
    assert msg.body_block is body


@header
def test_text_is_encoded_and_folded() -> None:
    msg = message(wire("", "x"))
    long = "word " * 60 + "end"
    msg.header("X-Long", long)
    msg.header("Subject", u8("Grüße aus Köln ") * 8 + "plain")
    msg.header("From", u8('"Müller, Jürgen" <j@example.test>'))
    assert all(len(line) <= 78 for line in msg.header_block.split(b"\r\n"))
    assert msg.header_block.isascii()
    assert texts(msg.header("X-Long")) == [long]
    assert texts(msg.header("Subject")) == [u8("Grüße aus Köln ") * 8 + "plain"]
    assert texts(msg.header("From")) == [u8("Müller, Jürgen <j@example.test>")]


@header
def test_folding_makes_no_blank_line_and_takes_no_time() -> None:
    msg = message(wire("", "x"))
    for value in (
        "a" * 90 + " " * 90 + "b" * 90 + " " * 90 + "c",
        "w" * 500_000,
        "word " * 100_000,
    ):
        msg.header("X", value)
        assert not any(line.strip() == b"" for line in msg.header_block.split(b"\r\n")[:-2])
        assert msg.header("X")[1] == value.strip()


@header
def test_bytes_that_are_no_utf8_are_taken_for_latin_1() -> None:
    msg = message(wire("", "x"))
    msg.header("Subject", "caf\xe9")
    assert msg.header_block == b"Subject: =?iso-8859-1?q?caf=E9?=\r\n\r\n"


@header
@pytest.mark.parametrize(
    "value", ["a\r\nEvil: 1", "a\rb", "a\nb", "a\r\n", "a\0b", "x\r\n\r\nbody"]
)
def test_a_line_end_that_does_not_fold_is_refused(value: str) -> None:
    msg = message()
    with pytest.raises(LuaError, match="does not fold"):
        msg.header("X", value)
    assert msg.content == PLAIN


@header
def test_folds_of_the_script_are_kept() -> None:
    msg = message(wire("", "x"))
    msg.header("X", "a\r\n b\n\tc")
    assert msg.content == wire("X: a", " b", "\tc", "", "x")


@header
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((None,), "bad argument #1 to 'header' (string expected, got nil)"),
        (("a b",), "is not the name of a header"),
        (("",), "is not the name of a header"),
        (("X", True), "bad argument #2 to 'header' (string expected, got boolean)"),
        (("X", Table({1: Table()})), "string expected at index 1, got table"),
        (("X", "v", "sideways"), "invalid mode 'sideways'"),
    ],
)
def test_wrong_arguments_raise_in_lua_words(arguments: tuple[object, ...], text: str) -> None:
    with pytest.raises(LuaError) as caught:
        message().header(*arguments)
    assert text in str(caught.value)


@header
def test_numbers_are_text() -> None:
    msg = message(wire("", "x"))
    msg.header("X-Score", 4.5)
    assert texts(msg.header("X-Score")) == ["4.5"]


@header
def test_writing_raises_in_set_binding_and_reading_does_not() -> None:
    msg = message()
    with policy("validate_set_binding", phase="set_binding", message=msg):
        assert texts(msg.header("Subject")) == ["Hello"]
        with pytest.raises(LuaError, match="set_binding"):
            msg.header("Subject", "x")


@header
def test_before_data_there_are_no_headers_to_write() -> None:
    msg = message(b"")
    with policy("validate_rcptto", phase="rcptto", message=msg):
        assert texts(msg.header("Subject")) == []
        with pytest.raises(LuaError, match="before DATA"):
            msg.header("Subject", "x")


@header
def test_a_message_without_blank_line_gets_one_with_its_first_header() -> None:
    msg = message(b"not a header\r\nmore\r\n")
    msg.header("A", "1")
    assert msg.content == b"A: 1\r\n\r\nnot a header\r\nmore\r\n"


@header
@given(
    st.binary(max_size=200),
    st.text(alphabet=st.characters(max_codepoint=255), max_size=120),
    st.sampled_from(["replace", "prepend", "append"]),
)
def test_any_value_reads_back_or_is_refused(content: bytes, value: str, mode: str) -> None:
    msg = message(content)
    body = msg.body_block
    try:
        msg.header("X-Fuzz", value, mode)
    except LuaError:
        return
    assert msg.body_block == body
    assert msg.content == msg.header_block + body
    again = message(msg.content)
    assert texts(again.header("x-fuzz")) == texts(msg.header("x-fuzz"))


@given(st.lists(st.text(alphabet='aé ü\t,<@>"\\', max_size=60), max_size=4))
def test_encoded_words_survive_the_way_out_and_in(words: list[str]) -> None:
    value = u8(" ".join(words)).strip(" \t")
    if not value:
        return
    msg = message(wire("", "x"))
    msg.header("Subject", value)
    assert msg.header_block.isascii()
    assert texts(msg.header("Subject")) == [value]


def test_address_header_takes_addresses_apart() -> None:
    msg = message(wire("To: Ann <ann+x@e.test>, G: b@f.test, c@g.test;", "To: d@h.test", "", ""))
    assert texts(msg.address_header("to")) == ["ann+x@e.test", "b@f.test", "c@g.test", "d@h.test"]
    assert texts(msg.address_header("to", "domain")) == ["e.test", "f.test", "g.test", "h.test"]
    assert texts(msg.address_header("to", "user"))[0] == "ann"
    assert texts(msg.address_header("to", "detail")) == ["x", "", "", ""]
    assert texts(msg.address_header("to", "localpart"))[0] == "ann+x"
    assert texts(msg.address_header("cc", None)) == []
    with pytest.raises(LuaError, match="invalid component"):
        msg.address_header("to", "host")
