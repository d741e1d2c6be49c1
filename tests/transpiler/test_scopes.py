"""Which declaration a name means: Lua's rules, told by small programs."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from lua2py import tree
from lua2py.parse import parse
from lua2py.scopes import ARG, GLOBAL, Scopes, Symbol, resolve
from lua2py.source import SourceFile
from lua2py.walk import children, nodes


def scopes_of(text: str) -> Scopes:
    chunk, found = parse(SourceFile.of_text(text))
    assert chunk, [one.message for one in found]
    return resolve(chunk)


def meanings(text: str, name: str) -> list[str]:
    """For each use of a name in source order: `global`, or the line where it is declared."""
    scopes = scopes_of(text)
    uses = [
        (node.span.start, symbol)
        for node, symbol in scopes.symbols.items()
        if isinstance(node, tree.Name) and node.id == name
    ]
    return [_declared(symbol) for _, symbol in sorted(uses, key=lambda use: use[0])]


def _declared(symbol: Symbol) -> str:
    if symbol.kind in (GLOBAL, ARG):
        return symbol.kind
    assert symbol.declaration is not None
    return str(symbol.declaration.span.line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1 print(x)", ["global", "global"]),
        ("local x = x", ["global"]),
        ("local x = 1\nlocal x = x\nprint(x)", ["1", "2"]),
        ("local function x() x() end", ["1"]),
        ("local x = function() x() end", ["global"]),
        ("do\nlocal x\nx = 1 end x = 2", ["2", "global"]),
        ("for x = x, 2 do\nprint(x) end print(x)", ["global", "1", "global"]),
        ("for x in x do\nprint(x) end", ["global", "1"]),
        ("repeat\nlocal x\nuntil x print(x)", ["2", "global"]),
        ("while x do\nlocal x end", ["global"]),
        ("function f(x)\nlocal x = x\nreturn x end", ["1", "2"]),
        ("if a then\nlocal x\nelse x() end", ["global"]),
        ("function x.y() end local x\nfunction x.z() end", ["global", "1"]),
    ],
)
def test_a_name_means_its_innermost_declaration(text: str, expected: list[str]) -> None:
    assert meanings(text, "x") == expected


def test_a_vararg_function_has_arg_and_the_chunk_does_not() -> None:
    assert meanings(
        "print(arg) function f(...) print(arg) end function g() print(arg) end", "arg"
    ) == [
        "global",
        "arg",
        "global",
    ]


def symbol(scopes: Scopes, name: str) -> Symbol:
    (found,) = [one for one in scopes.locals if one.name == name]
    return found


def test_self_is_a_parameter_of_methods() -> None:
    assert meanings("function a:b()\nreturn self end", "self") == ["1"]


def test_reads_writes_and_calls_are_told_apart() -> None:
    scopes = scopes_of("local f, n = g, 0\nf(n) n = n + 1 f() h = f.x")
    assert [len(symbol(scopes, "f").reads), len(symbol(scopes, "f").callees)] == [3, 2]
    assert not symbol(scopes, "f").only_called
    assert [len(symbol(scopes, "n").reads), len(symbol(scopes, "n").writes)] == [2, 1]
    assert scopes.globals_read == {"g"}
    assert scopes.globals_written == {"h"}


def test_captures_reach_through_functions_in_between() -> None:
    scopes = scopes_of("local a, b\nfunction f() local c return function() return a, c end end")
    outer, inner = scopes.functions
    assert symbol(scopes, "a").captured_by == {outer, inner}
    assert symbol(scopes, "c").captured_by == {inner}
    assert not symbol(scopes, "b").captured
    assert scopes.free[outer] == {symbol(scopes, "a")}
    assert scopes.parents[inner] is outer


@pytest.mark.parametrize(
    ("text", "fresh"),
    [
        ("for i = 1, 2 do f(function() return i end) end", ["i"]),
        ("for k, v in p do local w = v f(function() return w end) end", ["w"]),
        ("while t do local a, b f(function() return a end) end", ["a"]),
        ("repeat local a until f(function() return a end)", ["a"]),
        ("local a for i = 1, 2 do f(function() return a end) end", []),
        ("for i = 1, 2 do f(function() local a return function() return a end end) end", []),
    ],
)
def test_loops_make_new_variables_each_turn(text: str, fresh: list[str]) -> None:
    assert [one.name for one in scopes_of(text).locals if one.fresh_each_turn] == fresh


def test_shadowing_is_noted() -> None:
    scopes = scopes_of("local a\ndo local a\nfunction f(a) end end")
    first, second, third = scopes.locals
    assert (first.shadows, second.shadows, third.shadows) == (None, first, second)
    assert [one.name for one in scopes.of_function(scopes.functions[0])] == ["a"]


PROGRAM = """
local a, b = 1, 2
local function f(a, ...) local c = a + b; d = c; for i = 1, c do e = i + a end return g(...) end
repeat local q = f(a); h = q until q == k
return function(z) b = z; l(z, m) end
"""


@pytest.mark.skipif(not shutil.which("luac5.1"), reason="needs luac5.1")
def test_globals_are_those_that_luac_lists() -> None:
    listing = subprocess.run(
        ["luac5.1", "-l", "-p", "-"], input=PROGRAM, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    scopes = scopes_of(PROGRAM)
    read = {line.split()[-1] for line in listing if "GETGLOBAL" in line}
    written = {line.split()[-1] for line in listing if "SETGLOBAL" in line}
    assert (scopes.globals_read, scopes.globals_written) == (read, written)


def test_the_index_keeps_every_node_once_by_kind_and_with_what_it_stands_in() -> None:
    scopes = scopes_of("local t = { a = f(1) }\nfunction t.b(...) return ..., t.a end")
    everything = list(nodes(scopes.chunk))
    for kind in {type(node) for node in everything}:
        assert scopes.index.of(kind) == [node for node in everything if type(node) is kind]
    for node in everything[1:]:
        assert node in children(scopes.index.parents[node])
    assert scopes.spreading == {scopes.functions[0]}
    assert list(scopes.args) == scopes.functions
