"""The string library answers as lua5.1 does, errors included."""

from __future__ import annotations

import itertools
import random
from typing import Any

from testkit.oracle import needs_lua
from testkit.vectors import Vector, agree

pytestmark = needs_lua

TEXTS = ["", "a", "hello world", "x=1, y=2", "a\0b", "\xe9\xff", "  padded  ", "%d", "(a)(b)"]
ODD: list[Any] = [None, True, 1, 1.5, -0.0, {}, "7", "0x10", "x"]
PLACES = [None, 0, 1, 2, 3, -1, -2, -50, 50, 2.7, "2"]


def test_simple_functions() -> None:
    vectors: list[Vector] = [
        (f"string.{name}", [text])
        for name in ("len", "upper", "lower", "reverse", "byte")
        for text in [*TEXTS, *ODD]
    ]
    vectors += [
        (f"string.{name}", [])
        for name in ("len", "upper", "rep", "sub", "byte", "char", "find", "format")
    ]
    vectors += [("string.rep", [text, n]) for text in TEXTS for n in (-1, 0, 1, 3, "2", 2.9, None)]
    vectors += [
        ("string.char", list(codes))
        for codes in ([], [65], [65, 66, 0, 255], [256], [-1], ["65"], [65.9], ["x"])
    ]
    agree(vectors)


def test_sub_and_byte_at_every_kind_of_place() -> None:
    vectors: list[Vector] = []
    for text, i in itertools.product(TEXTS, PLACES):
        vectors.append(("string.sub", [text, i]))
        vectors += [("string.sub", [text, i, j]) for j in PLACES if i is not None]
        vectors += [("string.byte", [text, i, j]) for j in PLACES]
    agree(vectors)


def test_find_plain_and_with_init() -> None:
    vectors: list[Vector] = []
    for text, wanted, init in itertools.product(
        TEXTS, ["", "a", "o", "%d", "l+", "\0", "a\0b"], PLACES
    ):
        vectors.append(("string.find", [text, wanted, init]))
        vectors.append(("string.find", [text, wanted, init, True]))
        vectors.append(("string.match", [text, wanted, init]))
    agree(vectors)


REPLACEMENTS: list[Any] = [
    "<%0>",
    "%1",
    "%2",
    "%%",
    "%x",
    "%",
    "",
    5,
    {"a": "A", "b": False, "l": 3},
    {"h": {}},
    None,
    True,
]


def test_gsub_with_every_kind_of_replacement() -> None:
    vectors: list[Vector] = [
        ("string.gsub", [text, pattern, replacement, *limit])
        for text in TEXTS
        for pattern in ("", "a", "(.)", "(.)(.)", "()", "%w*", "%s+", "^a", "$", "l-", "%b()")
        for replacement in REPLACEMENTS
        for limit in ([], [0], [1], [-1], ["2"], [None])
    ]
    agree(vectors)


SPECS = ["d", "i", "u", "o", "x", "X", "e", "E", "f", "g", "G", "c", "s", "q"]
NUMBERS: list[Any] = [
    0, 1, -1, 7, 42, 255, 65.9, -65.9, 1e10, 2**31, -(2**31), 2**53, 1e15, 1e18, 2**63, -(2**63), 1e19, 2**64, 1e20, -1e20,
    0.1, 1e-5, 123456.789, 1e100, float("inf"), float("-inf"), float("nan"), -0.0, "12", "x", None, True, {}, "",
]  # fmt: skip


def test_format_of_every_letter_flag_width_and_precision() -> None:
    dice = random.Random(1)
    vectors: list[Vector] = []
    for letter, value in itertools.product(SPECS, NUMBERS):
        vectors.append(("string.format", [f"[%{letter}]", value]))
        for _ in range(12):
            flags = "".join(dice.sample("-+ #0", dice.randint(0, 3)))
            width = dice.choice(["", "1", "5", "12", "30"])
            precision = dice.choice(["", ".", ".0", ".2", ".10"])
            if (
                letter == "q"
                or (letter in "cs" and set(flags) - {"-"})
                or (letter in "di" and "#" in flags)
            ):
                continue  # undefined in C, or ignored by Lua
            if letter == "c" and precision:
                continue
            if letter in "oxXu" and set(flags) & {"+", " "}:
                continue
            vectors.append(("string.format", [f"[%{flags}{width}{precision}{letter}]", value]))
    agree(vectors)


def test_format_of_long_texts_zero_bytes_and_mistakes() -> None:
    long = "x" * 99
    vectors: list[Vector] = [
        ("string.format", ["%s", long]),
        ("string.format", ["%120s", long]),
        ("string.format", ["%110s|", long + "y"]),
        ("string.format", ["%.5s|", long + "y"]),
        ("string.format", ["%s|", "a\0b"]),
        ("string.format", ["%s|", "a\0b" + long]),
        ("string.format", ["%q", 'a "quoted" \\ text\nwith\r\0zero']),
        ("string.format", ["%c%c|", 0, 65]),
        ("string.format", ["%"]),
        ("string.format", ["%", 1]),
        ("string.format", ["%y", 1]),
        ("string.format", ["%10.123f", 1]),
        ("string.format", ["%123d", 1]),
        ("string.format", ["%-+ #0-d", 1]),
        ("string.format", ["%%%d%%", 5]),
        ("string.format", ["%d"]),
        ("string.format", ["%d %s", 1]),
        ("string.format", ["%s %s %s", 1, 1.5, "x"]),
        ("string.format", ["%5.1f|%-5d|%05d", 3.14159, 42, 42]),
        ("string.format", [5]),
        ("string.format", [None]),
        ("string.format", ["%i", "0x10"]),
    ]
    agree(vectors)


def test_gmatch_gives_the_same_values() -> None:
    from msys.lua import string
    from testkit.oracle import ask_lua, literal, show_all

    cases = [
        (text, p)
        for text in TEXTS
        for p in ("%w+", "(%w)=(%w)", "", "()", "%d*", "^h", ".", "(.)()", "[^,]*")
    ]
    prelude = """
    local function all(text, pattern)
      local out = {}
      for a, b in text:gmatch(pattern) do out[#out + 1] = tostring(a) .. ":" .. tostring(b) end
      return unpack(out)
    end
    """
    theirs = ask_lua([f"all({literal(text)}, {literal(p)})" for text, p in cases], prelude)
    for (text, p), expected in zip(cases, theirs, strict=True):
        found = []
        for captures in string.gmatch(text, p):
            a, b = captures if isinstance(captures, tuple) else (captures, None)
            found.append(f"{a}:{'nil' if b is None else b}")
        assert show_all([True, *found]) == expected, (text, p)
