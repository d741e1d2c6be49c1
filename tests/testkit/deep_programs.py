"""Random Lua programs with a plan: every name has a type, so that most of what is written works, and what does not
ends in a `pcall` that prints the error.

Where `programs` throws constructs together, this one looks for order of evaluation (`tr` prints when it is called),
closures over loop variables, varargs, metatables, methods, coroutines, and the words and lines of errors. Functions
that change locals of others are called as statements only: which value a local has in the middle of an expression
that changes it is a listed difference.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from testkit.programs import PRELUDE

_NAMES = "a b c d list str type len map filter self from is None not_ x y z value key item T G M first _ f".split()
_NUMBERS = "0 1 2 3 5 7 10 0.5 2.25 100 -1 -3 1e3 255 0x10 4096 1e15 9007199254740992 0x7fffffffffffffff 1e100".split()
_STRINGS = [
    "", "a", "hello", "Hello World", "10", "0x1F", " 3 ", "1e2", "x=1,y=2", "a.b.c", "%d", "%", "{}", "{x}", "a'b", 'q\\"q',
    "tab\\tnew\\n", "\\0z", "\\200", "Grüße", "--", "]]", "\\\\",
]  # fmt: skip
_PATTERNS = [
    "l",
    "%a+",
    "(%w+)=(%w+)",
    "^h",
    "o$",
    "[%s,]+",
    ".",
    "(.)(.)",
    "%d*",
    "()l",
    "x-",
    "%.",
    "[^a]",
    "%f[%w]%w+",
    "b(.-)c",
]
_FORMATS = [
    "%d",
    "%5d",
    "%-5d|",
    "%05.1f",
    "%g",
    "%x",
    "%s",
    "%q",
    "%10s",
    "%.3s",
    "%c",
    "%e",
    "%i%%",
]
_EVENTS = "__add __sub __mul __div __mod __pow __concat".split()
_OPERATORS = dict(zip(_EVENTS, "+ - * / % ^ ..".split(), strict=True))


class DeepMaker:
    """One program."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        # One of eight is large and deeply nested, which is slow to parse.
        self.deepest = 3 if seed % 8 == 0 else 1 + seed % 2  # of expressions
        self.most = 4 if seed % 8 else 9  # statements outside of others
        self.lines: list[str] = []
        self.scopes: list[dict[str, str]] = [{}]
        self.indent = 0
        self.budget = 8 if seed % 8 else 26
        self.serial = 0
        self.varargs = [False]
        self.loop = [False]

    def program(self) -> str:
        for _ in range(self.random.randint(self.most // 2, self.most)):
            self.statement()
        for name in self.named():
            self.say(f"show({name})")
        return PRELUDE + EXTRA + "\n".join(self.lines) + "\n"

    # --- helpers ----------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        self.lines.append("  " * self.indent + line)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, *choices: Callable[[int], str], depth: int) -> str:
        return self.random.choice(choices)(depth + 1)

    def tag(self) -> int:
        self.serial += 1
        return self.serial

    def named(self, kind: str = "") -> list[str]:
        found: dict[str, str] = {}
        for scope in self.scopes:
            found.update(scope)
        return [name for name, own in found.items() if not kind or own == kind]

    def declare(self, name: str, kind: str) -> None:
        self.scopes[-1][name] = kind

    def body(
        self, names: dict[str, str], count: int, varargs: bool | None = None, loop: bool = False
    ) -> None:
        self.scopes.append(dict(names))
        self.varargs.append(self.varargs[-1] if varargs is None else varargs)
        self.loop.append(loop if varargs is None else False)
        self.indent += 1
        for _ in range(count):
            self.statement()
        self.indent -= 1
        self.loop.pop()
        self.varargs.pop()
        self.scopes.pop()

    # --- expressions by type ------------------------------------------------------------------------------

    def known(self, kind: str, otherwise: Callable[[int], str]) -> Callable[[int], str]:
        def choose(depth: int) -> str:
            names = self.named(kind)
            return self.random.choice(names) if names else otherwise(depth)

        return choose

    def number(self, depth: int = 0) -> str:
        def literal(_: int) -> str:
            return self.random.choice(_NUMBERS)

        if depth > self.deepest or self.chance(0.25):
            return self.known("num", literal)(depth)
        r = self.random

        def operation(d: int) -> str:
            return f"({self.number(d)} {r.choice(['+', '-', '*', '/', '%', '+', '-'])} {self.number(d)})"

        def choice(d: int) -> str:
            return f"({self.boolean(d)} and {self.number(d)} or {self.number(d)})"

        def library(d: int) -> str:
            form = r.choice(
                [
                    "math.floor({})",
                    "math.abs({})",
                    "math.max({}, {})",
                    "math.min({}, {})",
                    "-({})",
                    "tonumber({})",
                ]
            )
            return form.format(self.number(d), self.number(d))

        def length(d: int) -> str:
            return r.choice(
                [f"#{self.string(d)}", f"({self.string(d)}):len()", f"#{self.array(d)}"]
            )

        def traced(d: int) -> str:
            return f"tr({self.tag()}, {self.number(d)})"

        def varargs(d: int) -> str:
            return "select('#', ...)" if self.varargs[-1] else self.number(d)

        def find(d: int) -> str:
            return f"(({self.string(d)}):find({self.pattern()}) or {self.number(d)})"

        def element(d: int) -> str:
            return f"(({self.array(d)})[{r.randint(1, 3)}] or 0)"

        return self.pick(
            operation,
            operation,
            choice,
            library,
            length,
            traced,
            varargs,
            find,
            element,
            depth=depth,
        )

    def pattern(self) -> str:
        return f'"{self.random.choice(_PATTERNS)}"'

    def string(self, depth: int = 0) -> str:
        def literal(_: int) -> str:
            return f'("{self.random.choice(_STRINGS)}")'

        if depth > self.deepest or self.chance(0.25):
            return self.known("str", literal)(depth)
        r = self.random

        def concat(d: int) -> str:
            parts = [
                r.choice([self.string, self.string, self.whole])(d) for _ in range(r.randint(2, 3))
            ]
            return f"({' .. '.join(parts)})"

        def method(d: int) -> str:
            name = r.choice(
                [
                    "upper()",
                    "lower()",
                    "sub(2)",
                    "sub(-3, -2)",
                    "reverse()",
                    "rep(2)",
                    "sub(2, 3)",
                    "sub(0)",
                ]
            )
            return f"({self.string(d)}):{name}"

        def library(d: int) -> str:
            form = r.choice(
                [
                    "tostring({})",
                    "string.format('%s', {})",
                    "_G.type({})",
                    "(string.gsub({}, {p}, '<%0>'))",
                    "({}):gsub({p}, {{l = 1}}) .. ''",
                ]
            )
            return "(" + form.format(self.string(d), p=self.pattern()) + ")"

        def formatted(d: int) -> str:
            form = r.choice(_FORMATS)
            value = (
                self.string(d)
                if form[-1] in "sq"
                else "math.floor(65)"
                if form == "%c"
                else self.whole(d)
            )
            return f'string.format("{form}", {value})'

        def choice(d: int) -> str:
            return f"({self.boolean(d)} and {self.string(d)} or {self.string(d)})"

        def traced(d: int) -> str:
            return f"tr({self.tag()}, {self.string(d)})"

        def match(d: int) -> str:
            return f"(({self.string(d)}):match({self.pattern()}) or {self.string(d)})"

        def joined(d: int) -> str:
            return f"table.concat({self.array(d)}, {self.string(d)})"

        return self.pick(
            concat, method, library, formatted, choice, traced, match, joined, depth=depth
        )

    def whole(self, depth: int = 0) -> str:
        return self.random.choice(["1", "2", "40", f"#{self.string(depth + 1)}", "(7 % 4)"])

    def boolean(self, depth: int = 0) -> str:
        r = self.random
        if depth > self.deepest or self.chance(0.2):
            return self.known("bool", lambda _: r.choice(["true", "false", "nil", "(1 > 2)"]))(
                depth
            )

        def compare(d: int) -> str:
            make = r.choice([self.number, self.string])
            return f"({make(d)} {r.choice(['<', '<=', '>', '>=', '==', '~='])} {make(d)})"

        def equal(d: int) -> str:
            return f"({self.any(d)} {r.choice(['==', '~='])} {self.any(d)})"

        def logic(d: int) -> str:
            return f"({self.any(d)} {r.choice(['and', 'or'])} {self.any(d)})"

        def negated(d: int) -> str:
            return f"(not {self.any(d)})"

        return self.pick(compare, compare, equal, logic, negated, depth=depth)

    def array(self, depth: int = 0) -> str:
        r = self.random
        if depth > self.deepest or self.chance(0.4):
            return self.known("arr", lambda _: "{3, 1, 2}")(depth)
        make = r.choice([self.number, self.whole])
        items = [make(depth + 1) for _ in range(r.randint(0, 3))]
        if self.chance(0.2):
            items.append(
                r.choice(
                    [f"unpack({self.array(depth + 1)})", "two(1, 2)", f"tr({self.tag()}, 4, 5)"]
                )
            )
        return "({" + ", ".join(items) + "})"

    def record(self, depth: int = 0) -> str:
        r = self.random
        if depth > self.deepest or self.chance(0.3):
            return self.known("rec", lambda _: "{x = 1}")(depth)
        fields = [
            f"{key} = {self.any(depth + 1)}"
            for key in r.sample(["x", "y", "n", "end_"], r.randint(0, 3))
        ]
        if self.chance(0.3):
            fields.append(
                f"[{r.choice([self.number, self.string, self.boolean])(depth + 1)} or 1] = {self.any(depth + 1)}"
            )
        if self.chance(0.3):
            fields.insert(r.randint(0, len(fields)), self.any(depth + 1))
        if self.chance(0.2):
            fields.append(r.choice(["two(8, 9)", "none()", f"tr({self.tag()}, nil, 2)"]))
        return "({" + r.choice([", ", "; "]).join(fields) + "})"

    def any(self, depth: int = 0) -> str:
        def anything(d: int) -> str:
            names = self.named()
            return self.random.choice(names) if names else "nil"

        def call(d: int) -> str:
            names = self.named("fn")
            if not names:
                return "two(1, nil)"
            given = ", ".join(self.any(d + 1) for _ in range(self.random.randint(0, 3)))
            return f"{self.random.choice(names)}({given})"

        def vararg(d: int) -> str:
            return (
                self.random.choice(["...", "(...)", "select(2, ...)", "select(-1, 0, ...)"])
                if self.varargs[-1]
                else "nil"
            )

        if depth > self.deepest:
            return anything(depth)
        plain = [self.number, self.string, self.boolean, self.record, self.array]
        return self.pick(*plain, anything, call, vararg, depth=depth)

    def unnamed(self, text: str) -> str:
        """Two listed differences: what `and` and `or` choose is named by Lua, and a call may give no value."""
        chosen = " and " in text or " or " in text or text.endswith(")")
        return f"one_of({text})" if chosen else text

    def bad(self, depth: int = 0) -> str:
        """Something that often fails."""
        r = self.random
        one, other = self.unnamed(self.any(2)), self.unnamed(self.any(2))
        # Fields of strings are a listed difference.
        whole = self.unnamed(r.choice([self.record, self.number, self.boolean, self.array])(2))
        argument = r.choice(self.named() or ["1"])  # a method is found after its arguments: another
        # A constant that is called computes no arguments: a listed difference.
        called = one if one in self.named() else f"one_of({one})"
        return r.choice([
            f"{one} {r.choice('+ - * / % ^ < <='.split())} {other}", f"({whole}).x", f"({whole})[{other}]", f"({called})({other})",
            f"({one}):upper({argument})", f"-{one}", f"#{one}", f"({one}):missing()", f"string.rep({one}, {other})",
            f"setmetatable({one}, {other})", f"tostring({one}):rep({other})", f"math.floor({one})", f"error({one})",
            f"error({one}, {r.randint(0, 3)})", f"assert({one}, {other})", f"table.concat({one}, {other})", f"ipairs({one})",
            f"undefined({one})", f"undefined.x({one})", f"select({one}, {other})", f"unpack({one})", f"next({one}, {other})",
            f"string.format({one}, {other})", f"tonumber({one}, {other})", f"rawset({one}, {other}, 1)", f"({one}) .. 'x'",
        ]).replace("~= nan", "")  # fmt: skip

    # --- statements -------------------------------------------------------------------------------------

    def statement(self) -> None:
        self.budget -= 1
        simple = [
            self.local,
            self.local,
            self.assign,
            self.show,
            self.several,
            self.failing,
            self.store,
            self.locals,
        ]
        compound = [
            self.branch, self.numeric_for, self.generic_for, self.while_loop, self.repeat, self.function, self.function,
            self.protected, self.counter, self.metatable, self.object, self.coroutine, self.closures, self.block, self.sort,
        ]  # fmt: skip
        if self.budget <= 0 or self.indent > 3 or self.chance(0.5):
            self.random.choice(simple)()
        else:
            self.random.choice(compound)()

    def typed(self) -> tuple[str, str]:
        kind, make = self.random.choice([
            ("num", self.number), ("num", self.number), ("str", self.string), ("str", self.string), ("bool", self.boolean),
            ("arr", self.array), ("rec", self.record), ("any", self.any),
        ])  # fmt: skip
        return kind, make()

    def make(self, kind: str, depth: int = 0) -> str:
        makers: dict[str, Callable[[int], str]] = {
            "num": self.number, "str": self.string, "bool": self.boolean, "arr": self.array, "rec": self.record, "any": self.any,
        }  # fmt: skip
        return makers[kind](depth)

    def local(self) -> None:
        kind, value = self.typed()
        name = self.random.choice(_NAMES)
        self.say(f"local {name} = {value}")
        self.declare(name, kind)

    def locals(self) -> None:
        names = self.random.sample(_NAMES, self.random.randint(2, 3))
        values = [self.any(1) for _ in range(self.random.randint(0, 4))]
        self.say(f"local {', '.join(names)}" + (f" = {', '.join(values)}" if values else ""))
        for name in names:
            self.declare(name, "any")

    def changeable(self) -> list[tuple[str, str]]:
        return [(name, kind) for name in self.named() if (kind := self.kind_of(name)) != "fn"]

    def kind_of(self, name: str) -> str:
        return next(scope[name] for scope in reversed(self.scopes) if name in scope)

    def assign(self) -> None:
        names = self.changeable()
        if not names or self.chance(0.15):
            kind, value = self.typed()
            name = f"global_{kind}"
            self.say(f"{name} = {value}")
            self.scopes[0].setdefault(name, "any")
            return
        name, kind = self.random.choice(names)
        self.say(f"{name} = {self.make(kind)}")

    def several(self) -> None:
        names = [name for name, kind in self.changeable() if kind == "any"]
        record = self.random.choice(self.named("rec") or ["T0"])
        places = [
            *names,
            f"{record}.x",
            f"{record}[tr({self.tag()}, 'y')]",
            f"tr({self.tag()}, {record})[1]",
            f"{record}[{self.whole()}]",
        ]
        targets = [self.random.choice(places) for _ in range(self.random.randint(2, 3))]
        values = [self.any(1) for _ in range(self.random.randint(1, 3))]
        self.say(f"{', '.join(targets)} = {', '.join(values)}")

    def store(self) -> None:
        record = self.random.choice(self.named("rec") or ["T0"])
        key = self.random.choice(
            [
                ".x",
                ".new",
                "[2]",
                f"[{self.string(2)}]",
                f"[{self.number(2)}]",
                f"[tr({self.tag()}, {self.boolean(2)}) or 1]",
            ]
        )
        self.say(f"if {record}{key} == nil or true then {record}{key} = {self.any(1)} end")

    def show(self) -> None:
        self.say(f"show({', '.join(self.any(0) for _ in range(self.random.randint(1, 3)))})")

    def failing(self) -> None:
        self.say(
            f"show(tried(pcall(function({'...' if self.chance(0.2) else ''}) return {self.safe_bad()} end)))"
        )

    def safe_bad(self) -> str:
        outer, self.varargs = self.varargs, [False]
        text = self.bad()
        self.varargs = outer
        return text

    def protected(self) -> None:
        self.say("show(tried(pcall(function(p, ...)")
        self.body({"p": "any"}, self.random.randint(1, 3), varargs=True)
        if self.chance(0.6):
            self.say(f"  local v = {self.bad()}")
        self.say(f"  return p, {self.any(1)}")
        self.say(f"end, {self.any(1)}, {self.any(1)})))")

    def block(self) -> None:
        self.say("do")
        self.body({}, self.random.randint(1, 3))
        self.say("end")

    def branch(self) -> None:
        self.say(f"if {self.any(0)} then")
        self.body({}, self.random.randint(0, 2), loop=self.loop[-1])
        for _ in range(self.random.randint(0, 2)):
            self.say(f"elseif {self.boolean(0)} then")
            self.body({}, self.random.randint(0, 2), loop=self.loop[-1])
        if self.chance(0.5):
            self.say("else")
            self.body({}, self.random.randint(0, 2), loop=self.loop[-1])
        self.say("end")

    def leave(self) -> None:
        if self.chance(0.3):
            self.say(f"  if {self.boolean(1)} then break end")

    def numeric_for(self) -> None:
        name = self.random.choice(_NAMES)
        bounds = self.random.choice(
            [
                "1, 3",
                "3, 1, -1",
                "1, 2, 0.5",
                f"1, #{self.array(2)}",
                f"{self.whole()}, 4",
                "0, -2, -1",
                "1, math.min(3, tr(1, 2))",
            ]
        )
        self.say(f"for {name} = {bounds} do")
        self.body({name: "num"}, self.random.randint(1, 2), loop=True)
        self.leave()
        self.say("end")

    def generic_for(self) -> None:
        one, other = self.random.sample(_NAMES, 2)
        form, kinds = self.random.choice([
            (f"{one}, {other} in ipairs({self.array(1)})", {one: "num", other: "any"}),
            (f"{one} in ipairs({self.array(1)})", {one: "num"}),
            (f"{one}, {other} in pairs({self.array(1)})", {one: "num", other: "any"}),
            (f"{one} in ({self.string(1)}):gmatch({self.pattern()})", {one: "any"}),
            (f"{one}, {other} in ({self.string(1)}):gmatch('(%w)(%w)')", {one: "str", other: "str"}),
            (f"{one}, {other} in count_to, {self.whole()}, 0", {one: "num", other: "any"}),
            (f"{one}, {other} in next, {{x = {self.any(2)}}}", {one: "str", other: "any"}),
        ])  # fmt: skip
        self.say(f"for {form} do")
        self.body(kinds, self.random.randint(1, 2), loop=True)
        self.leave()
        self.say("end")

    def while_loop(self) -> None:
        turn = f"turn{self.tag()}"
        self.say(f"local {turn} = 0")
        self.say(f"while {turn} < 3 and {self.any(1)} do")
        self.say(f"  {turn} = {turn} + 1")
        self.body({}, self.random.randint(1, 2), loop=True)
        self.leave()
        self.say("end")

    def repeat(self) -> None:
        turn = f"turn{self.tag()}"
        self.say(f"local {turn} = 0")
        self.say("repeat")
        self.say(f"  {turn} = {turn} + 1")
        self.say(f"  local inside = {self.any(1)}")
        self.body({"inside": "any"}, self.random.randint(0, 2), loop=True)
        self.leave()
        self.say(f"until {turn} >= 3 or inside")

    def function(self) -> None:
        name = f"fn{self.tag()}"
        params = self.random.sample(_NAMES, self.random.randint(0, 3))
        vararg = self.chance(0.3)
        shown = ", ".join([*params, *(["..."] if vararg else [])])
        self.say(
            self.random.choice(
                ["local function {}({})", "local {} = function({})", "function {}({})"]
            ).format(name, shown)
        )
        outer = self.scopes
        self.scopes = [{n: k for n, k in scope.items() if n not in params} for scope in outer]
        self.body(dict.fromkeys(params, "any"), self.random.randint(0, 2), varargs=vararg)
        self.indent += 1
        self.scopes.append(dict.fromkeys(params, "any"))
        self.varargs.append(vararg)
        if self.chance(0.3):
            self.say(
                f"if {self.any(1)} then return {self.random.choice(['', '1', 'nil, 2', self.any(1)])} end"
            )
        if self.chance(0.85):
            self.say(f"return {', '.join(self.any(1) for _ in range(self.random.randint(0, 3)))}")
        self.varargs.pop()
        self.scopes.pop()
        self.indent -= 1
        self.scopes = outer
        self.say("end")
        self.declare(name, "fn")

    def counter(self) -> None:
        """Closures that share and change a local nobody else sees."""
        number = self.tag()
        self.say(f"local function make{number}({'start' if self.chance(0.5) else ''})")
        self.say(f"  local n = {self.number(2)}")
        self.say(f"  local log = {self.string(2)}")
        self.say(
            "  return function(by) n = n + (by or 1); log = log .. '.'; return n, log end, function() return log, n end"
        )
        self.say("end")
        self.say(f"local up{number}, get{number} = make{number}({self.number(2)})")
        self.say(f"show(up{number}()) show(up{number}({self.number(2)})) show(get{number}())")

    def closures(self) -> None:
        self.say("do local made = {}")
        loop = self.random.choice([
            "for i = 1, 3 do", "for i, w in ipairs({1, 2, 3}) do", "local i = 0 while i < 3 do i = i + 1", "local i = 0 repeat i = i + 1",
        ])  # fmt: skip
        self.say(loop)
        self.say(f"  local own, other = {self.random.choice(['i', self.any(1)])}, {self.any(1)}")
        change = self.random.choice(
            ["", "own = other ", "own, other = other, own ", "other = step "]
        )
        self.say(
            f"  made[#made + 1] = function(step) {change}return own, other{', i' if loop.startswith('for') else ''} end"
        )
        if self.chance(0.4):
            self.say(f"  own = {self.any(1)}")
        if self.chance(0.4):
            self.say(
                "  local function again(n) if n > 0 then return again(n - 1) end return own end made[#made + 1] = again"
            )
            self.say("  made[#made] = function(n) return again(2) end")
        self.say("until i >= 3" if "repeat" in loop else "end")
        self.say("for _, m in ipairs(made) do show(m(1)) show(m(2)) end end")

    def metatable(self) -> None:
        name = f"meta{self.tag()}"
        self.say(f"local {name} = {{}}")
        events = self.random.sample(_EVENTS, 2)
        for event in events:
            self.say(
                f"{name}.{event} = function(l, r) return {self.random.choice(['l', 'r', self.any(1), 'kinds(l, r)'])} end"
            )
        compare = self.random.choice(
            [
                "__eq",
                "__lt",
                "__le",
                "__index",
                "__newindex",
                "__call",
                "__unm",
                "__tostring",
                "__len",
            ]
        )
        result = "'text'" if compare == "__tostring" else self.any(1)
        self.say(f"{name}.{compare} = function(l, r, v) show(kinds(l, r)) return {result} end")
        self.say(f"local one, other = setmetatable({{x = 1}}, {name}), setmetatable({{}}, {name})")
        for event in events:
            left, right = self.random.choice(
                [("one", "other"), ("one", "2"), ("'s'", "other"), ("3", "one")]
            )
            self.say(
                f"show(tried(pcall(function() return {left} {_OPERATORS[event]} {right} end)))"
            )
        for text in (
            "one == other",
            "one < other",
            "one >= other",
            "one.y",
            "one.x",
            "-one",
            "#one",
            "one(1, 2)",
            "one <= 3",
        ):
            if self.chance(0.4):
                self.say(f"show(tried(pcall(function() return {text} end)))")
        if self.chance(0.5):
            self.say(f"one.z = {self.any(1)} show(rawget(one, 'z'), one.x, rawequal(one, other))")

    def object(self) -> None:
        name = f"Class{self.tag()}"
        field = self.random.choice(["count", "from", "items", "type"])
        self.say(f"local {name} = {{kind = {self.string(2)}}} {name}.__index = {name}")
        self.say(
            f"function {name}.new({field}, ...) return setmetatable({{{field} = {field}, rest = {{...}}}}, {name}) end"
        )
        self.say(f"function {name}:get(extra)")
        self.body({"extra": "any"}, self.random.randint(0, 1), varargs=False)
        self.say(f"  return self.{field}, extra, self.kind end")
        self.say(f"function {name}:set(v, ...) self.{field} = v self.extra = ... return self end")
        self.say(f"local object = {name}.new({self.any(1)}, {self.any(1)})")
        self.say(
            f"show(object:get({self.any(1)})) show(object:set({self.any(1)}, {self.any(1)}):get())"
        )
        self.say(
            "show(object.extra, #object.rest) show(tried(pcall(object.missing))) show(tried(pcall(function() return object:missing(1) end)))"
        )
        if self.chance(0.5):
            child = f"{name}Child"
            self.say(
                f"local {child} = setmetatable({{}}, {{__index = {name}}}) {child}.__index = {child}"
            )
            self.say(f"function {child}:get(...) return 'child', {name}.get(self, ...) end")
            self.say(f"show(setmetatable({{{field} = {self.any(1)}}}, {child}):get({self.any(1)}))")

    def coroutine(self) -> None:
        name = f"co{self.tag()}"
        self.say(f"local {name} = coroutine.create(function(p, ...)")
        self.say(
            f"  show('start', p, ...) local got, more = coroutine.yield({self.any(1)}, {self.any(1)})"
        )
        self.say(
            f"  show(got, more) for i = 1, {self.whole()} do if i > 3 then break end show(coroutine.yield(i, {self.any(1)})) end"
        )
        if self.chance(0.4):
            self.say(f"  local bad = {self.safe_bad()}")
        self.say(f"  return {self.any(1)}")
        self.say("end)")
        self.say(
            f"for i = 1, {self.random.randint(2, 7)} do show(coroutine.status({name})) show(tried(coroutine.resume({name}, i, {self.any(2)}))) end"
        )
        if self.chance(0.4):
            self.say(
                f"local walk = coroutine.wrap(function() for i, v in ipairs({self.array(1)}) do coroutine.yield(v, i) end end)"
            )
            self.say("show(walk()) show(tried(pcall(walk))) show(tried(pcall(walk)))")

    def sort(self) -> None:
        self.say(f"do local s = {{5, 2, 8, {self.whole()}, 1}}")
        self.say(
            f"table.sort(s{self.random.choice(['', ', function(l, r) return l > r end', ', function(l, r) return l % 3 < r % 3 or l % 3 == r % 3 and l < r end'])})"
        )
        self.say(
            f"show(unpack(s)) table.insert(s, {self.number(2)}) table.insert(s, 2, {self.any(2)}) show(table.remove(s), table.remove(s, 1), #s) end"
        )


EXTRA = r"""
function tr(tag, ...) print("tr", tag, select("#", ...)) return ... end
function two(p, q) return p, q end
function none() end
function one_of(v) return v end
function kinds(l, r) return type(l) .. type(r) end
function count_to(limit, control) if control < limit then return control + 1, control * 2 end end
function tried(ok, ...)
  if ok then return ok, ... end
  local text = ...
  if type(text) == "string" then text = string.gsub(text, "0x%x+", "ADDRESS") end
  return ok, text
end
"""


def deep_program(seed: int) -> str:
    """The program of a seed."""
    return DeepMaker(seed).program()
