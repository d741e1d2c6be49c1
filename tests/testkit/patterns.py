"""Random patterns over random texts, asked of ours and of lua5.1: many thousand pairs in one lua5.1 process.

A pair is asked four questions: `find` from some start, `match`, `gsub` by some replacement, and all turns of `gmatch`.
By hand: `PYTHONPATH=tests python -m testkit.patterns 0 1000000` compares the pairs of these seeds.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msys.lua import environment, pcall, tostring
from testkit.cases import lua_environment
from testkit.oracle import ASKING, lua_string, run_lua, show_all

TEXTS = 8  # texts for each pattern
ITEMS = [
    "a", "b", "c", ".", "%a", "%d", "%s", "%w", "%W", "%p", "%x", "%z", "%.", "%%", "[abc]", "[^ab]", "[a-c]", "[%d%s]",
    "[^%w]", "[]a]", "[^]a]", "[a-]", "[%]x]", "[%a-z]", "-", "^", "$", "\xe9", "%1", "%2", "%f[%w]", "%f[^a]", "%f[%z]",
    "%b()", "%bab", "()", "(a)", "(%w*)", "(.-)", "(", ")", "%", "[", "[^", "%f", "%b", "%bx", "%g", "%-",
]  # fmt: skip
BROKEN = {"(", ")", "%", "[", "[^", "%f", "%b", "%bx", "%1", "%2"}  # alone, or where they stand
SOUND = [item for item in ITEMS if item not in BROKEN]
SUFFIXES = ["", "", "", "*", "+", "-", "?"]
LETTERS = "aabbc1  ().,\0\xe9-"
STARTS = [1, 3, -2, 0, 40]
REPLACEMENTS = ["<%0>", "%1", "-", "", "%2", "%"]

_DRIVER = r"""
local find, match, gsub, gmatch = string.find, string.match, string.gsub, string.gmatch
local function turns(text, pattern)
  local all, count = {}, 0
  for first, second in gmatch(text, pattern) do
    all[count + 1], all[count + 2], count = tostring(first), tostring(second), count + 2
  end
  return unpack(all)
end
local function P(pattern, start, replacement, ...)
  for i = 1, select("#", ...) do
    local text = (select(i, ...))
    answer(checked(pcall(find, text, pattern, start)))
    answer(checked(pcall(match, text, pattern)))
    answer(checked(pcall(gsub, text, pattern, replacement)))
    answer(checked(pcall(turns, text, pattern)))
  end
end
"""


@dataclass(frozen=True)
class Question:
    """One pattern, and the texts that it is tried on."""

    pattern: str
    start: int
    replacement: str
    texts: list[str]


def random_pattern(dice: random.Random, items: Sequence[str]) -> str:
    body = "".join(dice.choice(items) + dice.choice(SUFFIXES) for _ in range(dice.randint(1, 5)))
    return dice.choice(["", "", "", "^"]) + body + dice.choice(["", "", "", "$"])


def random_text(dice: random.Random) -> str:
    length = dice.randint(0, 12) if dice.random() < 0.9 else dice.randint(12, 60)
    return "".join(dice.choice(LETTERS) for _ in range(length))


def questions(seed: int, pairs: int) -> list[Question]:
    """So many pairs of pattern and text."""
    dice = random.Random(seed)
    return [
        Question(
            random_pattern(dice, SOUND if dice.random() < 0.8 else ITEMS),
            dice.choice(STARTS),
            dice.choice(REPLACEMENTS),
            [random_text(dice) for _ in range(TEXTS)],
        )
        for _ in range(pairs // TEXTS)
    ]


def theirs(asked: Sequence[Question]) -> list[str]:
    calls = [
        f"P({lua_string(one.pattern)}, {one.start}, {lua_string(one.replacement)}, "
        f"{', '.join(map(lua_string, one.texts))})"
        for one in asked
    ]
    return run_lua("\n".join([ASKING, _DRIVER, *calls])).decode("latin-1").splitlines()


def ours(asked: Sequence[Question]) -> Iterator[str]:
    library = environment().globals["string"]
    for one in asked:
        for text in one.texts:
            yield show_all(pcall(library["find"], text, one.pattern, one.start))
            yield show_all(pcall(library["match"], text, one.pattern))
            yield show_all(pcall(library["gsub"], text, one.pattern, one.replacement))
            yield show_all(pcall(_turns, library["gmatch"], text, one.pattern))


def _turns(gmatch: Any, text: str, pattern: str) -> tuple[str, ...]:
    turn, found = gmatch(text, pattern), []
    while (taken := turn()) not in (None, ()):
        several = taken if isinstance(taken, tuple) else (taken,)
        found += [*map(tostring, several[:2]), "nil"][:2]
    return tuple(found)


def differences(seed: int, pairs: int) -> list[str]:
    """Every answer of lua5.1 that is not ours."""
    asked = questions(seed, pairs)
    named = (
        f"{function}({lua_string(text)}, {lua_string(one.pattern)}{rest})"
        for one in asked
        for text in one.texts
        for function, rest in (
            ("find", f", {one.start}"),
            ("match", ""),
            ("gsub", f", {lua_string(one.replacement)}"),
            ("gmatch", ""),
        )
    )
    return [
        f"{name}\n  lua5.1: {there}\n  ours:   {here}"
        for name, there, here in zip(named, theirs(asked), ours(asked), strict=True)
        if there != here
    ]


def main(first: int, pairs: int, batch: int = 20_000) -> None:
    """Print what differs."""
    lua_environment("5.1")
    for number in range(pairs // batch):
        for found in differences(first + number, batch):
            print(found, flush=True)
    print(f"{pairs} pairs from seed {first}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
