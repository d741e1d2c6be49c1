"""JSON as userdata: views that share their parts, exact text, codes for every mistake."""

from __future__ import annotations

import json as stdlib_json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msys import json
from msys.lua import LuaError, Table, invoke, iterate, length, tostring, u8
from msys.lua.bytestr import to_bytes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=5))
def test_text_survives_decoding_and_printing(value: dict) -> None:
    found, code, problem = json.decode(u8_json(value))
    assert (code, problem) == (None, None)
    assert stdlib_json.loads(to_bytes(tostring(found))) == value


def u8_json(value: object) -> str:
    return stdlib_json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode("latin-1")


@pytest.mark.row("json.decode")
def test_reading_writing_deleting_and_sharing() -> None:
    found, _, _ = json.decode('{"a": {"n": 1}, "list": [10, null, "x"], "gone": 1}')
    part = found["a"]
    part["n"] = 2
    found["gone"] = None
    found["list"][4] = True
    assert tostring(found) == '{ "a": { "n": 2 }, "list": [ 10, null, "x", true ] }'
    assert found["list"][1] == 10
    assert found["list"][2] is None and found["list"][9] is None and found["nothing"] is None
    assert length(found["list"]) == 4 and length(found) == 0
    assert found["a"] == part


def test_scalars_are_native_and_bytes_pass() -> None:
    assert json.decode("12")[0] == 12
    assert json.decode(" true ")[0] is True
    assert json.decode("null") == (None, None, None)
    assert json.decode('"\\u00e9"')[0] == u8("é")
    assert json.decode('"\xff"')[0] == "\xff"
    assert json.decode('"\\ud83d\\ude00"')[0] == u8("😀")
    assert json.decode("[1.5, 2.0, 1e3]")[0][2] == 2


def test_the_generic_for_walks_members_in_order() -> None:
    found, _, _ = json.decode('{"b": 1, "a": [2]}')
    seen = [(key, tostring(value)) for key, value in iterate(2, found)]
    assert seen == [("b", "1"), ("a", "[ 2 ]")]
    assert list(iterate(2, json.decode("[5, 6]")[0])) == [(1, 5), (2, 6)]


@pytest.mark.row("json.new")
def test_lua_values_become_json_by_the_rule() -> None:
    assert tostring(json.encode(42)) == "42"
    assert tostring(json.encode('a"\n\x01')) == '"a\\"\\n\\u0001"'
    assert tostring(json.encode(3.5)) == "3.500000"
    assert tostring(json.encode(Table())) == "{ }"
    assert (
        tostring(json.encode(Table({1: "x", 2: Table({"k": True}), 4: 9})))
        == '[ "x", { "k": true } ]'
    )
    assert tostring(json.encode(Table({2: "x", "a": False}))) == '{ "2": "x", "a": false }'
    made = json.new()
    made["t"] = Table({1: 1})
    assert tostring(made) == '{ "t": [ 1 ] }'
    with pytest.raises(LuaError, match="cannot convert a function to json"):
        json.encode(print)


@pytest.mark.row("json.encode")
def test_wrong_assignments_say_what_is_wrong() -> None:
    items = json.encode(Table({1: 1}))
    for key, value, text in (
        (1, None, "cannot delete from json arrays"),
        ("x", 1, "json array index must be numeric"),
        (0, 1, "lua array semantics"),
    ):
        with pytest.raises(LuaError, match=text):
            items[key] = value
    scalar = json.encode(1)
    with pytest.raises(LuaError, match="cannot assign to this type of json object"):
        scalar["x"] = 1


@pytest.mark.row("json.strerror")
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "ERROR_PARSE_EOF"),
        ("{", "ERROR_PARSE_EOF"),
        ('["a', "ERROR_PARSE_EOF"),
        ("[1,", "ERROR_PARSE_EOF"),
        ("[1] 2", "ERROR_PARSE_UNEXPECTED"),
        ("[nul]", "ERROR_PARSE_NULL"),
        ("[tru]", "ERROR_PARSE_BOOLEAN"),
        ("[-]", "ERROR_PARSE_NUMBER"),
        ("[NaN]", "ERROR_PARSE_NUMBER"),
        ("[1 2]", "ERROR_PARSE_ARRAY"),
        ("{1: 2}", "ERROR_PARSE_OBJECT_KEY_NAME"),
        ('{"a" 2}', "ERROR_PARSE_OBJECT_KEY_SEP"),
        ('{"a": 2 "b": 3}', "ERROR_PARSE_OBJECT_VALUE_SEP"),
        ('["\\x"]', "ERROR_PARSE_STRING"),
        ("[/* x */]", "ERROR_PARSE_COMMENT"),
        ("[" * 100_000, "ERROR_DEPTH"),
    ],
)
def test_every_mistake_has_its_code(text: str, name: str) -> None:
    value, code, problem = json.decode(text)
    assert value is None
    assert code == getattr(json, name)
    assert problem == json.strerror(code)


def test_unknown_codes_and_nil() -> None:
    assert json.strerror(99) == "unknown error"
    with pytest.raises(LuaError, match="bad argument #1 to 'decode'"):
        json.decode(None)


def test_methods_and_concatenation_are_refused() -> None:
    with pytest.raises(LuaError):
        invoke(json.new(), "keys")
