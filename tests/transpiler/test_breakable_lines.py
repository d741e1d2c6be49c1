"""Where a debugger can stop: every line that Lua's own compiler lists as code, but for the kinds told here.

The list is what `luac5.1 -l` prints for each sample and each case. The dialect's operators are replaced, position for
position, by stock ones first. Both ways of loading are looked at: under the `.lua` name the code itself has the line,
under the `.py` name the line map leads some line that has code to it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import pytest

from lua2py import SourceFile, load_module, translate, tree
from lua2py.check.subject import Subject
from lua2py.parse import parse
from lua2py.scopes import resolve
from lua2py.tokens import lex
from lua2py.walk import nodes
from testkit.cases import all_cases

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "samples"
LUAC = shutil.which("luac5.1")
LISTED = re.compile(r"\s+\d+\s+\[(\d+)\]\s+(\w+)")
VIEWS = ("lua", "py")
# Programs that no operator makes acceptable to stock Lua
REFUSED = {"statements: a call statement with a string"}  # a bracket on a new line

# Operators of the dialect -> stock ones that compile to code at the same place
MASK = {"!=": "~=", "|": "+", "&": "+", "^^": "+", "<<": "+", ">>": "+", "\\": "/"}
MASK |= {"!": " not ", "~": " -"}


@dataclass(frozen=True)
class Program:
    """A piece of Lua that is looked at."""

    name: str
    data: bytes
    std: str


def programs() -> list[Program]:
    found = [
        Program(str(path.relative_to(SAMPLES)), path.read_bytes(), "thr")
        for path in sorted(SAMPLES.rglob("*.lua"))
    ]
    found += [
        Program(f"{case.path.stem}: {case.name}", case.lua.encode("utf-8"), case.std)
        for case in all_cases(HERE / "cases")
        if case.out is not None  # the others have diagnostics and no code
    ]
    return [program for program in found if program.name not in REFUSED]


def listing(program: Program, folder: Path) -> dict[int, set[str]]:
    """Line to the instructions that luac puts there."""
    path = folder / "program.lua"
    path.write_bytes(masked(program))
    assert LUAC is not None
    done = subprocess.run(
        [LUAC, "-l", "-p", path], capture_output=True, text=True, timeout=20, check=False
    )
    assert not done.returncode, f"{done.stderr}: add an operator to MASK, or the name to REFUSED"
    found: dict[int, set[str]] = {}
    for match in map(LISTED.match, done.stdout.splitlines()):
        if match:
            found.setdefault(int(match[1]), set()).add(match[2])
    return found


def masked(program: Program) -> bytes:
    """The program with stock operators in place of the dialect's; lines stay."""
    if program.std == "5.1":
        return program.data
    text, at = [], 0
    source = SourceFile("program.lua", program.data)
    for token in lex(source, program.std).tokens:
        if token.kind in MASK:
            text += [source.text[at : token.start], MASK[token.kind]]
            at = token.end
    return "".join([*text, source.text[at:]]).encode("latin-1")


# --- lines with code, here


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def lines_with_code(code: CodeType) -> set[int]:
    return {line for one in codes(code) for _, _, line in one.co_lines() if line}


def breakable(program: Program, view: str) -> set[int]:
    """Lua lines at which a debugger can stop."""
    source = SourceFile("program.lua", program.data)
    translation = translate(source, std=program.std)
    assert translation.ok, program.name
    code, line_map = load_module(translation, filename=f"program.{view}", view=view)
    lines = lines_with_code(code)
    if view == "lua":
        return lines
    return {line_map["lines"][str(line)] for line in lines if str(line) in line_map["lines"]}


# --- lines that may go without


class Shape:
    """What the text says about a line."""

    def __init__(self, program: Program) -> None:
        source = SourceFile("program.lua", program.data)
        chunk, _ = parse(source, program.std)
        assert chunk is not None
        self.nodes = list(nodes(chunk))
        self.subject = Subject(source, chunk, resolve(chunk))

    def statement_at(self, line: int) -> tree.Stat | None:
        """The innermost statement that a line belongs to."""
        around = [
            node
            for node in self.nodes
            if isinstance(node, tree.Stat) and node.span.line <= line <= node.span.end_line
        ]
        return min(around, key=lambda node: node.span.end - node.span.start, default=None)

    def ends_function(self, line: int) -> bool:
        functions = (node for node in self.nodes if isinstance(node, tree.Function))
        return any(node.span.end_line == line > node.span.line for node in functions)

    def ends_file(self, line: int) -> bool:
        return line == self.subject.source.text.count("\n") + 1

    def requires_msys(self, line: int) -> bool:
        """Compiled policy imports what it uses of `msys`; nothing is left of such a line."""
        node = self.statement_at(line)
        return isinstance(node, tree.CallStat) and bool(self.subject.required(node.call))

    def continues(self, line: int) -> bool:
        """A line inside a statement that began above it: Python may need no instruction for it."""
        node = self.statement_at(line)
        return node is not None and node.span.line < line

    def is_dead(self, line: int) -> bool:
        """What follows `do return end` or `if true then return end`: Python leaves such code out."""
        return any(
            returns_always(one) and one.span.end_line <= line <= block.span.end_line
            for block in self.nodes
            if isinstance(block, tree.Block)
            for one in block.body
        )

    def renames(self, line: int) -> bool:
        """`local print = print`: what is known to be the library's needs no variable."""
        node = self.statement_at(line)
        return isinstance(node, tree.Local) and all(
            isinstance(value, tree.Name) and self.subject.scopes.of(value).is_global
            for value in node.values
        )


def returns_always(node: tree.Stat) -> bool:
    if isinstance(node, tree.If):
        test = node.tests[0]
        taken = isinstance(test, tree.Boolean) and test.value
        return taken and returns_always(tree.Do(node.span, node.blocks[0]))
    return isinstance(node, tree.Do) and isinstance(
        node.body.body[-1] if node.body.body else None, tree.Return
    )


EXCUSES = {
    "the end of a function": Shape.ends_function,
    "the end of the file": Shape.ends_file,
    "a package of msys": Shape.requires_msys,
    "inside a statement": Shape.continues,
    "never reached": Shape.is_dead,
    "another name for a library": Shape.renames,
}
JUMPS = {"JMP", "CLOSE"}  # at the end of a block; nobody stops to see a jump


def excuse(shape: Shape, line: int, instructions: set[str]) -> str:
    if instructions <= JUMPS:
        return "a jump"
    return next((name for name, holds in EXCUSES.items() if holds(shape, line)), "")


@pytest.mark.skipif(LUAC is None, reason="the Debian package lua5.1 is not installed")
@pytest.mark.parametrize("program", programs(), ids=lambda program: program.name)
def test_a_debugger_can_stop_where_lua_can(program: Program, tmp_path: Path) -> None:
    listed = listing(program, tmp_path)
    shape = Shape(program)
    text = program.data.decode("utf-8", "replace").splitlines()
    for view in VIEWS:
        there = breakable(program, view)
        missing = [
            f"{view} view, line {line}: {text[line - 1].strip()}  {sorted(instructions)}"
            for line, instructions in sorted(listed.items())
            if line not in there and not excuse(shape, line, instructions)
        ]
        assert not missing, "\n".join(missing)
