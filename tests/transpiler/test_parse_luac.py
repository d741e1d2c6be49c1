"""The grammar of stock Lua 5.1 against `luac5.1 -p`: what is accepted, and the words and line of what is not."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lua2py.parse import parse
from lua2py.source import SourceFile

LUAC = shutil.which("luac5.1")

WHOLE = r"""
local a, b = 1, "two\n\065"
local function f(x, ...)
  local t = { 1, 2; x = 3, ["y"] = f, [a + 1] = { n = #b } }
  for i = 1, 10, 2 do
    if i == 3 then break elseif not (i < 2 or x ~= nil) then t[i] = -i ^ 2 else t.x.y = ... end
  end
  while true do repeat local z = a .. b .. 'c' until z break end
  for k, v in pairs(t) do print(k, v) end
  return t:method(1):other "s" { 1 }, [[long
string]], [==[ x ]] ]==] -- done
end
--[[ a comment
of two lines ]]
function a.b.c:d(p, q) do return end end
x, y.z, t[1] = f(1, 2), (f()), 0x1F % 3e2 / .5;
f(function() return 1 end)
"""
WORDS = (
    "end do then if else elseif for in while repeat until function local return break and or not nil true "
    '( ) [ ] { } = == ~= < > .. ... , ; : . + - * / ^ # % a b "s" \'s [[x ]] 1 0x 3.4.5 \\ @ ! & | ~ goto // :: '
    '\n "\\300" \'open\n --[[ --'
)


def pieces() -> list[str]:
    return re.findall(r"\s+|\w+|.", WHOLE)


def truncated() -> list[str]:
    parts = pieces()
    return ["".join(parts[:count]) for count in range(0, len(parts), 2)]


def mutated(count: int) -> list[str]:
    chance, words = random.Random(51), WORDS.split(" ")
    found = []
    for _ in range(count):
        parts = pieces()
        for _ in range(chance.choice((1, 1, 2))):
            at = chance.randrange(len(parts))
            change = chance.random()
            if change < 0.3:
                del parts[at]
            elif change < 0.6:
                parts[at] = chance.choice(words)
            elif change < 0.8:
                parts.insert(at, f" {chance.choice(words)} ")
            else:
                other = chance.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
        found.append("".join(parts))
    return found


SHAPES = [
    "",
    "return",
    "return;",
    ";",
    "a = 1;;",
    "break",
    "while x do break print() end",
    "return 1 print()",
    "f\n(1)",
    "f()\n(g)()",
    "a.b",
    "f() = 1",
    "(a) = 1",
    "(a).b = 1",
    "(f())",
    "a, f() = 1, 2",
    "local a.b = 1",
    "local function a.b() end",
    "function a:b.c() end",
    "function f(a, ..., b) end",
    "function f(a,) end",
    "function f() return ... end",
    "return ...",
    "goto x",
    "::x::",
    "local x <const> = 1",
    "x = 1 // 2",
    "x = a & b",
    "x = !a",
    "if a != b then end",
    "x = 08 + 010",
    "x = '\\x41\\u1234\\z'",
    "x = '\\300'",
    "x = 'a\\\nb'",
    "x = [=[ ]] ]=]",
    "x = [=x",
    "x = [[ [[ ]] ]]",
    "x = --[[ [[ ]] 1",
    "--[==[ [[ ]==] x = 1",
    "x = 0x",
    "x = 0x1p4",
    "x = 1e",
    "x = 1e+",
    "x = 3..2",
    "x = 3 ..2",
    "x = .5.",
    "x = 'open",
    'x = "open\n"',
    "x = [[open",
    "--[[open",
    "x = {",
    "x = {a",
    "x = {a =\n}",
    "x = {1 2}",
    "x = {[1] 2}",
    "x = f{1}'a'",
    "for i = 1 do end",
    "for i, j = 1, 2 do end",
    "for i in x end",
    "for 1 = 2, 3 do end",
    "if x print() end",
    "if x then else elseif y then end",
    "repeat until",
    "function\nf()\n",
    "x = function() if y then\n",
    "end",
    "x = }",
    "x = \x01",
    "x = \xa0 1",
    "x = 'caf\xc3\xa9'",
    "a\rb\n\rc()",
    "x = 'a\\\r\nb' y z",
    "local " + ", ".join(f"a{n}" for n in range(200)),
    "local " + ", ".join(f"a{n}" for n in range(201)),
    "function f()\n" + "local x\n" * 201 + "end",
    "x = " + "(" * 197 + "1" + ")" * 197,
    "x = " + "(" * 198 + "1" + ")" * 198,
    "do " * 198 + " end" * 198,
    "do " * 199 + " end" * 199,
    "x = " + "{" * 300,
    "x = " + " .. ".join("abc" * 60),
    "x = " + " .. ".join("abc" * 80),
    "x = " + " + ".join("abc" * 80),
    "\n".join(f"local a{n}" for n in range(61))
    + "\nfunction f()\n"
    + "\n".join(f"a{n} = 1" for n in range(61))
    + "\nend",
]


def luac(texts: list[str], folder: Path) -> list[str]:
    """What luac says of each text: empty when it accepts it."""
    assert LUAC
    answers = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.lua"
        path.write_bytes(text.encode("latin-1"))
        done = subprocess.run([LUAC, "-p", path.name], cwd=folder, capture_output=True, check=False)
        answers.append(done.stderr.decode("latin-1").removeprefix(f"{LUAC}: ").strip("\n"))
    return answers


def ours(text: str, name: str) -> str:
    chunk, found = parse(SourceFile.of_text(text, name), "5.1")
    mistakes = [one for one in found if one.severity == "error"]
    assert (chunk is None) == bool(mistakes)
    return "".join(f"{name}:{one.args['line']}: {one.message}" for one in mistakes)


@pytest.mark.skipif(not LUAC, reason="needs luac5.1 (Debian package lua5.1)")
@pytest.mark.parametrize(
    "texts", [SHAPES, truncated(), mutated(250)], ids=["shapes", "truncated", "mutated"]
)
def test_speaks_as_luac_does(texts: list[str], tmp_path: Path) -> None:
    expected = luac(texts, tmp_path)
    for number, (text, theirs) in enumerate(zip(texts, expected, strict=True)):
        said = ours(text, f"{number}.lua")
        # luac writes messages through C strings: what follows a NUL is lost.
        assert said.split("\0")[0] == theirs, text
