"""lua5.1 itself, asked many questions in one run.

A question is a Lua expression list; the answer is one line: true and the values, or false and the error without its
position, in a notation that both sides can write.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

LUA = shutil.which("lua5.1")

needs_lua = pytest.mark.skipif(LUA is None, reason="the Debian package lua5.1 is not installed")

ASKING = r"""
local function show(v)
  local t = type(v)
  if t == "number" then
    if v ~= v then return "nan" end
    return (string.format("%.17g", v))
  elseif t == "string" then
    return '"' .. (v:gsub("[^%w _.,:;!?@#&*()+='<>/{}|~^$%%%[%]-]", function (c) return string.format("\\%03d", c:byte()) end)) .. '"'
  elseif t == "table" then return "table"
  end
  return (tostring(v):gsub(": .*", ""))
end
local unpack, select, print, pcall = unpack, select, print, pcall
local concat = table.concat
local function answer(...)
  local out = {}
  for i = 1, select('#', ...) do out[i] = show((select(i, ...))) end
  print(concat(out, " "))
end
local function id(...) return ... end  -- keeps the question from being a tail call, which has no name
local function checked(ok, ...)
  if not ok and type((...)) == "string" then
    return ok, ((...):gsub("^[^:]*:%d+: ", ""))
  end
  return ok, ...
end
local function ask(f)
  answer(checked(pcall(f)))
end
"""


def run_lua(program: str, *, limit_s: float = 60) -> bytes:
    """Standard output of a program; an error of the program fails the test."""
    assert LUA is not None
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC", "LUA_INIT": ""}
    done = subprocess.run(
        [LUA, "-"],
        input=program.encode("latin-1"),
        capture_output=True,
        timeout=limit_s,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr.decode("latin-1")
    return done.stdout


def ask_lua(expressions: Sequence[str], prelude: str = "") -> list[str]:
    """One line of answer for each expression list."""
    questions = [f"ask(function () return id({expression}) end)" for expression in expressions]
    chunks = [
        f"(function ()\n{chr(10).join(questions[at : at + 100])}\nend)()"
        for at in range(0, len(questions), 100)
    ]
    program = ASKING + prelude + ";\n" + ";\n".join(chunks)
    return run_lua(program).decode("latin-1").splitlines()


def show(value: Any) -> str:
    """A value of ours in the oracle's notation."""
    from msys.lua import Table
    from msys.lua.text import type_name

    if value is None:
        return "nil"
    if value is True or value is False:
        return str(value).lower()
    if value.__class__ in (int, float):
        if value != value:
            return "nan"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return f"{value:.17g}" if isinstance(value, float) else f"{float(value):.17g}"
    if value.__class__ is str:
        return f'"{"".join(map(_shown, value))}"'
    return "table" if isinstance(value, Table) else type_name(value)


_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,:;!?@#&*()+='<>/{}|~^$%[]-"
)


def _shown(char: str) -> str:
    return char if char in _PLAIN else f"\\{ord(char):03d}"


def show_all(values: Sequence[Any]) -> str:
    """Several values on one line."""
    return " ".join(map(show, values))


def lua_string(text: str) -> str:
    """Text of any bytes as a Lua string."""
    return '"' + "".join(c if c in _PLAIN else f"\\{ord(c):03d}" for c in text) + '"'


def literal(value: Any) -> str:
    """A value as Lua source."""
    if value is None:
        return "nil"
    if value is True or value is False:
        return str(value).lower()
    if value.__class__ is str:
        return lua_string(value)
    if value.__class__ in (int, float):
        if value != value:
            return "(0/0)" if math.copysign(1, value) < 0 else "(-(0/0))"  # as x86 makes it
        if math.isinf(value):
            return "(1/0)" if value > 0 else "(-1/0)"
        if not value and math.copysign(1, value) < 0:
            return '(-tonumber("0"))'  # a literal would share its constant with 0
        return f"({value:.17g})" if value.__class__ is float else f"({value})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{literal(k)}] = {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "{" + ", ".join(map(literal, value)) + "}"
    raise TypeError(f"no Lua literal for {value!r}")
