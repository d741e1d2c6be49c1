"""Random programs: written again from the tree they must compile to the same bytecode, names must mean the same."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from antlr4.atn.PredictionMode import PredictionMode
from antlr4.error.Errors import ParseCancellationException

from lua2py import tree
from lua2py.build import Builder
from lua2py.check import check
from lua2py.parse import arranged, parse, parser_of
from lua2py.scopes import resolve
from lua2py.source import SourceFile
from lua2py.tokens import lex

LUAC = shutil.which("luac5.1")
BINARY = "+ - * / % ^ .. == ~= < <= > >= and or".split(" ")


class Programs:
    """Writes programs that use every construct, with as few parentheses as the text may have."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.loops = 0

    def pick(self, *choices: Callable[[int], str]) -> Callable[[int], str]:
        return self.chance.choice(choices)

    def block(self, depth: int) -> str:
        lines = [self.statement(depth) for _ in range(self.chance.randrange(4))]
        last = self.chance.random()
        if last < 0.2:
            lines.append(f"return {self.expressions(depth)}")
        elif last < 0.3 and self.loops:
            lines.append("break")
        return " ; ".join(lines)  # one line: bytecode has line numbers

    def statement(self, depth: int) -> str:
        if depth <= 0:
            return f"local {self.name()} = {self.expression(0)}"
        return self.pick(
            lambda d: f"local {self.names()} = {self.expressions(d)}",
            lambda d: f"{self.targets(d)} = {self.expressions(d)}",
            lambda d: f"local x = {self.call(d)}",
            lambda d: f"do {self.block(d)} end",
            lambda d: f"while {self.expression(d)} do {self.loop(d)} end",
            lambda d: (
                f"repeat {self.loop(d).replace('return', 'local z =')} until {self.expression(d)}"
            ),
            lambda d: f"for i = {self.expression(d)}, {self.expression(d)} do {self.loop(d)} end",
            lambda d: f"for i = 1, 2, {self.expression(d)} do {self.loop(d)} end",
            lambda d: f"for {self.names()} in {self.expressions(d)} do {self.loop(d)} end",
            lambda d: (
                f"if {self.expression(d)} then {self.block(d)} elseif a then {self.block(d)} else {self.block(d)} end"
            ),
            lambda d: (
                f"function {self.chance.choice(('f', 'a.b', 'a.b.c', 'a:m', 'a.b:m'))}{self.body(d)}"
            ),
            lambda d: f"local function f{self.body(d)}",
        )(depth - 1)

    def loop(self, depth: int) -> str:
        self.loops += 1
        text = self.block(depth)
        self.loops -= 1
        return text

    def body(self, depth: int) -> str:
        outer, self.loops = self.loops, 0
        params = self.chance.choice(("", "a", "a, b", "...", "a, ..."))
        text = f"({params}) {self.block(depth)} end"
        self.loops = outer
        return text

    def name(self) -> str:
        return self.chance.choice("abcxyz")

    def names(self) -> str:
        return self.chance.choice(("a", "b, c", "x, y, z"))

    def targets(self, depth: int) -> str:
        return ", ".join(self.target(depth) for _ in range(self.chance.choice((1, 1, 2))))

    def target(self, depth: int) -> str:
        forms = (self.name(), f"{self.name()}.k", f"{self.name()}[ {self.expression(depth)} ]")
        return self.chance.choice((*forms, f"{self.call(depth)}.k"))

    def expressions(self, depth: int) -> str:
        return ", ".join(self.expression(depth) for _ in range(self.chance.choice((1, 1, 2, 3))))

    def call(self, depth: int) -> str:
        head = self.chance.choice((self.name(), f"({self.expression(depth)})", "a.b", "a[1]"))
        return head + "".join(
            self.chance.choice(("", ".k", "[2]", ":m", ":m")) + self.arguments(depth)
            for _ in range(self.chance.choice((1, 1, 2)))
        )

    def arguments(self, depth: int) -> str:
        return self.pick(
            lambda d: "()",
            lambda d: f"({self.expressions(d)})",
            lambda d: '"text"',
            lambda d: "[[long]]",
            self.table,
        )(depth)

    def table(self, depth: int) -> str:
        entries = [
            self.pick(
                lambda d: self.expression(d),
                lambda d: f"k = {self.expression(d)}",
                lambda d: f"[ {self.expression(d)} ] = {self.expression(d)}",
            )(depth - 1)
            for _ in range(self.chance.randrange(4))
        ]
        return "{" + self.chance.choice((", ", "; ")).join(entries) + "}"

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self.chance.choice(
                ("a", "b.c", "1", "0x1F", "1e3", "nil", "true", "false", "'s\\n'", "[=[l]=]")
            )
        return self.pick(
            lambda d: f"{self.expression(d)} {self.chance.choice(BINARY)} {self.expression(d)}",
            lambda d: f"{self.expression(d)} {self.chance.choice(BINARY)} {self.expression(d)}",
            lambda d: f"{self.chance.choice(('not ', '- ', '#'))}{self.expression(d)}",
            lambda d: f"({self.expression(d)})",
            lambda d: f"function{self.body(d)}",
            self.call,
            self.table,
        )(depth - 1)


def written(node: object) -> str:
    """Lua text of a tree, every operation in parentheses."""
    match node:
        case list():
            return ", ".join(map(written, node))
        case tree.Chunk(body=body) | tree.Do(body=body):
            return written(body) if isinstance(node, tree.Chunk) else f"do {written(body)} end"
        case tree.Block(body=body):
            return " ".join(f"{written(one)};" for one in body)
        case tree.Local(names=names, values=values):
            return f"local {written(names)}" + (f" = {written(values)}" if values else "")
        case tree.Assign(targets=targets, values=values):
            return f"{written(targets)} = {written(values)}"
        case tree.LocalFunction(name=name, function=function):
            return f"local function {name.id}{body_of(function)}"
        case tree.FunctionStat(target=target, function=function):
            head = written(target)
            if function.method:
                head = f"{written(target.object)}:{target.key.value}"  # type: ignore[attr-defined]
            return f"function {head}{body_of(function, int(function.method))}"
        case tree.CallStat(call=call):
            return written(call)
        case tree.While(test=test, body=body):
            return f"while {written(test)} do {written(body)} end"
        case tree.Repeat(body=body, test=test):
            return f"repeat {written(body)} until {written(test)}"
        case tree.If(tests=tests, blocks=blocks):
            parts = [f"{written(t)} then {written(b)}" for t, b in zip(tests, blocks, strict=False)]
            rest = f" else {written(blocks[-1])}" if len(blocks) > len(tests) else ""
            return f"if {' elseif '.join(parts)}{rest} end"
        case tree.NumericFor(var=var, start=start, stop=stop, step=step, body=body):
            bounds = [start, stop, *([step] if step else [])]
            return f"for {var.id} = {written(bounds)} do {written(body)} end"
        case tree.GenericFor(names=names, values=values, body=body):
            return f"for {written(names)} in {written(values)} do {written(body)} end"
        case tree.Return(values=values):
            return f"return {written(values)}"
        case tree.Break():
            return "break"
        case tree.Param(id=name) | tree.Name(id=name):
            return name
        case tree.Nil():
            return "nil"
        case tree.Boolean(value=value):
            return str(value).lower()
        case tree.Number(text=text):
            return text
        case tree.String(value=value):
            return '"' + "".join(f"\\{ord(char):03d}" for char in value) + '"'
        case tree.Vararg():
            return "..."
        case tree.Index(object=base, key=key, dot=dot):
            return f"{prefix(base)}.{key.value}" if dot else f"{prefix(base)}[{written(key)}]"  # type: ignore[attr-defined]
        case tree.Call(function=function, args=args):
            return f"{prefix(function)}({written(args)})"
        case tree.Invoke(object=base, name=name, args=args):
            return f"{prefix(base)}:{name}({written(args)})"
        case tree.Function():
            return f"function{body_of(node)}"
        case tree.Unary(op=op, operand=operand):
            return f"({op} {written(operand)})"
        case tree.Binary(op=op, left=left, right=right):
            return f"({written(left)} {op} {written(right)})"
        case tree.Paren(inner=inner):
            return f"({written(inner)})"
        case tree.TableConstructor(fields=entries):
            return "{" + written(entries) + "}"
        case tree.Field(key=key, value=value):
            return f"[{written(key)}] = {written(value)}" if key else written(value)
    raise AssertionError(node)


def body_of(function: tree.Function, skip: int = 0) -> str:
    params = [param.id for param in function.params[skip:]] + ["..."] * function.vararg
    return f"({', '.join(params)}) {written(function.body)} end"


def prefix(node: tree.Expr) -> str:
    plain = isinstance(
        node,
        tree.Name | tree.Index | tree.Call | tree.Invoke | tree.Paren | tree.Binary | tree.Unary,
    )
    return written(node) if plain else f"({written(node)})"


def bytecode(text: str, folder: Path, name: str) -> bytes:
    assert LUAC
    (folder / "p.lua").write_bytes(text.encode("latin-1"))
    done = subprocess.run(
        [LUAC, "-s", "-o", name, "p.lua"], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, (done.stderr, text)
    return (folder / name).read_bytes()


@pytest.mark.skipif(not LUAC, reason="needs luac5.1 (Debian package lua5.1)")
def test_the_tree_says_all_that_the_text_says(tmp_path: Path) -> None:
    for seed in range(100):
        text = Programs(seed).block(3)
        chunk, found = parse(SourceFile.of_text(text), "5.1")
        assert chunk is not None, (text, [one.message for one in found])
        again = written(chunk)
        assert bytecode(text, tmp_path, "a") == bytecode(again, tmp_path, "b"), (
            f"{text}\n---\n{again}"
        )


@pytest.mark.skipif(not LUAC, reason="needs luac5.1 (Debian package lua5.1)")
def test_names_mean_what_luac_takes_them_for(tmp_path: Path) -> None:
    assert LUAC
    for seed in range(40):
        text = Programs(seed).block(3)
        source = SourceFile.of_text(text)
        chunk, _ = parse(source, "5.1")
        assert chunk is not None
        scopes = resolve(chunk)
        said = subprocess.run(
            [LUAC, "-l", "-p", "-"], input=text, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        told = {
            code: {line.split()[-1] for line in said if code in line.split()}
            for code in ("GETGLOBAL", "SETGLOBAL", "GETUPVAL", "SETUPVAL")
        }
        captured = {symbol.name for symbol in scopes.locals if symbol.captured}
        assert told["GETGLOBAL"] == scopes.globals_read, text
        assert told["SETGLOBAL"] == scopes.globals_written, text
        assert told["GETUPVAL"] | told["SETUPVAL"] == captured, text
        check(source, chunk, scopes)  # rules written for policy must take any program


def test_both_predictions_arrange_alike() -> None:
    for seed in range(10):
        source = SourceFile.of_text(Programs(seed).block(3))
        tokens = lex(source).tokens
        quick = Builder(source, tokens).chunk(arranged(tokens), [])
        full = Builder(source, tokens).chunk(parser_of(tokens, PredictionMode.LL).start_(), [])
        assert written(quick) == written(full)


def test_what_the_quick_prediction_refuses_is_parsed_all_the_same() -> None:
    source = SourceFile.of_text("a.k, f(x).k = 1, 2")
    with pytest.raises(ParseCancellationException):
        parser_of(lex(source).tokens, PredictionMode.SLL).start_()
    chunk, found = parse(source)
    assert not found
    assert written(chunk) == "a.k, f(x).k = 1, 2;"
