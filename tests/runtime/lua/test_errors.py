"""Errors: Python's exceptions in Lua's words, positions, levels, tracebacks, and what pcall must not catch."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import pytest

from msys import lua as L
from msys.lua import LineMap, LuaError, LuaExit, Table, Userdata, pcall, register_map, xpcall
from msys.lua.errors import ArgumentError, RuntimeFault
from msys.lua.explain import explain, on_internal_error
from msys.lua.linemap import forget_map

_numbers = itertools.count()


def generated(
    text: str, names: dict[str, Any], lines: dict[int, int] | None = None
) -> dict[str, Any]:
    """Run a module as if the compiler had made it; `names` maps expressions in it to what Lua calls them."""
    text = dedent(text).lstrip("\n")
    filename = f"/generated/policy{next(_numbers)}.py"
    marks = []
    for number, line in enumerate(text.splitlines(), 1):
        for piece, what in names.items():
            if (column := line.find(piece)) >= 0:
                marks.append([number, column, number, column + len(piece), number * 10, what])
    data = {
        "source": "policy.lua",
        "lines": lines or {n: n * 10 for n in range(1, text.count("\n") + 1)},
        "marks": marks,
    }
    register_map(filename, LineMap.from_json(data))
    module: dict[str, Any] = {name: getattr(L, name) for name in L.__all__}
    exec(compile(text, filename, "exec"), module)
    return module


@pytest.mark.parametrize(
    ("expression", "names", "text"),
    [
        ("t['x']", {"t['x']": "local 't'"}, "attempt to index local 't' (a nil value)"),
        ("t['x']['y']", {}, "attempt to index a nil value"),
        ("t()", {"t()": "global 't'"}, "attempt to call global 't' (a nil value)"),
        ("n()", {"n()": "field 'n'"}, "attempt to call field 'n' (a number value)"),
        ("s()", {}, "attempt to call a string value"),
        ("tab()", {"tab()": "upvalue 'tab'"}, "attempt to call upvalue 'tab' (a table value)"),
        (
            "t.header('x')",
            {"t.header": "local 'msg'"},
            "attempt to index local 'msg' (a nil value)",
        ),
        (
            "t + 1",
            {"t + 1": ["local 't'", ""]},
            "attempt to perform arithmetic on local 't' (a nil value)",
        ),
        (
            "1 - t",
            {"1 - t": ["", "field 'x'"]},
            "attempt to perform arithmetic on field 'x' (a nil value)",
        ),
        ("-t", {"-t": "local 't'"}, "attempt to perform arithmetic on local 't' (a nil value)"),
        (
            "add(1, t)",
            {"add(1, t)": ["", "global 't'"]},
            "attempt to perform arithmetic on global 't' (a nil value)",
        ),
        ("mul(tab, 1)", {}, "attempt to perform arithmetic on a table value"),
        (
            "neg('x')",
            {"neg('x')": "local 's'"},
            "attempt to perform arithmetic on local 's' (a string value)",
        ),
        ("t < 1", {}, "attempt to compare nil with number"),
        ("t > 1", {}, "attempt to compare number with nil"),
        ("lt(1, 'x')", {}, "attempt to compare number with string"),
        ("tab < tab", {}, "attempt to compare two table values"),
        ("f'{cstr(t)}!'", {}, "attempt to concatenate a nil value"),
        (
            "concat(tab, 'x')",
            {"concat(tab, 'x')": ["local 'a'", ""]},
            "attempt to concatenate local 'a' (a table value)",
        ),
        (
            "concat('x', True)",
            {"concat('x', True)": ["", "local 'b'"]},
            "attempt to concatenate local 'b' (a boolean value)",
        ),
        (
            "length(t)",
            {"length(t)": "local 't'"},
            "attempt to get length of local 't' (a nil value)",
        ),
        ("len(t)", {}, "attempt to get length of a nil value"),
        (
            "index(t, 'x')",
            {"index(t, 'x')": "local 't'"},
            "attempt to index local 't' (a nil value)",
        ),
        ("index(True, 'x')", {}, "attempt to index a boolean value"),
        (
            "setindex(n, 'x', 1)",
            {"setindex(n, 'x', 1)": "global 'n'"},
            "attempt to index global 'n' (a number value)",
        ),
        ("setindex(tab, None, 1)", {}, "table index is nil"),
        (
            "invoke(t, 'm')",
            {"invoke(t, 'm')": "local 't'"},
            "attempt to index local 't' (a nil value)",
        ),
        ("invoke(tab, 'm', 1)", {}, "attempt to call method 'm' (a nil value)"),
        ("call(t)", {"call(t)": "global 'f'"}, "attempt to call global 'f' (a nil value)"),
        ("nonnil(t, \"local 't'\")", {}, "attempt to index local 't' (a nil value)"),
        (
            "string.rep()",
            {"string.rep()": "field 'rep'"},
            "bad argument #1 to 'rep' (string expected, got no value)",
        ),
        (
            "string.rep('x', t)",
            {"string.rep('x', t)": "method 'rep'"},
            "bad argument #1 to 'rep' (number expected, got nil)",
        ),
        (
            "string.rep(t, 2)",
            {"string.rep(t, 2)": "method 'rep'"},
            "calling 'rep' on bad self (string expected, got nil)",
        ),
        (
            "string.upper(t)",
            {"string.upper(t)": "local 'up'"},
            "bad argument #1 to 'up' (string expected, got nil)",
        ),
        ("list(iterate(1, t))", {}, "attempt to call a nil value"),
        ("list(pairs(t))", {}, "bad argument #1 to 'pairs' (table expected, got nil)"),
        ("list(numeric_for(1, t))", {}, "'for' limit must be a number"),
        ("error('oops')", {}, "oops"),
        ("error(5)", {}, "5"),
        ("lua_assert(False, 'why')", {}, "why"),
    ],
)
def test_native_and_helper_errors_in_lua_words(
    expression: str, names: dict[str, Any], text: str | None
) -> None:
    module = generated(
        f"""
        t = None
        n, s, tab = 5, "s", Table()
        def run():
            return {expression}
        """,
        names,
    )
    assert pcall(module["run"]) == (False, f"policy.lua:40: {text}")


def test_stores_are_explained_too() -> None:
    module = generated(
        """
        def run(t):
            t["x"] = 1
        """,
        {'t["x"]': "local 't'"},
    )
    assert pcall(module["run"], None) == (
        False,
        "policy.lua:20: attempt to index local 't' (a nil value)",
    )
    assert pcall(module["run"], 5) == (
        False,
        "policy.lua:20: attempt to index local 't' (a number value)",
    )


def test_levels_of_error() -> None:
    module = generated(
        """
        def check(x, level):
            error("bad", level)
        def caller(level):
            check(1, level)
            return 1
        def outer(level):
            caller(level)
            return 1
        """,
        {},
    )
    results = [pcall(module["outer"], level)[1] for level in (0, 1, 2, 3, 4, 9)]
    assert results == [
        "bad",
        "policy.lua:20: bad",
        "policy.lua:40: bad",
        "policy.lua:70: bad",
        "bad",
        "bad",
    ]
    assert pcall(module["check"], 1, 2) == (
        False,
        "bad",
    )  # the caller is pcall, which has no position


def test_error_passes_tables_and_nil_unchanged() -> None:
    value = Table({"code": 5})
    assert pcall(L.error, value)[1] is value
    assert pcall(L.error) == (False, None)
    assert pcall(L.error, True) == (False, True)


def test_position_only_when_a_lua_function_called() -> None:
    assert pcall(L.string.rep) == (
        False,
        "bad argument #1 to 'rep' (string expected, got no value)",
    )
    module = generated(
        """
        def sort():
            table.sort(Table.array(1, 2, 3), lambda a, b: a < b["x"])
            return 1
        """,
        {'b["x"]': "local 'b'"},
    )
    assert pcall(module["sort"]) == (
        False,
        "policy.lua:20: attempt to index local 'b' (a number value)",
    )


def test_errors_of_api_functions_get_the_position_of_their_caller() -> None:
    def api(name: Any) -> Any:
        raise ArgumentError(1, "header", "string expected, got nil")

    def other() -> Any:
        raise LuaError("no such pool")

    module = generated(
        """
        def run(api, other):
            pcall(other)
            api(None)
            return 1
        def again(other):
            other()
        """,
        {"api(None)": "method 'header'"},
    )
    assert (
        pcall(module["run"], api, other)[1]
        == "policy.lua:30: calling 'header' on bad self (string expected, got nil)"
    )
    assert pcall(module["again"], other) == (False, "policy.lua:60: no such pool")


def test_an_error_keeps_its_first_position() -> None:
    module = generated(
        """
        def inner():
            error("once")
        def outer():
            ok, text = pcall(inner)
            error(text, 0)
        """,
        {},
    )
    assert pcall(module["outer"]) == (False, "policy.lua:20: once")


def test_xpcall_hands_the_error_and_its_stack_to_the_handler() -> None:
    module = generated(
        """
        def deep():
            error("here")
        def middle():
            deep()
            return 1
        """,
        {},
    )
    ok, text = xpcall(module["middle"], lambda e: L.debug.traceback(e, 2))
    assert ok is False
    assert text.split("\n\t") == [
        "policy.lua:20: here\nstack traceback:",
        "[C]: in function 'error'",
        "policy.lua:20: in function 'deep'",
        "policy.lua:40: in function 'middle'",
        "[C]: in function 'xpcall'",
    ]
    assert xpcall(module["middle"], lambda e: L.error("worse")) == (
        False,
        "error in error handling",
    )
    assert xpcall(lambda: (1, 2), print) == (True, 1, 2)


def test_traceback_of_the_running_stack() -> None:
    module = generated(
        """
        def inner():
            return debug.traceback("note")
        def outer():
            found = inner()
            return found
        """,
        {},
    )
    assert module["outer"]().split("\n\t") == [
        "note\nstack traceback:",
        "policy.lua:20: in function 'inner'",
        "policy.lua:40: in function 'outer'",
    ]
    assert L.debug.traceback(Table()).__class__ is Table
    assert L.debug.traceback() == "stack traceback:"


def test_getinfo_tells_source_line_and_name() -> None:
    module = generated(
        """
        def where():
            return debug.getinfo(1)
        main = debug.getinfo(1, "S")["what"]
        """,
        {},
    )
    info = module["where"]()
    assert (info["short_src"], info["currentline"], info["name"], info["what"]) == (
        "policy.lua",
        20,
        "where",
        "Lua",
    )
    assert module["main"] == "main"
    assert L.debug.getinfo(L.string.rep)["what"] == "C"
    assert L.debug.getinfo(module["where"])["linedefined"] == 10
    assert L.debug.getinfo(99) is None


@pytest.mark.parametrize("through", ["plain", "index", "sort", "gsub", "coroutine"])
def test_stack_overflow_is_caught(through: str) -> None:
    module = generated(
        """
        def plain():
            return plain() + 1
        t = setmetatable(Table(), Table({"__index": lambda t, k: t[k]}))
        def index():
            return t["x"]
        def sort():
            return table.sort(Table.array(1, 2), lambda a, b: sort())
        def gsub():
            return string.gsub("x", "x", lambda s: gsub())
        def coroutine_():
            return pcall(plain)
        """,
        {},
    )
    if through == "coroutine":
        ok, inner_ok, text = L.coroutine.resume(L.coroutine.create(module["coroutine_"]))
        assert ok is True and inner_ok is False
    else:
        ok, text = pcall(module[through])
        assert ok is False
    assert text.startswith("policy.lua:") and text.endswith(": stack overflow")
    assert pcall(lambda: 1) == (True, 1)


@pytest.fixture
def internal() -> Iterator[list[BaseException]]:
    found: list[BaseException] = []
    on_internal_error(found.append)
    yield found
    on_internal_error(None)


def test_our_own_bugs_are_told_and_reach_lua_as_text(internal: list[BaseException]) -> None:
    def broken(*_: Any) -> Any:
        return {}["missing"]

    module = generated(
        """
        def run(broken):
            broken()
            return 1
        """,
        {},
    )
    assert pcall(module["run"], broken) == (
        False,
        "policy.lua:20: internal error: KeyError: 'missing'",
    )
    assert [type(error) for error in internal] == [KeyError]


@pytest.mark.parametrize(
    "kind", [asyncio.CancelledError, KeyboardInterrupt, LuaExit, GeneratorExit]
)
def test_cancellation_limits_and_exit_pass_through_pcall(kind: type[BaseException]) -> None:
    def stopped() -> Any:
        raise kind

    for protected in (
        lambda: pcall(stopped),
        lambda: xpcall(stopped, print),
        lambda: L.coroutine.wrap(stopped)(),
    ):
        with pytest.raises(kind):
            protected()


def test_pcall_gives_all_results() -> None:
    def nothing() -> None:
        return None

    assert pcall(lambda: ()) == (True,)
    assert pcall(nothing) == (True,)
    assert pcall(lambda: None) == (True, None)
    assert pcall(lambda *a: a, 1, 2) == (True, 1, 2)
    assert pcall(None) == (False, "attempt to call a nil value")


class Thing(Userdata):
    lua_type = "test:thing"
    lua_fields = frozenset(("size",))
    lua_writable = frozenset(("name",))
    lua_hidden = frozenset(("secret",))
    metamethods = {
        "__len": lambda self: self.size,
        "__concat": lambda a, b: "joined",
        "__call": lambda self, x: x * 2,
    }

    def __init__(self) -> None:
        self.size = 3
        self.name = "n"

    def double(self, x: Any) -> Any:
        return x * 2

    def secret(self) -> None:
        """Not Lua's."""


def test_userdata_shows_only_what_it_declares(lua: Any) -> None:
    thing = Thing()
    assert L.type(thing) == "userdata" and L.tostring(thing).startswith("userdata: 0x")
    assert (thing["size"], thing["name"], thing["lua_type"], thing["__init__"], thing[1]) == (
        3,
        "n",
        None,
        None,
        None,
    )
    assert L.invoke(thing, "double", 4) == 8 and L.index(thing, "double")(thing, 4) == 8
    assert pcall(L.invoke, thing, "secret")[1] == "attempt to call method 'secret' (a nil value)"
    L.setindex(thing, "name", "new")
    assert thing.name == "new"
    assert pcall(L.setindex, thing, "size", 4) == (False, "test:thing: field 'size' can't be set")
    assert (
        L.length(thing) == 3
        and L.concat(thing, "x") == "joined"
        and L.concat("x", thing) == "joined"
    )
    lua.class_metatables[Thing] = Table({"__index": Table({"added": lambda self: "added"})})
    assert L.invoke(thing, "added") == "added" and L.invoke(thing, "double", 1) == 2
    assert L.getmetatable(thing) is lua.class_metatables[Thing]


def test_line_map_finds_the_nearest_line_and_forgets() -> None:
    line_map = LineMap("x.lua", {2: 5, 9: 7})
    assert [line_map.lua_line(n) for n in (1, 2, 4, 9, 50)] == [0, 5, 5, 7, 7]
    assert LineMap("x.lua", identical=True).lua_line(33) == 33
    forget_map("/never/registered.py")


def test_explain_leaves_a_positioned_error_alone() -> None:
    error = LuaError("x", positioned=True)
    assert explain(error) is error and error.value == "x"
    assert str(LuaError(Table())) == "(error object is a table value)"
    assert str(RuntimeFault("text")) == "text"


def test_an_operation_inside_a_library_function_has_no_position() -> None:
    module = generated(
        """
        def sort():
            table.sort(Table.array(1, "x"))
            return 1
        def text():
            return tostring(setmetatable(Table(), Table({"__tostring": "no function"})))
        def walk():
            return Table({"x": 1})["x"]()
        """,
        {},
    )
    assert pcall(module["sort"]) == (False, "attempt to compare string with number")
    assert pcall(module["text"]) == (False, "attempt to call a string value")
    assert pcall(module["walk"]) == (False, "policy.lua:70: attempt to call a number value")
