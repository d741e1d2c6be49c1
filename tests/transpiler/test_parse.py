"""Source to tree: the dialect's operators and literals, places of nodes, and texts of every kind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from dataclasses import fields

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lua2py import tree
from lua2py.depth import deep_recursion
from lua2py.parse import chunk_id, lua_message, parse
from lua2py.source import SourceFile
from lua2py.walk import nodes

# The dialect's operators, weakest first, written here again from the language's description.
LEVELS: list[tuple[str, ...]] = [
    ("or",),
    ("and",),
    ("<", ">", "<=", ">=", "~=", "=="),
    ("..",),
    ("+", "-", "|", "&", "^^"),
    ("*", "/", "%", "\\", "<<", ">>"),
    ("unary",),
    ("^",),
]
STRENGTH = {op: level for level, ops in enumerate(LEVELS) for op in ops}
RIGHT = {"..", "^"}
UNARY = ("not", "-", "#", "~")


def expression(text: str, std: str = "thr") -> tree.Expr:
    chunk, found = parse(SourceFile.of_text(f"return {text}"), std)
    assert chunk, [one.message for one in found]
    statement = chunk.body.body[0]
    assert isinstance(statement, tree.Return)
    return statement.values[0]


def grouped(node: tree.Expr) -> str:
    """An expression with every parenthesis written."""
    if isinstance(node, tree.Binary):
        return f"({grouped(node.left)} {node.op} {grouped(node.right)})"
    if isinstance(node, tree.Unary):
        return f"({node.op} {grouped(node.operand)})"
    assert isinstance(node, tree.Name)
    return node.id


def reference(words: list[str], weakest: int = 0) -> str:
    """The same by precedence climbing over a list of words; takes words from its front."""
    word = words.pop(0)
    left = f"({word} {reference(words, STRENGTH['unary'])})" if word in UNARY else word
    while words and STRENGTH[words[0]] >= weakest:
        op = words.pop(0)
        left = f"({left} {op} {reference(words, STRENGTH[op] + (op not in RIGHT))})"
    return left


OPERANDS = st.lists(st.sampled_from(UNARY), max_size=2).map(lambda signs: [*signs, "a"])
BINARY = st.sampled_from([op for op in STRENGTH if op != "unary"])


@settings(max_examples=300, deadline=None)
@given(OPERANDS, st.lists(st.tuples(BINARY, OPERANDS), max_size=7))
def test_operators_bind_as_in_momentum(head: list[str], tail: list[tuple[str, list[str]]]) -> None:
    words = head + [word for op, operand in tail for word in (op, *operand)]
    assert grouped(expression(" ".join(words))) == reference(list(words))


@pytest.mark.parametrize(
    ("text", "grouping"),
    [
        ("a | b & c", "((a | b) & c)"),
        ("a & b == c", "((a & b) == c)"),
        ("x .. a | b", "(x .. (a | b))"),
        ("a << b + c", "((a << b) + c)"),
        ("a \\ b * c", "((a \\ b) * c)"),
        ("a ^^ b ^ c", "(a ^^ (b ^ c))"),
        ("!a != !b", "((not a) ~= (not b))"),
        ("~a | b", "((~ a) | b)"),
        ("- a ^ b", "(- (a ^ b))"),
        ("a ^ - b ^ c", "(a ^ (- (b ^ c)))"),
        ("a .. b .. c", "(a .. (b .. c))"),
        ("a - b - c", "((a - b) - c)"),
    ],
)
def test_operators(text: str, grouping: str) -> None:
    assert grouped(expression(text)) == grouping


@pytest.mark.skipif(not shutil.which("lua5.1"), reason="needs lua5.1")
def test_arithmetic_groups_as_in_lua() -> None:
    texts = [
        "a+b*a-b",
        "-a^b*a",
        "a^b^a",
        "a..b+a..b",
        "a*-b%a/b",
        "a-b..a-b",
        "-a..-b",
        "a/b*a^-b",
    ]
    setup = """
    local mt = {__tostring = function(s) return s.n end, __unm = function(s) return O("(- "..s.n..")") end}
    for name, op in pairs{add="+", sub="-", mul="*", div="/", mod="%", pow="^", concat=".."} do
      mt["__"..name] = function(l, r) return O("("..l.n.." "..op.." "..r.n..")") end
    end
    function O(n) return setmetatable({n = n}, mt) end
    a, b = O"a", O"b"
    """
    program = setup + "".join(f"print({text})\n" for text in texts)
    said = subprocess.run(
        ["lua5.1", "-"], input=program, capture_output=True, text=True, check=True
    )
    assert [grouped(expression(text)) for text in texts] == said.stdout.splitlines()


@pytest.mark.parametrize(
    ("text", "thr", "stock"),
    [
        ("010", 8, 10),
        ("0644", 420, 644),
        ("0", 0, 0),
        ("0.5", 0.5, 0.5),
        ("1e3", 1000.0, 1000.0),
        (".5", 0.5, 0.5),
        ("5.", 5.0, 5.0),
        ("0x1F", 31, 31),
        ("9007199254740992", 2**53, 2**53),
        ("9007199254740993", 2.0**53, 2.0**53),
        ("0xffffffffffffffffffff", 2.0**63, 2.0**80),
        ("08", None, 8),
        ("0e5", None, 0.0),
        ("0x1p4", None, 16),
        ("1" + "0" * 400, float("inf"), float("inf")),
    ],
)
def test_numbers(text: str, thr: float | None, stock: float) -> None:
    for std, value in (("thr", thr), ("5.1", stock)):
        if value is None:
            chunk, found = parse(SourceFile.of_text(f"return {text}"), std)
            assert chunk is None
            assert found[0].message == f"malformed number near '{text}'"
        else:
            node = expression(text, std)
            assert isinstance(node, tree.Number)
            assert node.value == value
            assert type(node.value) is type(value)
            assert node.text == text


@pytest.mark.parametrize(
    ("text", "thr", "stock"),
    [
        (r'"\65\066\t\"\q"', 'AB\t"q', 'AB\t"q'),
        (r'"\x41\xfF"', "A\xff", "x41xfF"),
        (r'"\u00a9"', "\xc2\xa9", "u00a9"),
        (r'"\u308000"', "\xf8\x8c\x88\x80\x80", "u308000"),
        (r'"\u70008000"', "\xfd\xb0\x80\x88\x80\x80", "u70008000"),
        ('"a\\\r\nb"', "a\nb", "a\nb"),
        ('"caf\xc3\xa9"', "caf\xc3\xa9", "caf\xc3\xa9"),
        ("[[\r\na\rb\n\rc]]", "a\nb\nc", "a\nb\nc"),
        ("[==[\n\n]]]==]", "\n]]", "\n]]"),
        (r"[[\n]]", "\\n", "\\n"),
        ("'\0'", "\0", "\0"),
    ],
)
def test_strings(text: str, thr: str, stock: str) -> None:
    for std, value in (("thr", thr), ("5.1", stock)):
        node = expression(text, std)
        assert isinstance(node, tree.String)
        assert node.value == value
        assert node.long == text.startswith("[")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r'a = "\xyo"', "expected hex digit near '\"'"),
        (r'a = "b\xao"', "expected hex digit near '\"b'"),
        (r'a = "\u01234"', "expected either 4, 6 or 8 hex digits for unicode escape near '\"'"),
        (r'a = "\256"', "escape sequence too large near '\"'"),
        ("a = [[\nfoo", "unfinished long string near '<eof>'"),
        ("--[[\nfoo", "unfinished long comment near '<eof>'"),
        ("--[[\n[[\nfoo\n]]\n]]", "nesting of [[...]] is deprecated near '['"),
        ("goto done", "'=' expected near 'done'"),
        ("::done::", "unexpected symbol near ':'"),
        ("x = 1 // 2", "unexpected symbol near '/'"),
        ("local x <const> = 1", "unexpected symbol near '<'"),
        ("x = 1;;", "unexpected symbol near ';'"),
        ("x = ~", "unexpected symbol near '<eof>'"),
        ("f() += 1", "unexpected symbol near '+'"),
        ("x += 1", "'=' expected near '+'"),
        ("if a && b then end", "unexpected symbol near '&'"),
        ("break", "no loop to break near '<eof>'"),
        ("function f() return ... end", "cannot use '...' outside a vararg function near '...'"),
        ("\x1bLuaQ", "this is compiled Lua (bytecode), not source"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    chunk, found = parse(SourceFile.of_text(text))
    assert chunk is None
    assert [one.message for one in found] == [message]


@pytest.mark.parametrize(
    "text", ["x = a != b", "x = !a", "x = a & b", "x = a << 1", "x = a \\ 2", "x = ~a"]
)
def test_stock_lua_has_none_of_the_additions(text: str) -> None:
    assert parse(SourceFile.of_text(text))[0] is not None
    assert parse(SourceFile.of_text(text), "5.1")[0] is None


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("print\n(x)", "L201", (2, 1)),
        ("m = 01000", "L202", (1, 5)),
        ("\np = '^\\.'", "L203", (2, 7)),
    ],
)
def test_notes_about_the_text(text: str, code: str, place: tuple[int, int]) -> None:
    chunk, found = parse(SourceFile.of_text(text))
    assert chunk is not None
    assert [(one.code, (one.span.line, one.span.column)) for one in found] == [(code, place)]


def test_file_modes_are_expected_to_be_octal() -> None:
    assert parse(SourceFile.of_text("f(0660, 0644, 0, 00)"))[1] == []


PLACES = """#!/usr/bin/lua
local one, two = f("x"), a . b [ 2 ] -- said
function t.u:v(p, ...)
  if p then return (p):up "s" elseif !q then x = {k = 1; [2] = 3, 4} end
  for i = 1, 2 do local function g() end end
  for k, v in next, t do repeat until k >> 1 != v; end;
end
"""


def test_every_node_covers_its_text() -> None:
    source = SourceFile.of_text(PLACES)
    chunk, _ = parse(source)
    assert chunk is not None
    covered = {}
    for node in nodes(chunk):
        span = node.span
        assert source.span(span.start, span.end) == span
        covered.setdefault(type(node).__name__, []).append(source.text[span.start : span.end])
    assert covered["Param"] == ["one", "two", ":", "p", "i", "g", "k", "v"]
    assert covered["Local"] == ['local one, two = f("x"), a . b [ 2 ]']
    assert covered["Index"] == ["a . b [ 2 ]", "a . b", "t.u:v", "t.u"]
    assert covered["Invoke"] == ['(p):up "s"']
    assert covered["Return"] == ['return (p):up "s"']
    assert covered["Field"] == ["k = 1", "[2] = 3", "4"]
    assert covered["Binary"] == ["k >> 1 != v", "k >> 1"]
    assert covered["NumericFor"] == ["for i = 1, 2 do local function g() end end"]
    assert covered["GenericFor"] == ["for k, v in next, t do repeat until k >> 1 != v; end"]
    assert covered["Block"][2] == ' return (p):up "s" '
    assert covered["LocalFunction"] == ["local function g() end"]


def test_children_lie_inside_their_parents_and_in_order() -> None:
    chunk, _ = parse(SourceFile.of_text(PLACES))
    assert chunk is not None
    for node in nodes(chunk):
        for field in fields(node):
            child = getattr(node, field.name)
            for one in child if isinstance(child, list) else [child]:
                if isinstance(one, tree.Node):
                    assert node.span.start <= one.span.start <= one.span.end <= node.span.end


def test_comments_stand_beside_the_tree() -> None:
    chunk, _ = parse(
        SourceFile.of_text("-- first\nx = 1 -- after\n--[==[ long\n]] ]==] y = 2\n--[ short")
    )
    assert chunk is not None
    found = [(one.text, one.trailing, one.long, one.span.line) for one in chunk.comments]
    assert found == [
        (" first", False, False, 1),
        (" after", True, False, 2),
        (" long\n]] ", False, True, 3),
        ("[ short", False, False, 5),
    ]


def test_parentheses_stay_only_where_they_cut() -> None:
    assert isinstance(expression("(f())"), tree.Paren)
    assert isinstance(expression("(o:m())"), tree.Paren)
    assert isinstance(expression("(...)"), tree.Paren)
    assert isinstance(expression("(a.b)"), tree.Index)
    assert isinstance(expression("((a + b))"), tree.Binary)


def test_functions_are_called_after_where_they_stand() -> None:
    chunk, _ = parse(
        SourceFile.of_text(
            "function a.b:c() end local function d() end local e, f = 1, function() end\n"
            "g.h = function() end t = {i = function() end, function() end} t[1] = function() end"
        )
    )
    assert chunk is not None
    names = [node.name for node in nodes(chunk) if isinstance(node, tree.Function)]
    assert names == ["a.b:c", "d", "f", "g.h", "i", "", ""]


def test_a_hash_line_is_skipped_in_files_alone() -> None:
    text = "# comment\nx = 1"
    chunk, _ = parse(SourceFile.of_text(text))
    assert chunk is not None
    assert chunk.body.body[0].span.line == 2
    assert parse(SourceFile.of_text(text, from_file=False))[0] is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\r"])
def test_any_line_end(end: str) -> None:
    source = SourceFile.of_text(end.join(["local a", "-- note", "x = [[p", "q]]", "y = -"]))
    chunk, found = parse(source)
    assert chunk is None
    assert (found[0].span.line, found[0].span.column) == (5, 6)
    assert found[0].message == "unexpected symbol near '<eof>'"


DEEP = {
    "parentheses": "x=" + "(" * 190 + "1" + ")" * 190,
    "calls": "x=" + "f(" * 190 + "1" + ")" * 190,
    "indexes": "x=" + "t[" * 190 + "1" + "]" * 190,
    "functions": "x=" + "function() return " * 95 + "1" + " end" * 95,
    "blocks": "if x then " * 190 + "y=1" + " end" * 190,
    "call chain": "x=f" + "(1)" * 1000,
    "method chain": "x=s" + ":m()" * 1000,
    "index chain": "a" + "[1]" * 1000 + "=1",
    "sum": "x=" + "a+" * 5000 + "1",
    "elseif": "if x then y() " + "elseif x then y() " * 500 + "end",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_depth_and_length_need_no_big_stack(text: str) -> None:
    results = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: results.append(parse(SourceFile.of_text(text))))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert results[0][0] is not None


def test_what_loadstring_says() -> None:
    text = "x = = 1"
    _, found = parse(SourceFile.of_text(text, from_file=False))
    assert lua_message(found[0], text) == "[string \"x = = 1\"]:1: unexpected symbol near '='"
    assert lua_message(found[0], "=stdin") == "stdin:1: unexpected symbol near '='"
    assert lua_message(found[0], "@policy.lua") == "policy.lua:1: unexpected symbol near '='"


@pytest.mark.skipif(not shutil.which("lua5.1"), reason="needs lua5.1")
@pytest.mark.parametrize(
    "name", ["x", "=x", "@x", "a\nb", "\n", "", "@" + "p/" * 60, "=" + "n" * 99, "z" * 99, "y" * 63]
)
def test_chunk_names_are_shown_as_in_lua(name: str) -> None:
    escaped = "".join(f"\\{ord(char):03d}" for char in name)
    program = f'io.write(select(2, loadstring("=", "{escaped}")))'
    said = subprocess.run(["lua5.1", "-e", program], capture_output=True, text=True, check=True)
    assert said.stdout == f"{chunk_id(name)}:1: unexpected symbol near '='"


PIECES = (
    "and break do else elseif end for function if in local nil not or repeat return then until while "
    "( ) [ ] { } = == ~= != ! < << .. ... , ; : . + - \\ ^^ ^ # a b 1 08 'x' \"\\ [[ ]] -- --[[ "
    "\n \r \0 \xe2"
)
LUAISH = st.lists(
    st.one_of(st.sampled_from(PIECES.split(" ")), st.characters(max_codepoint=255)), max_size=40
)


@settings(max_examples=400, deadline=None)
@given(LUAISH, st.sampled_from(["thr", "5.1"]), st.booleans())
@example(["\xc3", "\x80"], "thr", False)  # two bytes, one character
def test_any_text_gives_a_tree_or_a_mistake(words: list[str], std: str, spaced: bool) -> None:
    source = SourceFile.of_text((" " if spaced else "").join(words))
    chunk, found = parse(source, std)
    errors = [one for one in found if one.severity == "error"]
    assert (chunk is None) == (len(errors) == 1)
    for one in found:
        assert one.code != "L190"
        assert one.message
        line, carets = source.excerpt(one.span)
        assert carets.strip(" ") == "^" * len(carets.strip(" "))
        assert len(carets) <= len(line) + 1


def test_the_recursion_limit_is_given_back_by_the_last_pass() -> None:
    before = sys.getrecursionlimit()
    outer, inner = deep_recursion(), deep_recursion()
    with outer:
        inner.__enter__()
    assert sys.getrecursionlimit() > before
    inner.__exit__(None, None, None)
    assert sys.getrecursionlimit() == before
