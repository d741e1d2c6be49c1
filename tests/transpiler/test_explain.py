"""Each helper in the generated Python has a reason that names the operand and where it comes from."""

from __future__ import annotations

import pytest

import lua2py
from lua2py.source import SourceFile


def explained(text: str) -> list[str]:
    source = SourceFile.of_text(text)
    assert lua2py.translate(source).ok
    return [f"{one.span.line} {one.helper}: {one.reason}" for one in lua2py.explain(source)]


@pytest.mark.parametrize(
    ("text", "helper", "reason"),
    [
        ("function f(a) return a * 2 end", "mul", "a parameter of `f`, which nothing here calls"),
        (
            "local m = {}\nfunction m.f(a) return a * 2 end\nreturn m",
            "mul",
            "`a` may be anything, a parameter of `m.f`, which may be called from where",
        ),
        (
            "local function f(a) return a * 2 end\nlocal n = g()\nprint(f(n), f(1))",
            "mul",
            "a parameter of `f`, to which line 3 passes `n`, which line 2 sets to `g()`",
        ),
        ("local n = tonumber(x)\nprint(n < 3)", "lt", "`n` may be nil, which line 1 sets to `tonumber(x)`"),
        ("print(g * 2)", "mul", "a global, which any file may assign"),
        ("print(2 ^ 3)", "power", "Lua's power is a float"),
        ("local n = #g()\nprint(1 / n)", "div", "the divisor may be zero"),
        ("local t = g()\nprint(t.x * 2)", "mul", "a field: what `t` holds is not followed"),
        ("local t = g()\nprint(#t.x)", "length", "`t.x` may be anything"),
        ("local v = g()\nlocal x = v:go()", "invoke", "`v` may be anything, which line 1 sets to `g()`"),
        ("local x = g()", "first", "which function `g` is, only the run can tell"),
        ("local x = require('m')\nprint(x * 2)", "mul", "what another file returns is not followed"),
        ("if g() then print(1) end", "truthy", "`g()` may be anything"),
        ("local x = ...\nprint(x * 2)", "mul", "whatever callers pass"),
        ("local x, y = 1\nlocal function f() x = g() end\nprint(x * 2)", "mul", "line 2 assigns"),
    ],
)  # fmt: skip
def test_a_helper_is_told_with_the_operand_that_asks_for_it(
    text: str, helper: str, reason: str
) -> None:
    told = [line for line in explained(text) if f" {helper}: " in line]
    assert told, explained(text)
    assert any(reason in line for line in told), told


@pytest.mark.parametrize(
    "text",
    [
        "local n = 1\nprint(n + 2, 'a' .. n, #'abc')",
        "local t = { x = 1 }\nt.x = t.x + 1\nprint(t.x)",
        "print(string.format('%d', 3), table.concat({ 'a' }))",
    ],
)
def test_plain_python_has_nothing_to_tell(text: str) -> None:
    assert explained(text) == []


def test_a_file_that_does_not_parse_has_nothing_to_tell() -> None:
    assert lua2py.explain(SourceFile.of_text("local = 1")) == []
