"""Lua's own grammar, walked over the tokens: is this a chunk, and if not, what does Lua say?

Accepts exactly what Momentum's Lua (or, with std `5.1`, stock Lua) accepts and finds the first mistake where
Lua finds it, in Lua's words. Builds nothing: luaparser builds the tree from what passed here, and so never
sees newer Lua, unfinished text or nesting without end. Limits are those of Lua 5.1 (luaconf.h).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lua2py.tokens import END, MISTAKE, NAME, NUMBER, STRING, Token

MAX_LEVELS = 200  # LUAI_MAXCCALLS
MAX_LOCALS = 200  # LUAI_MAXVARS
MAX_UPVALUES = 60  # LUAI_MAXUPVALUES

UNARY = 8
UNARY_OPERATORS = {"5.1": {"not", "-", "#"}, "thr": {"not", "-", "#", "!", "~"}}
COMMON = {
    "or": (1, 1), "and": (2, 2),
    "<": (3, 3), ">": (3, 3), "<=": (3, 3), ">=": (3, 3), "~=": (3, 3), "==": (3, 3),
    "..": (5, 4),
    "+": (6, 6), "-": (6, 6),
    "*": (7, 7), "/": (7, 7), "%": (7, 7),
    "^": (10, 9),
}  # fmt: skip
ADDED = {
    "!=": (3, 3),
    "|": (6, 6), "&": (6, 6), "^^": (6, 6),
    "\\": (7, 7), "<<": (7, 7), ">>": (7, 7),
}  # fmt: skip
# How strongly an operator binds to its left and to its right.
BINARY_OPERATORS = {"5.1": COMMON, "thr": COMMON | ADDED}

BLOCK_ENDS = frozenset(("else", "elseif", "end", "until", END))
SIMPLE = frozenset((NUMBER, STRING, "nil", "true", "false"))
CALL_STARTS = frozenset(("(", "{", STRING))


class Mistake(Exception):
    """What Lua refuses: a kind (see `diagnostics`), its message in Lua's words, and the token it was found at."""

    def __init__(self, kind: str, message: str, token: Token, line: int, near: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.token = token
        self.line = line
        self.near = near


@dataclass(slots=True)
class _Function:
    line: int
    vararg: bool
    names: list[str] = field(default_factory=list)  # active locals, in order
    upvalues: set[tuple[int, int]] = field(
        default_factory=set
    )  # (function, place among its locals)
    loops: int = 0


def first_mistake(tokens: list[Token], std: str = "thr") -> tuple[Mistake | None, list[Token]]:
    """The first mistake, if any, and the `(` tokens that begin a line but are read as a call."""
    walk = _Walk(tokens, std)
    try:
        walk.main()
    except Mistake as mistake:
        return mistake, walk.ambiguous
    return None, walk.ambiguous


class _Walk:
    def __init__(self, tokens: list[Token], std: str) -> None:
        self.tokens = tokens
        self.std = std
        self.unary = UNARY_OPERATORS[std]
        self.binary = BINARY_OPERATORS[std]
        self.at = -1
        self.levels = 0
        self.functions: list[_Function] = []
        self.ambiguous: list[Token] = []
        self.line = 1
        self.kind = ""
        self.token = tokens[0]

    # --- tokens ---

    def advance(self) -> None:
        self.at += 1
        token = self.tokens[self.at]
        if token.kind == MISTAKE:
            raise Mistake("scan", token.message, token, token.end_line, True)
        self.token, self.kind, self.line = token, token.kind, token.end_line

    def fail(self, kind: str, message: str, *, near: bool = True) -> Mistake:
        return Mistake(kind, message, self.token, self.line, near)

    def skip(self, kind: str) -> bool:
        if self.kind != kind:
            return False
        self.advance()
        return True

    def expect(self, kind: str) -> None:
        if self.kind != kind:
            raise self.fail("expected", f"{quoted(kind)} expected")
        self.advance()

    def close(self, kind: str, opening: str, line: int) -> None:
        if self.kind == kind:
            self.advance()
        elif line == self.line:
            raise self.fail("expected", f"{quoted(kind)} expected")
        else:
            message = f"{quoted(kind)} expected (to close {quoted(opening)} at line {line})"
            raise self.fail("unclosed", message)

    def name(self) -> str:
        if self.kind != NAME:
            raise self.fail("expected", f"{quoted(NAME)} expected")
        text = self.token.text
        self.advance()
        return text

    # --- names and limits ---

    def enter(self) -> None:
        self.levels += 1
        if self.levels >= MAX_LEVELS:
            raise self.fail("limit", "chunk has too many syntax levels", near=False)

    def leave(self) -> None:
        self.levels -= 1

    def limit(self, count: int, most: int, what: str, function: _Function) -> None:
        if count > most:
            where = f"function at line {function.line}" if function.line else "main function"
            raise self.fail("limit", f"{where} has more than {most} {what}", near=False)

    def declare(self, names: list[str]) -> None:
        self.functions[-1].names.extend(names)

    def room_for(self, count: int) -> None:
        function = self.functions[-1]
        self.limit(len(function.names) + count, MAX_LOCALS, "local variables", function)

    def use(self, name: str) -> None:
        """Note a use of a name: it may become an upvalue of every function in between."""
        for level in range(len(self.functions) - 1, -1, -1):
            names = self.functions[level].names
            if name in names:
                place = len(names) - 1 - names[::-1].index(name)
                for function in self.functions[level + 1 :]:
                    function.upvalues.add((level, place))
                    self.limit(len(function.upvalues), MAX_UPVALUES, "upvalues", function)
                return

    # --- statements ---

    def main(self) -> None:
        self.functions.append(_Function(0, vararg=True))
        self.advance()
        self.statements()
        if self.kind != END:
            raise self.fail("expected", f"{quoted(END)} expected")

    def statements(self) -> None:
        self.enter()
        last = False
        while not last and self.kind not in BLOCK_ENDS:
            last = self.statement()
            self.skip(";")
        self.leave()

    def block(self) -> None:
        active = self.functions[-1].names
        count = len(active)
        self.statements()
        del active[count:]

    def statement(self) -> bool:
        """One statement; whether it must be the last of its block."""
        line = self.line
        parse = STATEMENTS.get(self.kind)
        if parse is None:
            self.expression_statement()
            return False
        self.advance()
        return bool(parse(self, line))

    def if_(self, line: int) -> None:
        self.guarded()
        while self.kind == "elseif":
            self.advance()
            self.guarded()
        if self.skip("else"):
            self.block()
        self.close("end", "if", line)

    def guarded(self) -> None:
        self.expression()
        self.expect("then")
        self.block()

    def while_(self, line: int) -> None:
        self.expression()
        self.expect("do")
        self.loop_body()
        self.close("end", "while", line)

    def do(self, line: int) -> None:
        self.block()
        self.close("end", "do", line)

    def loop_body(self) -> None:
        self.functions[-1].loops += 1
        self.block()
        self.functions[-1].loops -= 1

    def repeat(self, line: int) -> None:
        function = self.functions[-1]
        count = len(function.names)
        function.loops += 1
        self.statements()
        self.close("until", "repeat", line)
        self.expression()  # sees the locals of the body
        function.loops -= 1
        del function.names[count:]

    def for_(self, line: int) -> None:
        active = self.functions[-1].names
        count = len(active)
        names = [self.name()]
        if self.kind == "=":
            self.advance()
            self.expression()
            self.expect(",")
            self.expression()
            if self.skip(","):
                self.expression()
        elif self.kind in (",", "in"):
            while self.skip(","):
                names.append(self.name())
                self.room_for(len(names) + 3)
            self.expect("in")
            self.expressions()
        else:
            raise self.fail("expected", "'=' or 'in' expected")
        self.expect("do")
        self.room_for(len(names) + 3)
        self.declare(["(for)", "(for)", "(for)", *names])
        self.loop_body()
        self.close("end", "for", line)
        del active[count:]

    def function(self, line: int) -> None:
        self.use(self.name())
        while self.skip("."):
            self.name()
        method = self.skip(":")
        if method:
            self.name()
        self.body(line, method=method)

    def local(self, _line: int) -> None:
        if self.skip("function"):
            name = self.name()
            self.room_for(1)
            self.declare([name])
            self.body(self.line)
            return
        names = [self.name()]
        self.room_for(1)
        while self.skip(","):
            names.append(self.name())
            self.room_for(len(names))
        if self.skip("="):
            self.expressions()
        self.declare(names)

    def return_(self, _line: int) -> bool:
        if self.kind not in BLOCK_ENDS and self.kind != ";":
            self.expressions()
        return True

    def break_(self, _line: int) -> bool:
        if not self.functions[-1].loops:
            raise self.fail("break", "no loop to break")
        return True

    def expression_statement(self) -> None:
        form = self.primary()
        if form == "call":
            return
        targets = 1
        while True:
            if form not in ("name", "index"):
                raise self.fail("statement", "syntax error")
            if not self.skip(","):
                break
            form = self.primary()
            targets += 1
            if targets + self.levels > MAX_LEVELS:
                self.limit(targets, 0, "variables in assignment", self.functions[-1])
        self.expect("=")
        self.expressions()

    # --- expressions ---

    def expressions(self) -> None:
        self.expression()
        while self.skip(","):
            self.expression()

    def expression(self, limit: int = 0) -> None:
        self.enter()
        if self.kind in self.unary:
            self.advance()
            self.expression(UNARY)
        else:
            self.simple()
        while (binds := self.binary.get(self.kind)) and binds[0] > limit:
            self.advance()
            self.expression(binds[1])
        self.leave()

    def simple(self) -> None:
        if self.kind in SIMPLE:
            self.advance()
        elif self.kind == "...":
            if not self.functions[-1].vararg:
                raise self.fail("vararg", "cannot use '...' outside a vararg function")
            self.advance()
        elif self.kind == "{":
            self.table()
        elif self.kind == "function":
            self.advance()
            self.body(self.line)
        else:
            self.primary()

    def primary(self) -> str:
        """A prefix expression; what it ends as: `name`, `index`, `call`, or `paren`."""
        if self.kind == NAME:
            self.use(self.token.text)
            self.advance()
            form = "name"
        elif self.kind == "(":
            line = self.line
            self.advance()
            self.expression()
            self.close(")", "(", line)
            form = "paren"
        else:
            raise self.fail("unexpected", "unexpected symbol")
        while True:
            kind = self.kind
            if kind == ".":
                self.advance()
                self.name()
                form = "index"
            elif kind == "[":
                self.subscript()
                form = "index"
            elif kind == ":":
                self.advance()
                self.name()
                self.arguments()
                form = "call"
            elif kind in CALL_STARTS:
                self.arguments()
                form = "call"
            else:
                return form

    def subscript(self) -> None:
        self.advance()
        self.expression()
        self.expect("]")

    def arguments(self) -> None:
        if self.kind == "(":
            line = self.line
            if self.tokens[self.at - 1].end_line != line:
                if self.std == "5.1":
                    message = "ambiguous syntax (function call x new statement)"
                    raise self.fail("ambiguous", message)
                self.ambiguous.append(self.token)
            self.advance()
            if self.kind != ")":
                self.expressions()
            self.close(")", "(", line)
        elif self.kind == "{":
            self.table()
        elif self.kind == STRING:
            self.advance()
        else:
            raise self.fail("unexpected", "function arguments expected")

    def table(self) -> None:
        line = self.line
        self.expect("{")
        while self.kind != "}":
            if self.kind == "[":
                self.subscript()
                self.expect("=")
            elif self.kind == NAME and self.follows("="):
                self.advance()
                self.advance()
            self.expression()
            if not (self.skip(",") or self.skip(";")):
                break
        self.close("}", "{", line)

    def follows(self, kind: str) -> bool:
        """Whether the token after this one is of a kind; looking makes its line the current one, as in Lua."""
        token = self.tokens[self.at + 1]
        if token.kind == MISTAKE:
            self.advance()
        self.line = token.end_line
        return token.kind == kind

    def body(self, line: int, *, method: bool = False) -> None:
        self.expect("(")
        function = _Function(line, vararg=False)
        self.functions.append(function)
        if method:
            function.names.append("self")
        if self.kind != ")":
            while True:
                if self.kind == NAME:
                    function.names.append(self.name())
                    self.limit(len(function.names), MAX_LOCALS, "local variables", function)
                elif self.kind == "...":
                    self.advance()
                    function.vararg = True
                    function.names.append("arg")
                    break
                else:
                    raise self.fail("expected", "<name> or '...' expected")
                if not self.skip(","):
                    break
        self.expect(")")
        self.statements()
        self.close("end", "function", line)
        self.functions.pop()


STATEMENTS: dict[str, Callable[[_Walk, int], bool | None]] = {
    "if": _Walk.if_,
    "while": _Walk.while_,
    "do": _Walk.do,
    "for": _Walk.for_,
    "repeat": _Walk.repeat,
    "function": _Walk.function,
    "local": _Walk.local,
    "return": _Walk.return_,
    "break": _Walk.break_,
}


def quoted(kind: str) -> str:
    """A token kind as Lua's messages show it."""
    return f"'{kind}'"
