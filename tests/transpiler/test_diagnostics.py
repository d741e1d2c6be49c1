"""The table of diagnostics, how findings are shown, how a comment silences one, and hints at syntax mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Formatter

import pytest

from lua2py.diagnostics import Diagnostic, table, without_allowed
from lua2py.parse import parse
from lua2py.report import FAMILIES, FORMATS, reference_page, render, render_text
from lua2py.source import SourceFile

PAGE = Path(__file__).parents[2] / "docs" / "diagnostics.md"


def first(text: str, std: str = "thr") -> tuple[SourceFile, Diagnostic]:
    source = SourceFile.of_text(text, "policy/a.lua")
    return source, parse(source, std)[1][0]


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), (
        "stale: .venv/bin/python -m lua2py.report > docs/diagnostics.md"
    )


@pytest.mark.parametrize("code", table())
def test_every_entry_is_whole(code: str) -> None:
    entry = table()[code]
    assert code[:2] in FAMILIES
    assert entry.title and entry.says and entry.explain
    assert not entry.says.endswith(".")
    for text in (entry.says, entry.help):
        assert all(name is None or name.isidentifier() for _, name, _, _ in Formatter().parse(text))


def test_text_shows_place_line_carets_and_help() -> None:
    source, one = first("x = 1\nif x = 2 then end\n")
    assert one.render(source) == (
        "policy/a.lua:2:6: L102 'then' expected near '='\n"
        "   2 | if x = 2 then end\n"
        "     |      ^\n"
        "   help: to compare, write `==`"
    )


def test_a_mistake_at_the_end_points_behind_the_last_character() -> None:
    source, one = first("function f(\n  a")
    assert one.render(source).splitlines()[1:3] == ["   2 |   a", "     |    ^"]


def test_bytes_that_are_no_text_are_escaped() -> None:
    source, one = first("x = 'caf\xc3\xa9' \xff\x1b[2J")
    assert one.render(source).splitlines()[:3] == [
        "policy/a.lua:1:13: L101 unexpected symbol near '\\xff'",
        "   1 | x = 'café' \\xff\\x1b[2J",
        "     |            ^^^^",
    ]


def test_findings_come_in_the_order_of_the_text() -> None:
    source = SourceFile.of_text("a = 010\nb = '\\q'\nprint\n(c)", "a.lua")
    found = parse(source)[1]
    assert [one.code for one in found] == ["L202", "L203", "L201"]
    assert [line[:7] for line in render_text(found[::-1], {"a.lua": source}).splitlines()[::4]] == [
        "a.lua:1",
        "a.lua:2",
        "a.lua:4",
    ]


def test_json_and_sarif_say_the_same() -> None:
    _, one = first("x = 'a' ..\n")
    (plain,) = json.loads(render("json", [one], {}))
    assert plain == {
        "path": "policy/a.lua",
        "line": 2,
        "column": 1,
        "end_line": 2,
        "end_column": 1,
        "code": "L101",
        "severity": "error",
        "message": "unexpected symbol near '<eof>'",
        "help": "",
    }
    (run,) = json.loads(render("sarif", [one], {}))["runs"]
    (result,) = run["results"]
    assert result["ruleId"] == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "L101"
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"]) == (2, 1)


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_found_is_valid_output(format: str) -> None:
    text = render(format, [], {})
    assert text == "" if format == "text" else json.loads(text) is not None


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("a = 010 -- moonpost: allow L202", []),
        ("-- moonpost: allow L202\na = 010", []),
        ("-- moonpost: allow L203, L202: bits\na = 010", []),
        ("-- moonpost: allow L202\n\na = 010", ["L202"]),
        ("b = 1 -- moonpost: allow L202\na = 010", ["L202"]),
        ("a = 010 -- moonpost: allow L203", ["L202"]),
        ("a = 010 -- allow L202", ["L202"]),
    ],
)
def test_a_comment_silences_its_line_or_the_next(text: str, codes: list[str]) -> None:
    assert [one.code for one in parse(SourceFile.of_text(text))[1]] == codes


def test_silencing_leaves_other_findings() -> None:
    source = SourceFile.of_text("-- moonpost: allow L202\na = 010 b = '\\q'")
    chunk, found = parse(source)
    assert chunk is not None
    assert [one.code for one in without_allowed(found, chunk.comments)] == ["L203"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("print(\xe2\x80\x9cx\xe2\x80\x9d)", "typographic"),
        ("x\xc2\xa0= 1", "non-breaking"),
        ("\xef\xbb\xbfx = 1", "byte order mark"),
        ("if a && b then end", "`and`"),
        ("if a || b then end", "`or`"),
        ("x += 1", "write `x = x + 1`"),
        ("s ..= 'x'", "write `x = x + 1`"),
        ("x++", "no `++`"),
        ("x = 1 // 2", "integer division"),
        ("/* x */", "comments begin"),
        ("x = a ? b : c", "an if"),
        ("::top::", "5.2"),
        ("goto top", "5.2"),
        ("for i = 1, 2 do if x then continue end end", "no `continue`"),
        ("while x do continue\nf() end", "no `continue`"),
        ("if a then f() elif b then end", "`elseif`"),
        ("if a then b() else if c then d() end\n", "`elseif`"),
        ("local x <const> = 1", "5.4"),
        ("x = 1;;", "empty statement"),
        ("return 1 print()", "must come last"),
        ("x == 1", "to assign"),
        ("x = 08", "octal"),
        ("if x = 1 then end", "write `==`"),
        ("f() end", "one `end` too many"),
        ("t.end = 1", 't["end"]'),
        ("local function a.b() end", "leave `local` out"),
        ("x = {a b}", "comma"),
        ("x = 'open\n", "close the quotes"),
        ("x = {1, 2,, 3}", ""),
        ("f(a, b", ""),
    ],
)
def test_hints_say_what_was_meant(text: str, says: str) -> None:
    _, one = first(text)
    assert one.severity == "error"
    assert says in one.help
    assert bool(one.help) == bool(says)


@pytest.mark.parametrize("text", ["x = !a", "x = a & b", "x = ~a", "x = a \\ 2", "x = a << 2"])
def test_stock_lua_points_to_the_dialect(text: str) -> None:
    _, one = first(text, "5.1")
    assert "--std thr" in one.help


def test_codes_in_the_sources_are_in_the_table() -> None:
    root = Path(__file__).parents[2] / "transpiler" / "lua2py"
    used = {
        code
        for path in root.rglob("*.py")
        for code in re.findall(r'"([LC][0-9]{3})"', path.read_text())
    }
    assert used <= set(table())
