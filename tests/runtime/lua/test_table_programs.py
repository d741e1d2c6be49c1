"""Random programs over a few tables that are each other's metatables, against lua5.1.

Every step reads, writes, changes or takes away a metatable, or changes its `__index` and `__newindex`; after each the
whole state is compared. This is what holds the switching of classes together.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from msys.lua import (
    Table,
    eq,
    getmetatable,
    index,
    length,
    lt,
    next,
    pairs,
    pcall,
    rawget,
    rawset,
    setindex,
    setmetatable,
    tostring,
)
from testkit.oracle import needs_lua, run_lua

TABLES = 4
KEYS = ["x", "y", "__index", "__newindex", "__eq", "__lt"]

_PRELUDE = """
local T = {}
local function fresh() for i = 1, 4 do T[i] = {} end end
local names = {}
local function name(v)
  for i = 1, 4 do if v == nil then return "nil" elseif rawequal(v, T[i]) then return "T" .. i end end
  if type(v) == "function" then return names[v] or "function" end
  return tostring(v)
end
local H = {
  function (t, k) return "h:" .. tostring(k) end,
  function (t, k, v) rawset(t, k, v) end,
  function (a, b) return true end,
  function (a, b) return nil end,
}
for i, f in ipairs(H) do names[f] = "H" .. i end
local function dump()
  local out = {}
  for i = 1, 4 do
    local keys, row = {}, {}
    for k in pairs(T[i]) do keys[#keys + 1] = tostring(k) end
    table.sort(keys)
    for j, k in ipairs(keys) do row[j] = k .. "=" .. name(rawget(T[i], tonumber(k) or k)) end
    local mt = getmetatable(T[i])
    out[i] = name(mt) .. "{" .. table.concat(row, ",") .. "}"
  end
  return table.concat(out, " ")
end
local function step(f)
  local r = {pcall(f)}
  local text = r[1] and name(r[2]) or "error"
  print(text .. " | " .. dump())
end
"""


def handlers() -> list[Any]:
    return [
        lambda t, k, *_: f"h:{tostring(k)}",
        lambda t, k, v, *_: rawset(t, k, v) and None,
        lambda a, b, *_: True,
        lambda a, b, *_: None,
    ]


class World:
    """Our side of a program."""

    def __init__(self) -> None:
        self.tables = [Table() for _ in range(TABLES)]
        self.handlers = handlers()

    def value(self, word: str) -> Any:
        if word == "nil":
            return None
        if word[0] == "T":
            return self.tables[int(word[1]) - 1]
        if word[0] == "H":
            return self.handlers[int(word[1]) - 1]
        return int(word) if word.isdigit() else word

    def name(self, value: Any) -> str:
        for found, prefix in ((self.tables, "T"), (self.handlers, "H")):
            for place, one in enumerate(found, 1):
                if one is value:
                    return f"{prefix}{place}"
        return tostring(value)

    def dump(self) -> str:
        rows = []
        for table in self.tables:
            stored = {tostring(key): value for key, value in pairs(table)}
            row = ",".join(f"{key}={self.name(stored[key])}" for key in sorted(stored))
            rows.append(f"{self.name(getmetatable(table))}{{{row}}}")
        return " ".join(rows)

    def step(self, operation: str, *words: str) -> str:
        args = [self.value(word) for word in words]
        ok, *results = pcall(OPERATIONS[operation][1], *args)
        text = self.name(results[0] if results else None) if ok else "error"
        return f"{text} | {self.dump()}"


# name -> how Lua writes it, and what ours does; $1 and so on are the arguments
OPERATIONS: dict[str, tuple[str, Any]] = {
    "get": ("return $1[$2]", index),
    "set": ("$1[$2] = $3", setindex),
    "native set": (
        "$1[$2] = $3",
        lambda t, k, v: t.pop(k, None) and None if v is None else t.__setitem__(k, v),
    ),
    "native get": ("return $1[$2]", lambda t, k: t[k]),
    "rawget": ("return rawget($1, $2)", rawget),
    "rawset": ("rawset($1, $2, $3)", lambda *args: rawset(*args) and None),
    "setmetatable": ("setmetatable($1, $2)", lambda *args: setmetatable(*args) and None),
    "equal": ("return $1 == $2", eq),
    "less": ("return $1 < $2", lt),
    "length": ("return #$1", length),
    "empty": ("return next($1) == nil", lambda t: next(t) is None),
}


def random_step(dice: random.Random) -> tuple[str, ...]:
    def table() -> str:
        return f"T{dice.randint(1, TABLES)}"

    def key() -> str:
        return dice.choice([*KEYS, "x", "1"])

    operation = dice.choice([*OPERATIONS, "set", "get", "setmetatable", "native set"])
    if operation in ("get", "rawget", "native get"):
        return operation, table(), key()
    if operation in ("set", "rawset", "native set"):
        wanted = key()
        values = {"__index": ["H1", table(), "nil"], "__newindex": ["H2", table(), "nil"]}
        values |= {"__eq": ["H3", "H4", "nil"], "__lt": ["H3", "H4", "nil"]}
        return (
            operation,
            table(),
            wanted,
            dice.choice(values.get(wanted, ["1", "2", "text", "nil", table()])),
        )
    if operation == "setmetatable":
        return operation, table(), dice.choice([table(), table(), "nil"])
    if operation in ("equal", "less"):
        return operation, table(), table()
    return operation, table()


def lua_word(word: str) -> str:
    if word == "nil" or word.isdigit():
        return word
    if word[0] in "TH" and word[1:].isdigit():
        return f"{word[0]}[{word[1:]}]"
    return f'"{word}"'


def lua_step(step: tuple[str, ...]) -> str:
    text = OPERATIONS[step[0]][0]
    for place, word in enumerate(step[1:], 1):
        text = text.replace(f"${place}", lua_word(word))
    return f"step(function () {text} end)"


def loops(world: World) -> bool:
    """Whether an `__index` or `__newindex` chain goes round: Lua and Python give up at different depths."""
    for event in ("__index", "__newindex"):
        for table in world.tables:
            seen: list[Any] = []
            here: Any = table
            while isinstance(here, Table):
                if any(here is one for one in seen):
                    return True
                seen.append(here)
                metatable = getmetatable(here)
                here = None if metatable is None else rawget(metatable, event)
    return False


@needs_lua
@pytest.mark.parametrize("seed", range(3))
def test_random_programs_over_tables_and_metatables(seed: int) -> None:
    dice = random.Random(seed)
    program, expected, origin = [_PRELUDE], [], []
    for _ in range(250):
        world = World()
        steps: list[str] = []
        for _ in range(25):
            step = random_step(dice)
            answer = world.step(*step)
            if loops(world):
                break
            steps.append(lua_step(step))
            expected.append(answer)
            origin.append("\n".join(steps))
        program.append("fresh()\n" + "\n".join(steps))
    found = run_lua("\n".join(program)).decode().splitlines()
    assert len(found) == len(expected)
    for mine, theirs, steps_so_far in zip(expected, found, origin, strict=True):
        assert mine == theirs, steps_so_far
