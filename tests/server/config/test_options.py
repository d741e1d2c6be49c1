"""The table of options: well formed, spelled as the original spells, and no promise without code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moonpost.config import options as module
from moonpost.config.diagnostics import Place, Source
from moonpost.config.options import COLUMNS, OWN, YES, OptionRow, options, read_table
from moonpost.config.scopes import SCOPES
from moonpost.config.tree import Value, Word
from moonpost.config.values import WrongValue, read_value, show_value

ROOT = Path(module.__file__).parents[3]
PLACE = Place(Source("t", ""), 1, 1)


def code() -> str:
    """What acts on options: all of server and runtime but the checking and showing of them."""
    config = ROOT / "server/moonpost/config"
    acting = [
        config / f"{name}.py" for name in ("model", "read", "build", "commands", "live", "validate")
    ]
    for root in (ROOT / "server/moonpost", ROOT / "runtime/msys"):
        acting += [path for path in root.rglob("*.py") if not path.is_relative_to(config)]
    return "\n".join(path.read_text(encoding="utf-8") for path in acting if path.exists())


def test_every_option_that_is_claimed_is_read_somewhere() -> None:
    text = code()
    unread = [
        row.name
        for row in options().values()
        if row.support in (YES, OWN) and not re.search(rf"""["']{re.escape(row.key)}["']""", text)
    ]
    assert not unread, (
        f"options.tsv says moonpost provides {', '.join(unread)}, but no code reads them; "
        "call them harmless or consequential until it does"
    )


def test_every_option_stands_in_a_scope_that_is_looked_at() -> None:
    for row in options().values():
        assert any(not SCOPES[scope].free for scope in row.scopes), row.name


@pytest.mark.parametrize("row", options().values(), ids=lambda row: row.name)
def test_a_default_reads_as_its_type(row: OptionRow) -> None:
    if row.default is None or row.type in ("dict", "list", "cidrs"):
        return
    value = Value("scalar", (Word(row.default_text, PLACE),), PLACE)
    assert read_value(row.type, value) == row.default


@pytest.mark.parametrize(
    ("type_cell", "text", "expected"),
    [
        ("bool", "Enabled", True),
        ("bool", "0", False),
        ("bool|inline", "INLINE", "inline"),
        ("int", "-1", -1),
        ("int|auto|none", "Auto", "auto"),
        ("seconds", "1.5", 1.5),
        ("seconds", "90", 90),
        ("octal", "0660", 0o660),
        ("throttle", "60/3", (60, 3)),
        ("throttle", "60", (60, 1)),
        ("throttle", "0", None),
        ("port", "25", 25),
        ("cidrs", "10.1.2.3/8", ["10.0.0.0/8"]),
        ("path", "run/x", "run/x"),
        ("path", "cluster:///x=>y", "cluster:///x=>y"),
    ],
)
def test_words_read_as_types(type_cell: str, text: str, expected: object) -> None:
    value = Value("scalar", (Word(text, PLACE),), PLACE)
    assert read_value(type_cell, value) == expected


@pytest.mark.parametrize(
    ("type_cell", "text"),
    [
        ("bool", "2"),
        ("int", "1.5"),
        ("int", "0x10"),
        ("seconds", "-1"),
        ("seconds", "nan"),
        ("number", "inf"),
        ("octal", "0o8"),
        ("throttle", "1/0"),
        ("throttle", "x"),
        ("port", "0"),
        ("cidrs", "10.0.0.0/33"),
        ("dict", "x"),
    ],
)
def test_words_that_do_not_fit(type_cell: str, text: str) -> None:
    with pytest.raises(WrongValue):
        read_value(type_cell, Value("scalar", (Word(text, PLACE),), PLACE))


def test_numbers_and_truth_are_shown_bare_and_text_quoted() -> None:
    def shown(type_cell: str, text: str) -> str:
        return show_value("X", type_cell, Value("scalar", (Word(text, PLACE),), PLACE))

    assert shown("int", "5") == "X = 5"
    assert shown("bool", "on") == "X = on"
    assert shown("string", "5") == 'X = "5"'
    assert shown("string", 'a"b\\') == 'X = "a\\"b\\\\"'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A\tinteger\t\tglobal\tyes\tyes\tm", "no type 'integer'"),
        ("A\tint\tx\tglobal\tyes\tyes\tm", "a whole number"),
        ("A\tint\t\tgalaxy\tyes\tyes\tm", "no scope 'galaxy'"),
        ("A\tint\t\tglobal\tyes\tperhaps\tm", "support is one of"),
        ("A\tint", "not enough values"),
        ("A\tint\t\tglobal\tyes\tyes\tm\nA\tint\t\tglobal\tyes\tyes\tm", "also stands in line 2"),
    ],
)
def test_a_bad_row_names_its_line(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        read_table(["\t".join(COLUMNS), *line.split("\n")], "t.tsv")
    assert re.match(r"t\.tsv:[23]: ", str(caught.value))
