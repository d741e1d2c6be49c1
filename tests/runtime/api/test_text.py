"""Base64, quoted-printable, IDN, Dumper, addresses: text in, text out."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msys
from msys.lua import LuaError, Table, u8
from msys.lua.bytestr import to_bytes, to_str


@given(st.binary(max_size=300))
def test_base64_round_trips_and_is_the_standard_one(content: bytes) -> None:
    text = msys.base64.encode(to_str(content))
    assert text == base64.b64encode(content).decode()
    assert to_bytes(msys.base64.decode(text)) == content
    folded = msys.base64.encode(to_str(content), True)
    assert all(len(line) <= 76 for line in folded.split("\r\n"))
    assert to_bytes(msys.base64.decode(folded)) == content


@pytest.mark.row("msys.base64.encode")
def test_base64_folds_between_lines_only() -> None:
    assert msys.base64.encode("a" * 57, True) == "YWFh" * 19
    assert msys.base64.encode("a" * 58, "yes").count("\r\n") == 1


@pytest.mark.row("msys.base64.decode")
def test_base64_decodes_blanks_and_missing_padding_and_refuses_the_rest() -> None:
    assert msys.base64.decode("Zm\r\n9v \t") == "foo"
    assert msys.base64.decode("Zm8") == "fo"
    for bad in "Z", "Zm9v!", "Zm=9v":
        with pytest.raises(LuaError, match="not base64"):
            msys.base64.decode(bad)


def test_charsets_convert_from_and_to_utf8() -> None:
    assert msys.base64.encode(u8("é"), False, "ISO-8859-1") == "6Q=="
    assert msys.base64.decode("6Q==", "latin1") == u8("é")
    assert msys.qp.encode(u8("é"), "ISO-8859-1") == "=E9"
    assert msys.qp.decode("=E9", "ISO-8859-1") == u8("é")
    with pytest.raises(LuaError, match="unknown charset 'klingon'"):
        msys.qp.encode("x", "klingon")
    with pytest.raises(LuaError, match="cannot convert"):
        msys.qp.encode(u8("€"), "ISO-8859-1")


@given(st.binary(max_size=400))
def test_quoted_printable_round_trips_in_short_lines(content: bytes) -> None:
    content = content.replace(b"\r", b"").replace(b"\n", b"\r\n")
    text = msys.qp.encode(to_str(content))
    assert all(len(line) <= 76 for line in text.split("\r\n"))
    assert quopri.decodestring(to_bytes(text)) == content
    assert to_bytes(msys.qp.decode(text)) == content


@pytest.mark.row("msys.qp.decode")
@pytest.mark.row("msys.qp.encode")
def test_quoted_printable_keeps_trailing_blanks_and_stuffs_dots_that_wrapping_made() -> None:
    assert msys.qp.encode("a \nb") == "a=20\r\nb"
    wrapped = msys.qp.encode("x" * 75 + ".y", None, True)
    assert wrapped == "x" * 75 + "=\r\n..y"
    assert msys.qp.decode("a=zz") == "a=zz"


@pytest.mark.row("msys.idn.to_idn")
@pytest.mark.row("msys.idn.to_utf8")
def test_idn_both_ways() -> None:
    assert msys.idn.to_idn(u8("bücher.example")) == ("xn--bcher-kva.example", None)
    assert msys.idn.to_utf8("xn--bcher-kva.example") == (u8("bücher.example"), None)
    assert msys.idn.to_idn("plain.example") == ("plain.example", None)
    found, problem = msys.idn.to_idn("\xff\xfe")
    assert found is None and problem
    found, problem = msys.idn.to_utf8("xn--\xe9.example")
    assert found is None and problem


def test_dumper_writes_lua_source() -> None:
    table = Table(
        {"code": "550", "note": 'No "such"\n', 2: True, 1: "x", "end": 1.5, "a-b": Table()}
    )
    assert msys.dumper.Dumper(table) == (
        'return { [1]="x", [2]=true, ["a-b"]={ }, code="550", ["end"]=1.5, note="No \\"such\\"\\n" }'
    )
    assert msys.dumper.Dumper(None) == "return nil"
    assert msys.dumper.Dumper(7) == "return 7"
    loop = Table()
    loop["self"] = loop
    assert msys.dumper.Dumper(loop) == 'return { self="<cycle>" }'
    assert msys.dumper.Dumper(msys.json.new()) == 'return "<json:json>"'


@pytest.mark.row("msys.dumper.Dumper")
def test_dumper_text_runs_in_lua(lua51) -> None:
    table = Table({"a": Table({1: "x\ny", 2: 3}), "b": "\\\0z"})
    assert lua51(
        f"{msys.dumper.Dumper(table).replace('return', 'local t =', 1)} print(t.a[1], t.a[2], #t.b)"
    ) == ("x\ny\t3\t3\n")


@pytest.mark.row("msys.parseRFC2822Addresses")
@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("all", ["ann+news@example.test", "bob@b.test", "carl@c.test"]),
        ("localpart", ["ann+news", "bob", "carl"]),
        ("user", ["ann", "bob", "carl"]),
        ("detail", ["news", "", ""]),
        ("domain", ["example.test", "b.test", "c.test"]),
    ],
)
def test_header_addresses_by_component(component: str, expected: list[str]) -> None:
    header = '"Ann, A." <ann+news@example.test>, team: bob@b.test, Carl (boss) <carl@c.test>;'
    found = msys.parseRFC2822Addresses(header, component)
    assert list(found.values()) == expected


def test_header_addresses_empty_and_wrong() -> None:
    assert len(msys.parseRFC2822Addresses("", "all")) == 0
    with pytest.raises(LuaError, match="got 'whole'"):
        msys.parseRFC2822Addresses("a@b", "whole")
    with pytest.raises(LuaError, match="bad argument #1"):
        msys.parseRFC2822Addresses(None, "all")
