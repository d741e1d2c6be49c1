"""Tables and the table library: keys, borders, walks, and random operations compared with lua5.1."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from msys.lua import (
    FALSE_KEY,
    TRUE_KEY,
    LuaError,
    Table,
    index,
    ipairs,
    iterate,
    length,
    lt,
    next,
    pairs,
    pcall,
    setindex,
    table,
    table_of,
)
from msys.lua.lib import base
from msys.lua.tables import live_items
from testkit.oracle import ask_lua, literal, needs_lua, show_all
from testkit.vectors import Vector, agree


def test_a_missing_key_reads_as_nil_and_tables_are_themselves() -> None:
    t = Table({"x": 1})
    assert t["x"] == 1 and t["y"] is None
    assert t != Table({"x": 1}) and t == t
    assert {t: 1}[t] == 1
    assert bool(Table()) is True


def test_array_constructor_drops_trailing_nils_only() -> None:
    assert dict(Table.array(1, None, 3, None)) == {1: 1, 2: None, 3: 3}
    assert length(Table.array(1, None, 3)) == 3
    assert length(Table.array(None, None)) == 0


def test_true_and_one_are_two_keys() -> None:
    t = Table()
    setindex(t, True, "yes")
    setindex(t, 1, "one")
    setindex(t, False, "no")
    setindex(t, 0, "zero")
    assert (index(t, True), index(t, 1), index(t, False), index(t, 0)) == (
        "yes",
        "one",
        "no",
        "zero",
    )
    assert t[TRUE_KEY] == "yes" and t[FALSE_KEY] == "no"
    assert [(key, value) for key, value in pairs(t)] == [
        (True, "yes"),
        (1, "one"),
        (False, "no"),
        (0, "zero"),
    ]
    assert [key is True for key, _ in pairs(t)] == [True, False, False, False]
    assert table_of([(True, "a"), (1, "b"), ("n", None)], "c")[1] == "c"


def test_a_whole_float_is_the_same_key() -> None:
    t = Table({2: "two"})
    assert t[2.0] == "two"
    setindex(t, 2.0, "again")
    assert length(Table({1.0: 1, 2: 2})) == 2 and dict(t) == {2: "again"}


@pytest.mark.parametrize(
    ("key", "text"), [(None, "table index is nil"), (math.nan, "table index is NaN")]
)
def test_nil_and_nan_are_no_keys(key: Any, text: str) -> None:
    assert pcall(setindex, Table(), key, 1) == (False, text)
    assert pcall(base.rawset, Table(), key, 1) == (False, text)
    assert index(Table(), key) is None
    with pytest.raises(LuaError):
        table_of([(key, 1)])


def test_storing_nil_removes() -> None:
    t = Table({"x": 1})
    setindex(t, "x", None)
    setindex(t, "never", None)
    assert len(t) == 0


def test_a_tombstone_is_not_walked_measured_or_counted() -> None:
    t = Table({1: "a", 2: None, "x": None, "y": 1})
    assert list(pairs(t)) == [(1, "a"), ("y", 1)]
    assert list(live_items(t)) == [(1, "a"), ("y", 1)]
    assert length(t) == 1
    assert next(Table({"x": None})) is None
    assert list(ipairs(Table({1: "a", 2: None, 3: "c"}))) == [(1, "a")]


def test_pairs_sees_removals_and_changes_but_no_additions() -> None:
    t = Table({1: "a", 2: "b", 3: "c"})
    seen = []
    for key, value in pairs(t):
        seen.append((key, value))
        t[2] = None
        t[3] = "changed"
        t[4] = "new"
    assert seen == [(1, "a"), (3, "changed")]


def test_next_walks_while_keys_are_removed() -> None:
    t = Table({key: key for key in "abcdef"})
    seen = []
    key = None
    while True:
        found = next(t, key)
        if found is None:
            break
        key = found[0]
        seen.append(key)
        t.pop(key, None)
    assert seen == list("abcdef") and next(t) is None


def test_walks_with_next_may_be_nested_and_broken_off() -> None:
    outer, inner = Table({"a": 1, "b": 2}), Table({"x": 1, "y": 2, 3: 3})
    seen = []
    key = None
    while (found := next(outer, key)) is not None:
        key = found[0]
        other = None
        while (step := next(inner, other)) is not None:
            other = step[0]
            seen.append((key, other))
            if other == "y":
                break
    assert seen == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    for _ in range(50):
        broken = Table({1: 1, 2: 2, 3: 3})
        assert next(broken, 1) == (2, 2)


def test_next_refuses_a_key_that_was_never_there() -> None:
    assert pcall(next, Table({"a": 1}), "b") == (False, "invalid key to 'next'")
    assert pcall(next, None)[1] == "bad argument #1 to 'next' (table expected, got nil)"


def test_generic_for_over_the_triple_and_over_functions() -> None:
    t = Table.array("a", "b")
    assert list(iterate(2, *base.pairs(t))) == [(1, "a"), (2, "b")]
    assert list(iterate(1, *base.pairs(t))) == [1, 2]
    assert list(iterate(2, *base.ipairs(t))) == [(1, "a"), (2, "b")]
    assert list(iterate(3, *base.ipairs(t))) == [(1, "a", None), (2, "b", None)]
    assert list(iterate(1, lambda limit, last: last + 1 if last < limit else None, 3, 0)) == [
        1,
        2,
        3,
    ]
    assert pcall(iterate, 1, None) == (False, "attempt to call a nil value")
    assert pcall(iterate, 1, t) == (False, "attempt to call a table value")


# --- compared with lua5.1 -------------------------------------------------------------------------------------

_PRELUDE = """
local function dump(t)
  local keys, out = {}, {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys, function (a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do out[#out + 1] = tostring(k) .. "=" .. tostring(t[k]) end
  return table.concat(out, ",")
end
local function insert(t, ...) table.insert(t, ...) return #t, dump(t) end
local function remove(t, ...)
  local n = select('#', table.remove(t, ...))
  return n, #t, dump(t)
end
local function sort(t, f) table.sort(t, f) return dump(t) end
local function size(t) return #t end
"""


def dump(t: Table) -> str:
    from msys.lua import tostring

    shown = {tostring(key): tostring(value) for key, value in pairs(t)}
    return ",".join(f"{key}={shown[key]}" for key in sorted(shown))


def lists(dice: random.Random) -> list[Any]:
    kinds: list[Any] = [1, 2, 3, 10, -1, 2.5, "a", "b", "B", "10"]
    return [dice.choice(kinds) for _ in range(dice.randint(0, 6))]


@needs_lua
def test_random_inserts_and_removes() -> None:
    dice = random.Random(3)
    questions, answers = [], []
    for _ in range(300):
        items = lists(dice)
        place: list[Any] = dice.choice(
            [[], [1], [2], [len(items)], [len(items) + 1], [0], [-1], [99], ["1"], [1.5]]
        )
        questions.append(f"insert({', '.join(map(literal, [items, *place, 'new']))})")
        mine = Table.array(*items)
        table.insert(mine, *place, "new")
        answers.append(
            show_all([True, length(mine), dump(mine)]) if place not in ([99], [-1], [0]) else None
        )
        questions.append(f"remove({', '.join(map(literal, [items, *place]))})")
        mine = Table.array(*items)
        removed = table.remove_values(mine, *place)
        answers.append(show_all([True, 0 if removed == () else 1, length(mine), dump(mine)]))
    for question, mine_shown, theirs in zip(
        questions, answers, ask_lua(questions, _PRELUDE), strict=True
    ):
        if mine_shown is not None:
            assert mine_shown == theirs, question


@needs_lua
def test_sort_with_and_without_an_order() -> None:
    dice = random.Random(5)
    questions, answers = [], []
    for _ in range(200):
        numbers = [
            dice.choice([dice.randint(-9, 9), dice.random()]) for _ in range(dice.randint(0, 12))
        ]
        words = [
            "".join(dice.choice("abAB\xe9") for _ in range(3)) for _ in range(dice.randint(0, 12))
        ]
        mixed = lists(dice)
        for items in (numbers, words, mixed):
            mine = Table.array(*items)
            outcome = pcall(table.sort, mine)
            questions.append(f"sort({literal(items)})")
            answers.append(show_all([True, dump(mine)]) if outcome[0] else "false")
        mine = Table.array(*numbers)
        table.sort(mine, lambda a, b: b < a)
        questions.append(f"sort({literal(numbers)}, function (a, b) return a > b end)")
        answers.append(show_all([True, dump(mine)]))
    for question, mine_shown, theirs in zip(
        questions, answers, ask_lua(questions, _PRELUDE), strict=True
    ):
        assert theirs.startswith(mine_shown), question


def test_sort_survives_an_order_that_contradicts_itself() -> None:
    t = Table.array(*range(50))
    table.sort(t, lambda a, b: True)
    assert sorted(t.values()) == list(range(50))


def test_sort_passes_on_the_error_of_its_order() -> None:
    def fails(a: Any, b: Any) -> Any:
        raise LuaError("no order", positioned=True)

    assert pcall(table.sort, Table.array(1, 2), fails) == (False, "no order")
    assert pcall(table.sort, Table.array(1, "x"))[1] == "attempt to compare string with number"
    assert pcall(lt, Table(), Table()) == (False, "attempt to compare two table values")


@needs_lua
def test_borders_of_sequences_with_other_keys() -> None:
    questions, mine = [], []
    for size, others in itertools.product((0, 1, 2, 5, 17, 100), (0, 1, 3, 50)):
        items = {
            **{place: place for place in range(1, size + 1)},
            **{f"k{n}": n for n in range(others)},
        }
        questions.append(f"size({literal(items)})")
        mine.append(show_all([True, length(Table(items))]))
        shuffled = list(items.items())
        random.Random(size).shuffle(shuffled)
        assert length(Table(shuffled)) == size
    assert ask_lua(questions, _PRELUDE) == mine


@needs_lua
def test_library_functions_and_their_complaints() -> None:
    vectors: list[Vector] = []
    items: list[Any] = [
        [],
        [1],
        [1, 2, 3],
        ["a", "b"],
        ["a", 1.5, "c"],
        ["a", {}, "c"],
        [True],
        {1: 1, 5: 5, "x": 1, 2.5: 1},
    ]
    for item in items:
        vectors += [
            ("table.concat", [item, *rest])
            for rest in ([], [","], [", ", 2], ["-", 1, 2], [1, 1, 1], [None], ["", 3, 1])
        ]
        vectors += [
            ("table.concat", [item, "", 1, 4]),
            ("table.maxn", [item]),
            ("table.getn", [item]),
            ("unpack", [item]),
        ]
        vectors += [
            ("unpack", [item, *rest])
            for rest in ([2], [1, 1], [1, 3], [3, 1], [0, 1], ["2"], [None, 2], [-1, 1])
        ]
        vectors += [("next", [item])] if len(item) <= 1 else []
        vectors += (
            [("select", [n, *item]) for n in (1, 2, -1, "#", 0, -9)]
            if isinstance(item, list) and {} not in item
            else []
        )
        vectors.append(("rawequal", [item, item]))
    for name in (
        "concat",
        "insert",
        "remove",
        "sort",
        "maxn",
        "getn",
        "setn",
        "foreach",
        "foreachi",
    ):
        vectors += [(f"table.{name}", args) for args in ([], [None], ["x"], [[]], [[], "x", 3, 4])]
    vectors += [
        ("unpack", []),
        ("unpack", [[], 1, 8001]),
        ("rawget", [[]]),
        ("rawget", [None, 1]),
        ("rawset", [[], 1]),
    ]
    vectors += [
        ("rawequal", [1]),
        ("rawequal", [1, "1"]),
        ("rawequal", ["a", "a"]),
        ("rawequal", [1, True]),
        ("rawequal", [-0.0, 0]),
    ]
    vectors += [
        ("select", []),
        ("select", ["x"]),
        ("select", [None]),
        ("next", []),
        ("next", ["x"]),
        ("pairs", [None]),
        ("ipairs", []),
    ]
    vectors += [
        ("setmetatable", [[]]),
        ("setmetatable", [[], 1]),
        ("setmetatable", [None, {}]),
        ("getmetatable", []),
        ("type", []),
    ]
    vectors += [
        ("tostring", []),
        ("assert", []),
        ("assert", [None]),
        ("assert", [False, "why"]),
        ("assert", [1, 2, 3]),
        ("assert", [None, {}]),
    ]
    vectors += [
        ("assert", [False, 5]),
        ("error", ["x", 0]),
        ("error", []),
        ("error", [{}]),
        ("error", [None, 2]),
        ("pcall", []),
        ("xpcall", [1]),
    ]
    vectors += [("collectgarbage", ["bogus"]), ("collectgarbage", ["stop"]), ("setfenv", [])]
    agree(vectors)


def test_foreach_stops_at_the_first_result() -> None:
    t = Table.array("a", "b", "c")
    seen: list[Any] = []

    def visit(key: Any, value: Any) -> Any:
        seen.append(key)
        return value if value == "b" else None

    assert table.foreach(t, visit) == "b" and seen == [1, 2]
    assert table.foreachi(t, lambda i, v: None) is None
    assert table.foreachi_values(t, lambda i, v: None) == ()
    assert table.remove(Table()) is None


def test_append_and_concat_of_numbers() -> None:
    t = Table()
    for item in ("a", 1, 2.0, 1e15):
        table.append(t, item)
    assert table.concat(t, " ") == "a 1 2 1e+15"
