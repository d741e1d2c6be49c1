"""The stanza language: what is accepted, and that every mistake of a file is reported at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonpost.config.diagnostics import Diagnostic, Source
from moonpost.config.syntax import parse
from moonpost.config.tree import Include, Item, Option, Scope

CASES = Path(__file__).parent / "mistakes"


def read(text: str) -> tuple[list[Item], list[Diagnostic]]:
    return parse(Source("a.conf", text))


def plain(items: list[Item] | tuple[Item, ...]) -> list[object]:
    """Items as nested tuples, places left out."""
    found: list[object] = []
    for item in items:
        match item:
            case Option(name, value):
                words = value.pairs if value.kind == "dict" else value.texts
                found.append((name.text, value.text if value.kind == "scalar" else words))
            case Scope(name, instance, inner):
                found.append((name.text, instance and instance.text, plain(inner)))
            case Include(path, readonly):
                found.append(("readonly" if readonly else "include", path.text))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", [("a", "1")]),
        ("a=1 b = two", [("a", "1"), ("b", "two")]),
        ('a = "two words" # rest', [("a", "two words")]),
        ("a = 'it\\'s'", [("a", "it's")]),
        (r'a = "say \"hi\" \\ \n"', [("a", r'say "hi" \ \n')]),
        ('a = ( x "y z" 3 )', [("a", ["x", "y z", "3"])]),
        ("a = ()", [("a", [])]),
        ('a = [ k = v "l" "w" ]', [("a", {"k": "v", "l": "w"})]),
        ("a = ( k = v l = w )", [("a", {"k": "v", "l": "w"})]),
        ("a = []", [("a", {})]),
        ("a = 10.0.0.0/8", [("a", "10.0.0.0/8")]),
        ("a = /var/run/x:y", [("a", "/var/run/x:y")]),
        ("a = digest:///x", [("a", "digest:///x")]),
        ("a = b#comment", [("a", "b")]),
        ("/* one\n two */ a /* x */ = 1", [("a", "1")]),
        ("s {}", [("s", None, [])]),
        ('Listen ":25" {}', [("Listen", ":25", [])]),
        ('Listen ":25" = { a = 1 }', [("Listen", ":25", [("a", "1")])]),
        ("g x { b y { a = 1 } }", [("g", "x", [("b", "y", [("a", "1")])])]),
        ('include "x.conf"', [("include", "x.conf")]),
        ("s { readonly_include dir }", [("s", None, [("readonly", "dir")])]),
        ("included_option = 1", [("included_option", "1")]),
        ("", []),
        ("# only a comment", []),
    ],
)
def test_items(text: str, expected: list[object]) -> None:
    items, problems = read(text)
    assert not problems, "\n".join(map(str, problems))
    assert plain(items) == expected


def test_every_word_knows_its_place() -> None:
    items, _ = read('\n  Binding "fast" {\n\ta = (b c)\n}')
    scope = items[0]
    assert isinstance(scope, Scope) and scope.instance is not None
    option = scope.items[0]
    assert isinstance(option, Option)
    places = [scope.name.place, scope.instance.place, option.value.words[1].place]
    assert [str(place) for place in places] == ["a.conf:2:3", "a.conf:2:11", "a.conf:3:9"]


@pytest.mark.parametrize("path", sorted(CASES.glob("*.conf")), ids=lambda path: path.stem)
def test_mistakes_are_all_reported(path: Path) -> None:
    """The golden text is the file of the same name with .txt."""
    text = path.read_text(encoding="utf-8")
    _, problems = parse(Source(path.name, text))
    told = "\n".join(problem.render() for problem in problems) + "\n"
    assert told == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_what_stands_after_a_mistake_is_still_read() -> None:
    items, problems = read("a = = 1\nb = 2\nc { d = } e = 3\n")
    assert [problem.place.line for problem in problems] == [1, 3]
    assert plain(items) == [("b", "2"), ("c", None, []), ("e", "3")]


@given(st.text(alphabet="ab1 =(){}[]\"'#/*\\\n:", max_size=60))
def test_any_text_ends_in_items_or_diagnostics(text: str) -> None:
    items, problems = read(text)
    assert (
        items or problems or not any(mark.isalnum() for mark in text) or "#" in text or "*" in text
    )
    for problem in problems:
        problem.render()
