"""Patterns match, capture and fail as in lua5.1: known traps, and random patterns over random texts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from msys.lua import Pattern
from msys.lua.patterns.matcher import Matcher
from testkit.oracle import needs_lua
from testkit.patterns import ITEMS, differences, random_pattern
from testkit.vectors import Vector, agree


@needs_lua
def test_random_patterns_find_match_and_replace_alike() -> None:
    found = differences(seed=0, pairs=40_000)
    assert not found, f"{len(found)} differ:\n" + "\n".join(found[:20])


@needs_lua
@pytest.mark.long
@pytest.mark.parametrize("part", range(20))
def test_a_million_random_pairs(part: int) -> None:
    found = differences(seed=1 + part, pairs=50_000)
    assert not found, f"{len(found)} differ:\n" + "\n".join(found[:20])


@needs_lua
def test_mistakes_are_found_when_matching_gets_there() -> None:
    patterns = [
        "%",
        "a%",
        "x%",
        "[a",
        "a[",
        "x[",
        "(",
        "(a",
        "x(",
        ")",
        "a)",
        "%1",
        "(%1)",
        "(a)%1",
        "()%1",
        "(a)%2",
        "%0",
    ]
    patterns += [
        "%f",
        "%fa",
        "a%f",
        "%b",
        "%bx",
        "[%",
        "[a-",
        "[]",
        "[^]",
        "[]]",
        "(()",
        "%f[",
        "%g",
        "[%g]",
        "\0",
        "a\0(",
        "(\0",
    ]
    patterns += ["[^%w%W]?", "[^%w%W]-b", "x[^%w%W]*y"]
    patterns += ["(" * 33 + ")" * 33, "(a)" * 32, "(a)" * 33]
    vectors: list[Vector] = []
    for pattern in patterns:
        for text in ("", "a", "aa", "xyz", "%", "[]", "a" * 40):
            vectors += [("string.find", [text, pattern]), ("string.match", [text, pattern])]
            vectors.append(("string.gsub", [text, pattern, "%1"]))
    agree(vectors)


@needs_lua
def test_every_class_takes_the_characters_that_c_does() -> None:
    every = "".join(map(chr, range(256)))
    classes = [f"%{letter}" for letter in "acdlpsuwxzACDLPSUWXZ"] + [
        "[%w_]",
        "[^%c]",
        "[%z\1-\x1f]",
        "[\x80-\xff]",
    ]
    agree([("string.gsub", [every, item, ""]) for item in classes])


TEXTS = ["", "a", "ab a b", "(a(b)c)", "12 ab", "\0a\0", "a.b-c"]


@pytest.mark.parametrize("seed", range(2))
def test_both_engines_agree(seed: int) -> None:
    dice = random.Random(seed)
    items = [
        item
        for item in ITEMS
        if not item.startswith(("%b", "%1", "%2")) and item not in ("(", ")", "%", "[", "[^", "%f")
    ]
    for _ in range(400):
        pattern = Pattern(random_pattern(dice, items))
        for text in TEXTS:
            if pattern._search is None:
                continue
            slow = None
            for start in range(len(text) + 1):
                matcher = Matcher(pattern._body, text)
                end = matcher.match_at(start)
                if end is not None:
                    slow = (start, end, matcher.values())
                    break
                if pattern._anchored:
                    break
            assert pattern.hit(text, 0) == slow, (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^(%w+)@(.+)$", "ann@example.test", ("ann", "example.test")),
        ("^(%w+)@(.+)$", "nobody", (None, None)),
        ("%d+", "no digits", None),
        ("%d+", "has 42", "42"),
        ("()x", "abx", 3),
    ],
)
def test_hoisted_match_has_a_fixed_shape(pattern: str, text: str, found: Any) -> None:
    assert Pattern(pattern).match(text) == found


def test_hoisted_find_has_a_fixed_shape() -> None:
    assert Pattern("(a)(b)").find("xab") == (2, 3, "a", "b")
    assert Pattern("(a)(b)").find("x") == (None, None, None, None)
    assert Pattern("a.c").span("xabc") == (2, 4)
    assert Pattern("a.c").start("x") is None
    assert Pattern("plain").span("so plain", 3) == (4, 8)
    assert Pattern("a.c").matches("xabc") and not Pattern("a.c").matches("x")
    assert Pattern("%b()").matches("f(x)") and not Pattern("%b()").matches("f(x")
    assert Pattern("k=(%w+)").capture("k=v") == "v"
    assert Pattern("k=(%w+)").find_values("x") is None
