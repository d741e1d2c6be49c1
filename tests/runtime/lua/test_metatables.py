"""Metatables: inheritance, events, late changes, protection, and tables that stay plain."""

from __future__ import annotations

from typing import Any

import pytest

from msys.lua import (
    Table,
    add,
    band,
    bnot,
    concat,
    cstr,
    eq,
    getmetatable,
    index,
    invoke,
    iterate,
    le,
    length,
    lt,
    neg,
    pairs,
    pcall,
    rawequal,
    rawget,
    rawset,
    setindex,
    setmetatable,
    sub,
    tostring,
)


def many(metatable: Table, count: int = 3) -> list[Table]:
    """Several tables with one metatable: the first is served in general, later ones by a class of their own."""
    return [setmetatable(Table(), metatable) for _ in range(count)]


def test_index_table_gives_what_is_missing() -> None:
    base = Table({"color": "red"})
    for t in many(Table({"__index": base})):
        assert t["color"] == "red" and t["size"] is None
        t["color"] = "blue"
        assert t["color"] == "blue" and base["color"] == "red"
        setindex(t, "color", None)
        assert t["color"] == "red"


def test_index_function_is_asked_with_table_and_key() -> None:
    for t in many(Table({"__index": lambda t, key: (t, key)[1]})):
        assert t["name"] == "name"
        assert index(t, True) is True and index(t, 1) == 1 and index(t, None) is None
        assert rawget(t, "name") is None


def test_inheritance_goes_through_several_tables() -> None:
    a = Table({"f": 1})
    b = setmetatable(Table({"g": 2}), Table({"__index": a}))
    for t in many(Table({"__index": b})):
        assert (t["f"], t["g"], t["h"]) == (1, 2, None)
    a["h"] = 3
    assert many(Table({"__index": b}))[0]["h"] == 3


def test_class_with_itself_as_index() -> None:
    account = Table()
    account["__index"] = account

    def deposit(self: Any, amount: Any) -> Any:
        self["balance"] = add(self["balance"], amount)
        return self["balance"]

    account["deposit"] = deposit
    account["balance"] = 0
    accounts = many(account, 4)
    assert [invoke(one, "deposit", n) for n, one in enumerate(accounts)] == [0, 1, 2, 3]
    assert account["balance"] == 0
    savings = setmetatable(Table(), account)
    savings["__index"] = savings
    savings["rate"] = 2
    for one in many(savings):
        assert one["rate"] == 2 and invoke(one, "deposit", 5) == 5


@pytest.mark.parametrize("tables", [1, 2, 5])
def test_late_changes_of_the_metatable_are_seen(tables: int) -> None:
    metatable = Table()
    made = many(metatable, tables)
    assert [t["x"] for t in made] == [None] * tables
    metatable["__index"] = Table({"x": "table"})
    assert [t["x"] for t in made] == ["table"] * tables
    metatable["__index"] = lambda t, key: "function"
    assert [t["x"] for t in made] == ["function"] * tables
    log: list[Any] = []
    metatable["__newindex"] = lambda t, key, value: log.append((key, value))
    for t in made:
        t["y"] = 1
        t.pop("z", None)
        setindex(t, "w", 2)
    assert log == [("y", 1), ("z", None), ("w", 2)] * tables
    metatable.pop("__newindex", None)
    for t in made:
        t["y"] = 3
        assert t["y"] == 3
    setindex(metatable, "__index", None)
    assert [t["x"] for t in made] == [None] * tables
    rawset(metatable, "__index", Table({"x": "raw"}))
    assert [t["x"] for t in made] == ["raw"] * tables


def test_newindex_function_table_and_chain() -> None:
    log: list[Any] = []
    for t in many(Table({"__newindex": lambda t, key, value: log.append((key, value))})):
        t["x"] = 1
        setindex(t, True, 2)
        assert rawget(t, "x") is None
        rawset(t, "x", 5)
        t["x"] = 6
        assert t["x"] == 6
        setindex(t, "x", None)
        assert rawget(t, "x") is None
    assert log == [("x", 1), (True, 2)] * 3
    store = Table()
    for t in many(Table({"__newindex": store})):
        setindex(t, "k", "v")
        assert rawget(t, "k") is None and store["k"] == "v"
        setindex(t, "k", None)
        assert store["k"] is None


def test_nil_key_goes_to_newindex_but_not_into_a_table() -> None:
    t = setmetatable(
        Table(), Table({"__newindex": lambda t, key, value: rawset(t, "nilkey", value)})
    )
    setindex(t, None, 1)
    assert t["nilkey"] == 1
    assert pcall(setindex, setmetatable(Table(), Table()), None, 1) == (False, "table index is nil")


def test_setmetatable_sweeps_tombstones() -> None:
    t = Table({"x": None, "y": 1})
    setmetatable(t, Table({"__index": Table({"x": "inherited"})}))
    assert t["x"] == "inherited" and t["y"] == 1


def test_arithmetic_and_bits_ask_left_then_right() -> None:
    def named(name: str) -> Any:
        return lambda *_: name

    metatable = Table(
        {f"__{name}": named(name) for name in ("add", "sub", "unm", "concat", "and", "not")}
    )
    a, b = many(metatable, 2)
    assert (add(a, 1), add(1, a), sub(a, b), neg(a), concat("x", a), concat(a, 1)) == (
        "add", "add", "sub", "unm", "concat", "concat",
    )  # fmt: skip
    assert (band(a, 1), band(1, a), bnot(a)) == ("and", "and", "not")
    assert pcall(add, Table(), 1) == (False, "attempt to perform arithmetic on a table value")
    assert pcall(add, "x", Table()) == (False, "attempt to perform arithmetic on a string value")
    assert pcall(cstr, a)[1] == "attempt to concatenate a table value"


def test_comparison_needs_the_same_handler_on_both_sides() -> None:
    calls: list[str] = []

    def less(x: Any, y: Any) -> Any:
        calls.append("lt")
        return lt(x["v"], y["v"])

    metatable = Table({"__lt": less, "__eq": lambda x, y: x["v"] == y["v"]})
    a, b, c = many(metatable)
    a["v"], b["v"], c["v"] = 1, 2, 1
    assert lt(a, b) and not lt(b, a) and le(a, c) and not le(b, a)
    assert (a < b, a <= b, a > b, a >= b) == (True, True, False, False)
    assert eq(a, c) and a == c and not eq(a, b) and a != b and not rawequal(a, c)
    other = setmetatable(
        Table({"v": 1}), Table({"__eq": lambda x, y: True, "__lt": lambda x, y: True})
    )
    assert not eq(a, other) and a != other
    assert pcall(lt, a, other) == (False, "attempt to compare two table values")
    assert pcall(lt, a, 1) == (False, "attempt to compare table with number")
    assert not eq(a, "x") and not eq(a, None)


def test_zero_from_a_comparison_is_true() -> None:
    a, b = many(Table({"__eq": lambda x, y: 0, "__lt": lambda x, y: 0}), 2)
    assert eq(a, b) and lt(a, b)


def test_le_is_asked_before_lt() -> None:
    a, b = many(Table({"__le": lambda x, y: "yes", "__lt": lambda x, y: False}), 2)
    assert le(a, b) is True and lt(a, b) is False


def test_call_gets_the_table_first() -> None:
    for t in many(Table({"__call": lambda self, *args: (self, *args)})):
        assert t(1, 2) == (t, 1, 2)
    assert pcall(Table()) == (False, "attempt to call a table value")
    assert pcall(setmetatable(Table(), Table())) == (False, "attempt to call a table value")


def test_tostring_and_protection() -> None:
    t = setmetatable(Table(), Table({"__tostring": lambda t: "me", "__metatable": "locked"}))
    assert tostring(t) == "me" and getmetatable(t) == "locked"
    assert pcall(setmetatable, t, Table()) == (False, "cannot change a protected metatable")
    assert tostring(Table()).startswith("table: 0x")


def test_len_is_ignored_for_tables_as_in_51() -> None:
    t = setmetatable(Table.array(1, 2), Table({"__len": lambda t: 99}))
    assert length(t) == 2


def test_iter_event_of_the_dialect() -> None:
    from msys.lua.lib import base

    t = setmetatable(Table.array("one", "two"), Table({"__iter": base.ipairs}))
    assert list(iterate(2, t)) == [(1, "one"), (2, "two")]


def test_metatable_can_be_taken_away_and_exchanged() -> None:
    first, second = Table({"__index": Table({"x": 1})}), Table({"__index": Table({"x": 2})})
    for t in many(first):
        assert t["x"] == 1
        setmetatable(t, second)
        assert t["x"] == 2 and getmetatable(t) is second
        setmetatable(t, None)
        assert t["x"] is None and getmetatable(t) is None and t.__class__ is Table
    first["__index"] = Table({"x": 3})
    assert many(first)[0]["x"] == 3


def test_a_metatable_may_be_its_own() -> None:
    t = Table({"x": 1})
    t["__index"] = lambda table, key: key
    setmetatable(t, t)
    assert t["x"] == 1 and t["y"] == "y"
    t["__newindex"] = lambda table, key, value: rawset(table, key, (value, "stored")[1])
    t["z"] = 1
    assert t["z"] == "stored"


def test_walking_is_raw() -> None:
    t = setmetatable(Table({"own": 1}), Table({"__index": Table({"inherited": 2})}))
    assert list(pairs(t)) == [("own", 1)]


def test_plain_tables_stay_plain() -> None:
    base = Table({"x": 1})
    many(Table({"__index": base}))
    assert base.__class__ is Table and Table().__class__ is Table


def test_string_methods_come_from_the_string_table(lua: Any) -> None:
    lua.globals["string"]["shout"] = lambda s: s.upper() + "!"
    assert invoke("hey", "shout") == "HEY!"
    assert index("hey", "len")("four") == 4
    assert pcall(invoke, "hey", "nothing")[1] == "attempt to call method 'nothing' (a nil value)"
    getmetatable("")["__add"] = lambda a, b: f"{a}+{b}"
    assert add("x", "y") == "x+y" and add("1", "2") == 3
