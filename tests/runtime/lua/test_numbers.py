"""Numbers: conversion, printing, arithmetic and comparison, against lua5.1 and by thrlua's own rules."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from msys import lua as L
from msys.lua import Environment, Table, pcall
from testkit.oracle import ask_lua, literal, needs_lua, show_all
from testkit.vectors import Vector, agree, ours_value

NUMERALS = [
    "0", "1", "-1", "+1", "  12  ", "12 x", "1.5", ".5", "5.", ".", "", " ", "-", "+", "--1", "+-1", "1e5", "1E+5", "1e", "1e+",
    "1e400", "-1e400", "1e-400", "0x10", "0X1F", "-0x10", "0x", "0xg", "0x1p4", "0x.8", "0x1.8p1", "inf", "-inf", "Infinity",
    "nan", "-nan", "NAN(x1)", "infx", "010", "08", "-010", "00", "-0", "0.1", "00.5", "1_000", "1,5", "\t7\n", "7\0", "7\0x", "\0",
    "9007199254740993", "123456789012345678901234567890", "1 2", "0b1", "1f", "1d", "\xa07", "７"[:0], "1e1000", "0e5", "e5",
]  # fmt: skip
VALUES: list[Any] = [
    0, 1, -1, 2, 3, 7, -7, 0.5, -0.5, 1.5, -2.5, 1e15, 2**53, -(2**53), 2**53 - 1, 1e300, -1e300, 1e-300, math.inf, -math.inf,
    -math.nan, -0.0, "10", "0x10", "1.5", " 3 ", "abc", "", None, True, {}, 94906267, 3037000500,
]  # fmt: skip


@needs_lua
def test_tonumber_reads_what_c_reads() -> None:
    vectors: list[Vector] = [("tonumber", [text]) for text in NUMERALS]
    vectors += [("tonumber", [value]) for value in VALUES] + [("tonumber", [])]
    bases = [2, 8, 10, 16, 36, 1, 37, "16", None]
    texts = [
        "10",
        "ff",
        "FF",
        "-ff",
        " 7 ",
        "z",
        "",
        "8",
        "0x1f",
        "1.5",
        "18446744073709551616",
        "-1",
        "7\0",
        "- 1",
        "+5",
        10,
        None,
    ]
    vectors += [("tonumber", [text, base]) for text, base in itertools.product(texts, bases)]
    agree(vectors)


PRINTED: list[Any] = [
    0, 1, -1, 99999999999999, 10**14, 10**14 + 1, -(10**14), 123456789012345, 2**53, 2**63, 1e15, 1e100, 0.1, 1 / 3, 1e-5, 1e-4,
    123456.7890125, 3.0, -3.0, -0.0, math.inf, -math.inf, math.nan, -math.nan, 5e-324, 1.7976931348623157e308, 100.5, 1e14 + 0.5,
]  # fmt: skip


@needs_lua
def test_numbers_print_with_fourteen_digits() -> None:
    agree([("tostring", [value]) for value in PRINTED])


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": L.add, "-": L.sub, "*": L.mul, "/": L.div, "%": L.mod, "^": L.power, "..": L.concat,
    "<": L.lt, "<=": L.le, "==": L.eq,
}  # fmt: skip


def unnamed(answer: str) -> str:
    """An error text without the name of the culprit, which only generated code knows."""
    return re.sub(
        r"local 'a|local 'b|\(a (\w+) value\)", lambda m: f"a {m[1]} value" if m[1] else "", answer
    ).replace("' a ", "a ")


@needs_lua
@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_on_every_pair_of_values(operator: str) -> None:
    pairs = list(itertools.product(VALUES, VALUES))
    prelude = "local function op(a, b) return a " + operator + " b end"
    theirs = ask_lua([f"op({literal(a)}, {literal(b)})" for a, b in pairs], prelude)
    for (a, b), expected in zip(pairs, theirs, strict=True):
        got = show_all(pcall(OPERATORS[operator], ours_value(a), ours_value(b)))
        assert got == unnamed(expected), f"{a!r} {operator} {b!r}"


@needs_lua
def test_negation_and_length() -> None:
    prelude = "local function neg(a) return -a end local function len(a) return #a end"
    for name, function in (("neg", L.neg), ("len", L.length)):
        theirs = ask_lua([f"{name}({literal(value)})" for value in VALUES], prelude)
        for value, expected in zip(VALUES, theirs, strict=True):
            assert show_all(pcall(function, ours_value(value))) == unnamed(expected), value


@needs_lua
def test_math_functions() -> None:
    one = [
        "abs",
        "acos",
        "asin",
        "atan",
        "ceil",
        "cos",
        "deg",
        "exp",
        "floor",
        "frexp",
        "log",
        "log10",
        "modf",
        "rad",
        "sin",
        "sqrt",
    ]
    one += ["tan", "cosh", "sinh", "tanh"]
    vectors: list[Vector] = [(f"math.{name}", [value]) for name in one for value in VALUES]
    vectors += [(f"math.{name}", []) for name in [*one, "max", "min", "fmod", "pow", "randomseed"]]
    two = ["atan2", "fmod", "pow", "max", "min", "mod"]
    vectors += [
        (f"math.{name}", [a, b]) for name in two for a, b in itertools.product(VALUES, VALUES)
    ]
    vectors += [
        ("math.ldexp", [a, b])
        for a in (1, 0.5, -3, 0, math.inf)
        for b in (0, 3, -3, 2000, -2000, "2", None)
    ]
    vectors += [
        ("math.random", [0]),
        ("math.random", [2, 1]),
        ("math.random", [1, 2, 3]),
        ("math.random", ["x"]),
        ("math.random", [5, 5]),
    ]
    agree(vectors)


def test_random_stays_in_its_interval() -> None:
    L.math.randomseed(42)
    assert {L.math.random(3) for _ in range(200)} == {1, 2, 3}
    assert {L.math.random(-1, 1) for _ in range(200)} == {-1, 0, 1}
    assert all(0 <= L.math.random() < 1 for _ in range(200))
    L.math.randomseed(7)
    first = [L.math.random(1000) for _ in range(5)]
    L.math.randomseed(7)
    assert [L.math.random(1000) for _ in range(5)] == first


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("010", 8), ("0644", 420), ("-010", -8), ("+010", 10), (" 010", 10), ("08", None), ("09", None), ("0", 0), ("00", 0),
        ("0.5", 0.5), ("-0.5", -0.5), ("0x1F", 31), ("-0x1F", -31), ("0e5", None), ("00.5", None), ("10", 10), ("1e2", 100),
        ("0x", None), ("0777777777777777777777777777", 2.0**63), ("07 ", 7), ("07x", None), ("inf", math.inf), ("", None),
    ],
)  # fmt: skip
def test_thrlua_reads_a_leading_zero_as_octal(lua: Environment, text: str, number: Any) -> None:
    lua.std = "thr"
    assert L.tonumber(text) == number
    if number is None and text != "":
        assert L.pcall(L.add, text, 0)[0] is False


def test_thrlua_prints_no_sign_before_nan_and_inf(lua: Environment) -> None:
    lua.std = "thr"
    assert [L.tostring(x) for x in (math.inf, -math.inf, math.nan, -math.nan)] == [
        "inf",
        "inf",
        "nan",
        "nan",
    ]
    lua.std = "5.1"
    assert [L.tostring(x) for x in (math.inf, -math.inf)] == ["inf", "-inf"]


@pytest.mark.parametrize(
    ("operation", "args", "result"),
    [
        (L.band, (0x54, 0xF), 4), (L.bor, (1, 6), 7), (L.bxor, (5, 1), 4), (L.bnot, (0x54,), -85), (L.shl, (1, 4), 16),
        (L.shr, (-16, 2), -4), (L.shl, (1, 64), 1), (L.shl, (1, 63), -(2**63)), (L.band, ("0x10", 16.9), 16), (L.band, ("010", 8), 8),
        (L.intdiv, (-7, 2), -4), (L.intdiv, (7, 2), 3), (L.intdiv, (1, 0), math.inf), (L.intdiv, (7.5, 2), 3), (L.intdiv, ("9", 2), 4),
    ],
)  # fmt: skip
def test_bitwise_operators_of_the_dialect(
    lua: Environment, operation: Any, args: Any, result: Any
) -> None:
    lua.std = "thr"
    assert operation(*args) == result


def test_bitwise_operators_refuse_other_values() -> None:
    assert pcall(L.band, 1, Table()) == (
        False,
        "attempt to perform bitwise operation on a table value",
    )
    assert pcall(L.bnot, None) == (False, "attempt to perform bitwise operation on a nil value")
    assert pcall(L.intdiv, None, 1) == (False, "attempt to perform arithmetic on a nil value")


@pytest.mark.parametrize(
    ("bounds", "seen"),
    [
        ((1, 3), [1, 2, 3]), ((3, 1), []), ((3, 1, -1), [3, 2, 1]), ((1, 2, 0.5), [1, 1.5, 2]), ((1, 3.7), [1, 2, 3]),
        ((-1, -3.7, -1), [-1, -2, -3]), (("1", "3"), [1, 2, 3]), ((1.5, 3), [1.5, 2.5]), ((1, math.nan), []), ((1, -math.inf), []),
        ((1, 2, 0), []), ((0.1, 0.35, 0.1), [0.1, 0.2, 0.30000000000000004]), ((math.inf, 1), []),
    ],
)  # fmt: skip
def test_numeric_for_walks_as_doubles_do(bounds: Any, seen: list[Any]) -> None:
    assert list(L.numeric_for(*bounds)) == seen


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ((None, 1), "initial value"),
        ((1, "x"), "limit"),
        ((1, 2, Table()), "step"),
        ((True, 1), "initial value"),
    ],
)
def test_numeric_for_refuses_what_is_no_number(bounds: Any, text: str) -> None:
    assert pcall(L.numeric_for, *bounds) == (False, f"'for' {text} must be a number")


def test_endless_numeric_for_goes_on() -> None:
    walk = iter(L.numeric_for(1, math.inf))
    assert [next(walk) for _ in range(3)] == [1, 2, 3]
