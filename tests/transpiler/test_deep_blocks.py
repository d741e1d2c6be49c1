"""Blocks as deep inside each other as Lua takes them: CPython's limits are ours to get around."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import lua2py
from lua2py.source import SourceFile
from testkit.cases import run_lua_text


def nested(opening: list[str], middle: str, closing: str = "end") -> str:
    return "\n".join([*opening, middle, *[closing] * len(opening)]) + "\n"


FORS = [f"for v{n} = 1, 2 - {n} % 2 do if v{n} < 9 then" for n in range(6)]
FORS += [f"for v{n} = 1, 1 do" for n in range(6, 45)]
IFS = [f"if n > {n} - 200 then" for n in range(150)]
WHILES = ["while true do"] * 30

PROGRAMS = {
    "loops of a function, which returns out of them": (
        "local total = 0\nlocal function f(x)\nlocal total = 0\n"
        + nested(FORS[6:], "total = total + v44 if x then return total, x end")
        + "return total + 1\nend\nprint(f(1)) print(f(nil)) print(total)\n",
        "1\t1\n2\n0\n",
    ),
    "loops of the main block, with a closure and a break": (
        "local n = 0\n"
        + nested(
            [f"for v{n} = 1, 2 do" for n in range(2)] + FORS[6:],
            "n = n + 1 local g = function() n = n + v44 return n end g() if n > 2 then break end",
        )
        + "print(n)\n",
        "8\n",
    ),
    "ifs, with an else to each": (
        "local n = 7\n" + nested(IFS, "print('deep') n = 8", "else n = 3 end") + "print(n)\n",
        "deep\n8\n",
    ),
    "loops that only a return ends": (
        "local function f(n)\n"
        + nested(WHILES, "n = n - 1 if n < 0 then return 'out' end")
        + "end\nprint(f(5))\n",
        "out\n",
    ),
    "a break and a return out of ifs, for a loop around them": (
        "local function sum(list)\nlocal s = 0\nfor _, x in ipairs(list) do\n"
        + nested(
            [f"if x > -{n} then" for n in range(1, 121)],
            "if x == 3 then break end -- enough\ns = s + x if x == 7 then return 'seven' end",
        )
        + "end\nreturn s\nend\nprint(sum{1, 2, 3, 4}, sum{1, 7}, sum{1, 1})\n",
        "3\tseven\t2\n",
    ),
    "a call of itself out of ifs": (
        "local function down(n, s)\nif n == 0 then return s end\n"
        + nested(
            [f"if n > -{n} then" for n in range(1, 111)], "return down(n - 1, (s or 0) + n)"
        )
        + "end\nprint(down(1000))\n",
        "500500\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("view", ["py", "lua"])
@pytest.mark.parametrize("what", PROGRAMS)
def test_deep_blocks_do_what_they_say(what: str, view: str) -> None:
    text, expected = PROGRAMS[what]
    assert run_lua_text(text, "5.1", view=view) == expected


@pytest.mark.skipif(not shutil.which("lua5.1"), reason="the Debian package lua5.1 is not installed")
@pytest.mark.parametrize("what", PROGRAMS)
def test_lua_itself_says_the_same(what: str) -> None:
    text, expected = PROGRAMS[what]
    done = subprocess.run(
        ["lua5.1", "-"], input=text, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == expected


def test_comments_go_along() -> None:
    text, _ = PROGRAMS["a break and a return out of ifs, for a loop around them"]
    assert "# enough" in lua2py.translate(SourceFile.of_text(text)).python


def test_brackets_that_are_too_deep_are_told() -> None:
    text = "local t = " + "{ a = " * 120 + "1" + " }" * 120 + "\n"
    assert [d.code for d in lua2py.translate(SourceFile.of_text(text)).diagnostics] == ["L211"]
