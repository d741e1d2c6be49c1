"""Random Lua programs that print what they compute, for comparing two ways of running them.

Programs always end: loops count up to small bounds, functions don't call each other in circles. What two Luas may
answer differently (order of `pairs`, addresses, the sign of zero) is never printed.
"""

from __future__ import annotations

import random

_NAMES = [
    "a",
    "b",
    "c",
    "count",
    "name",
    "list",
    "from",
    "t",
    "key",
    "value",
    "str",
    "type_",
    "add",
    "first",
]
_STRINGS = ["", "x", "hello", "10", "3.5", " 7 ", "0x10", "a,b,c", "From: me", "%d", "é"]
_NUMBERS = ["0", "1", "2", "3", "7", "10", "0.5", "2.5", "100", "1e3", "-1", "4096"]
_BINARY = ["+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or"]


class Maker:
    """One program."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.scopes: list[list[str]] = [[]]
        self.functions: list[tuple[str, int]] = []
        self.indent = 0
        self.budget = 10 if seed % 8 else 40  # one of eight is large
        self.most = 5 if seed % 8 else 12  # statements outside of others
        self.loops = 0

    def program(self) -> str:
        for _ in range(self.random.randint(self.most // 3, self.most)):
            self.statement()
        for name in self.visible():
            self.say(f"show({name})")
        return PRELUDE + "\n".join(self.lines) + "\n"

    # --- helpers ----------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        self.lines.append("  " * self.indent + line)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def visible(self) -> list[str]:
        return list(dict.fromkeys(name for scope in self.scopes for name in scope))

    def new_name(self) -> str:
        return self.random.choice(_NAMES)

    def block(self, names: list[str], statements: int) -> None:
        self.indent += 1
        self.scopes.append(list(names))
        for _ in range(statements):
            self.statement()
        self.scopes.pop()
        self.indent -= 1

    # --- statements -------------------------------------------------------------------------------------

    def statement(self) -> None:
        self.budget -= 1
        simple = [
            self.local,
            self.local,
            self.assign,
            self.show,
            self.field,
            self.several,
            self.call_statement,
        ]
        compound = [
            self.branch,
            self.numeric_for,
            self.while_loop,
            self.repeat,
            self.function,
            self.list_for,
            self.closures,
        ]
        if self.budget <= 0 or self.indent > 4 or self.chance(0.6):
            self.random.choice(simple)()
        else:
            self.random.choice(compound)()

    def local(self) -> None:
        name = self.new_name()
        if self.chance(0.1):
            self.say(f"local {name}")
        elif self.chance(0.2):
            other = self.new_name()
            self.say(f"local {name}, {other} = {self.expression()}, {self.expression()}")
            self.scopes[-1].append(other)
        else:
            self.say(f"local {name} = {self.expression()}")
        self.scopes[-1].append(name)

    def assign(self) -> None:
        names = self.visible()
        if not names:
            self.local()
            return
        self.say(f"{self.random.choice(names)} = {self.expression()}")

    def several(self) -> None:
        names = self.visible()
        if len(names) < 2:
            self.local()
            return
        one, other = self.random.sample(names, 2)
        self.say(f"{one}, {other} = {self.expression()}, {self.expression()}")

    def show(self) -> None:
        values = ", ".join(self.expression() for _ in range(self.random.randint(1, 3)))
        self.say(f"show({values})")

    def field(self) -> None:
        names = self.visible()
        if not names:
            return self.local()
        target = self.random.choice(names)
        key = self.random.choice([".x", ".y", "[1]", "[2]", "[#T + 1]", f"[{self.simple()}]"])
        self.say(f"try(function() {target}{key.replace('T', 'T0')} = {self.expression()} end)")
        return None

    def call_statement(self) -> None:
        self.say(f"show({self.call()})")

    def branch(self) -> None:
        self.say(f"if {self.expression()} then")
        self.block([], self.random.randint(1, 3))
        if self.chance(0.4):
            self.say(f"elseif {self.expression()} then")
            self.block([], self.random.randint(1, 2))
        if self.chance(0.5):
            self.say("else")
            self.block([], self.random.randint(0, 2))
        self.say("end")

    def numeric_for(self) -> None:
        name = self.new_name()
        bounds = self.random.choice(
            ["1, 3", "3, 1, -1", "1, 2, 0.5", "0, #T0", "2, 1", "1, tonumber('2')"]
        )
        self.say(f"for {name} = {bounds} do")
        self.block([name], self.random.randint(1, 3))
        if self.chance(0.2):
            self.say(f"  if {self.expression()} then break end")
        self.say("end")

    def while_loop(self) -> None:
        self.loops += 1
        turn = f"turn{self.loops}"
        self.say(f"local {turn} = 0")
        self.say(f"while {turn} < 3 and {self.expression()} do")
        self.indent += 1
        self.say(f"{turn} = {turn} + 1")
        self.indent -= 1
        self.block([], self.random.randint(1, 2))
        self.say("end")

    def repeat(self) -> None:
        self.loops += 1
        turn = f"turn{self.loops}"
        self.say(f"local {turn} = 0")
        self.say("repeat")
        self.indent += 1
        self.say(f"{turn} = {turn} + 1")
        self.say(f"local inner = {self.expression()}")
        self.indent -= 1
        self.block(["inner"], self.random.randint(1, 2))
        self.say(f"until {turn} > 2 or inner")

    def list_for(self) -> None:
        index, value = "index", self.new_name()
        items = ", ".join(self.expression() for _ in range(self.random.randint(0, 3)))
        walk = self.random.choice(["ipairs", "ipairs", "sorted"])
        self.say(f"for {index}, {value} in {walk}({{{items}}}) do")
        self.block([index, value], self.random.randint(1, 2))
        self.say("end")

    def closures(self) -> None:
        self.say("local made = {}")
        self.say("for number = 1, 3 do")
        self.say(f"  local own = {self.expression()}")
        change = self.random.choice(["", "own = number ", f"own = {self.simple()} "])
        self.say(f"  made[number] = function(step) {change}return own, number end")
        if self.chance(0.4):
            self.say("  own = number * 2")
        self.say("end")
        self.say("for number = 1, 3 do show(made[number](number)) end")

    def function(self) -> None:
        name = f"f{len(self.functions) + 1}_{self.indent}"
        count = self.random.randint(0, 3)
        params = [f"p{place}" for place in range(count)]
        vararg = self.chance(0.2)
        style = self.random.choice(["local function {}", "local {} = function", "function g_{}"])
        shown = ", ".join([*params, *(["..."] if vararg else [])])
        full = name if not style.startswith("function") else f"g_{name}"
        self.say(f"{style.format(name)}({shown})")
        outer, self.functions = self.functions, list(self.functions)
        self.block(params, self.random.randint(0, 3))
        self.functions = outer
        results = [
            self.random.choice([*params, *self.visible(), "1", "nil", "'r'"])
            for _ in range(self.random.randint(0, 3))
        ]
        if vararg and self.chance(0.7):
            results.append("...")
        if self.chance(0.3) and params:
            self.say(
                f"  if {params[0]} then return {self.random.choice(['1', 'nil, 2', '', 'p0'])} end"
            )
        self.say(f"  return {', '.join(results)}")
        self.say("end")
        if self.indent == 0 or full == name:
            self.functions.append((full, count))

    # --- expressions ------------------------------------------------------------------------------------

    def simple(self) -> str:
        kind = self.random.randint(0, 5)
        names = self.visible()
        if kind <= 2 and names:
            return self.random.choice(names)
        if kind == 3:
            return f'"{self.random.choice(_STRINGS)}"'
        if kind == 4:
            return self.random.choice(["true", "false", "nil"])
        return self.random.choice(_NUMBERS)

    def expression(self, depth: int = 0) -> str:
        if depth > 2 or self.chance(0.35):
            return self.simple()
        kind = self.random.randint(0, 9)
        if kind <= 3:
            operator = self.random.choice(_BINARY)
            left, right = self.expression(depth + 1), self.expression(depth + 1)
            if (
                operator == ".."
            ):  # a wrong operand is found before later ones are computed: a listed difference
                left, right = self.simple(), self.simple()
            text = f"({left} {operator} {right})"
            if operator in ("and", "or", "==", "~="):
                return text
            return f"safe(function() return {text} end)"
        if kind == 4:
            return f"not {self.simple()}"
        if kind == 5:
            return f"(number({self.simple()}) {self.random.choice('+-*')} {self.random.choice(_NUMBERS)})"
        if kind == 6:
            return f'(text({self.simple()}) .. "{self.random.choice(_STRINGS)}")'
        if kind == 7:
            fields = [
                f"x = {self.simple()}",
                self.simple(),
                f"[{self.random.choice(_NUMBERS)}] = {self.simple()}",
            ]
            return "{" + ", ".join(self.random.sample(fields, self.random.randint(0, 3))) + "}"
        if kind == 8:
            return self.call()
        access = self.random.choice([".x", "[1]", ".y.z", ":upper()", ":len()"])
        if access.startswith("."):  # fields of strings are a listed difference
            value = f"local v = {self.simple()} if type(v) == 'string' then v = nil end"
            return f"safe(function() {value} return v{access} end)"
        return f"safe(function() return ({self.simple()}){access} end)"

    def call(self) -> str:
        usual = [
            "string.upper(text({}))", "#text({})", "tostring(number({}))", "tonumber({} or 1)", "type({})",
            "string.sub(text({}), 2)", "select('#', {}, nil)", "string.find(text({}), 'l')",
            "(string.gsub(text({}), 'l', 'L'))", "string.match(text({}), '(%w)(%w)')", "math.floor(number({}))",
            "text({}):rep(2)", "math.max(number({}), 1)", "string.format('%s|%5.1f', text({}), 1)",
        ]  # fmt: skip
        if self.functions and self.chance(0.6):
            name, count = self.random.choice(self.functions)
            given = self.random.randint(0, count + 1)
            return f"{name}({', '.join(self.simple() for _ in range(given))})"
        return self.random.choice(usual).format(self.simple())


PRELUDE = r"""
T0 = {1, 2}
local function flat(v)
  if type(v) == "table" then
    local keys = {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys, function(p, q) return type(p) .. tostring(p) < type(q) .. tostring(q) end)
    local out = {}
    for _, k in ipairs(keys) do
      local shown = (type(k) == "table" or type(k) == "function") and type(k) or tostring(k)
      out[#out + 1] = shown .. "=" .. (type(v[k]) == "table" and "{}" or type(v[k]) == "function" and "fn" or v[k] == 0 and "0" or tostring(v[k]))
    end
    return (string.gsub("{" .. table.concat(out, ",") .. "}", "%z", "\\0"))
  elseif type(v) == "function" then
    return "fn"
  elseif type(v) == "number" then
    if v ~= v then return "nan" end
    return v == 0 and "0" or tostring(v)
  end
  return (string.gsub(tostring(v), "%z", "\\0"))  -- print stops at a NUL
end
function show(...)
  local out = {}
  for i = 1, select("#", ...) do out[i] = flat((select(i, ...))) end
  print(#out, table.concat(out, " "))
end
function safe(f)
  local ok, v = pcall(f)
  if ok then return v end
  return (string.gsub(tostring(v), "^[^:]*:(%d+):", "%1"))
end
function try(f)
  local ok, v = pcall(f)
  if not ok then print((string.gsub(tostring(v), "^[^:]*:(%d+):", "%1"))) end
end
function number(v) return tonumber(v) or 3 end
function text(v)
  if type(v) == "string" or type(v) == "number" then return v .. "" end
  return "text"
end
function sorted(t) return ipairs(t) end
"""


def program(seed: int) -> str:
    """The program of a seed."""
    return Maker(seed).program()
