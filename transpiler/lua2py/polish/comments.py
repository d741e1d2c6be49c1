"""Comments and empty lines of the source, put where the same code stands in Python.

A comment above a statement stays above it, one behind a statement stays behind it, one at the end of a block stays
there. A comment can't change what the output means: words that Python tools obey are defused.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from lua2py import tree
from lua2py.lower.context import Context
from lua2py.walk import nodes

# Words in a comment that Python, its type checkers and its linters obey.
_OBEYED = re.compile(
    r"\b(coding)(?=[:=])|\b(type|pragma|mypy|pyright|pylint|ruff|fmt|isort|yapf|flake8)(?=\s*:)|\b(noqa|nosec)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Region:
    """The text between what opens a block and what closes it."""

    start: int
    end: int
    block: tree.Block
    head: tree.Node | None  # the statement or function whose header line stands before
    first: bool  # the first block of its statement


def place_comments(ctx: Context) -> None:
    """Fill `ctx.layout` from the chunk's comments and empty lines."""
    chunk = ctx.facts.scopes.chunk
    regions = _regions(chunk)
    placed = _Placer(ctx)
    for comment, region in _located(chunk.comments, regions):
        placed.place(comment, region)
    for region in regions:
        placed.space(region)
    if ctx.first_statement is not None:
        ctx.layout.blank[ctx.first_statement] = 1


def _located(
    comments: list[tree.Comment], regions: list[_Region]
) -> Iterator[tuple[tree.Comment, _Region]]:
    """Each comment, in source order, with the innermost region that it stands in."""
    opened: list[_Region] = []
    coming = deque(sorted(regions, key=lambda region: (region.start, -region.end)))
    for comment in comments:
        at = comment.span.start
        while coming and coming[0].start <= at:
            opened.append(coming.popleft())
        while opened[-1].end <= at:
            opened.pop()
        yield comment, opened[-1]


def lines_of(comment: tree.Comment) -> list[str]:
    """A comment as Python's."""
    text = _decoded(comment.text).replace("\r\n", "\n").replace("\r", "\n")
    lines = text.strip("\n").split("\n") if comment.long else [text]
    if comment.long:
        margin = min(
            (len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0
        )
        lines = [lines[0].strip(), *(line[margin:] for line in lines[1:])]
        while len(lines) > 1 and not lines[-1].strip():
            lines.pop()
    return [_line(line) for line in lines]


def _line(text: str) -> str:
    text = "".join(
        char if char.isprintable() else " " if char == "\t" else _shown(char) for char in text
    ).rstrip()
    text = _OBEYED.sub(_defused, text)
    return f"# {text.removeprefix(' ')}".rstrip()


def _defused(found: re.Match[str]) -> str:
    """`type:` as `type :`, `noqa` as `no-qa`: the same to people, nothing to tools."""
    word = found.group(0)
    return f"{word[:2]}-{word[2:]}" if found.group(3) else word + " "


def _shown(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def _decoded(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return "".join(char if char < "\x80" else _shown(char) for char in text)


def _start(node: tree.Node) -> int:
    return node.span.start


def _regions(chunk: tree.Chunk) -> list[_Region]:
    far = 1 << 60
    found = [_Region(-1, far, chunk.body, None, False)]
    for node in nodes(chunk):
        match node:
            case tree.If(tests=tests, blocks=blocks):
                starts = [test.span.end for test in tests]
                if len(blocks) > len(tests):
                    last = blocks[-1]
                    before = blocks[-2].body[-1].span.end if blocks[-2].body else tests[-1].span.end
                    starts.append(max(before, last.span.start if not last.body else before))
                ends = [*(test.span.start for test in tests[1:])]
                ends += [starts[-1], node.span.end] if len(blocks) > len(tests) else [node.span.end]
                for place, (block, start, end) in enumerate(zip(blocks, starts, ends, strict=True)):
                    found.append(_Region(start, end, block, node, place == 0))
            case tree.While(test=test, body=body):
                found.append(_Region(test.span.end, node.span.end, body, node, True))
            case tree.Repeat(body=body, test=test):
                found.append(_Region(node.span.start, test.span.start, body, node, True))
            case tree.NumericFor(body=body) | tree.GenericFor(body=body) | tree.Do(body=body):
                start = node.span.start
                if isinstance(node, tree.NumericFor):
                    start = (node.step or node.stop).span.end
                elif isinstance(node, tree.GenericFor):
                    start = node.values[-1].span.end
                found.append(_Region(start, node.span.end, body, node, True))
            case tree.Function(params=params, body=body):
                start = params[-1].span.end if params else node.span.start
                found.append(_Region(start, node.span.end, body, node, True))
    return found


class _Placer:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.layout = ctx.layout
        self.lines: dict[ast.AST, list[int]] = {}  # lines of the comments above each statement
        self.below: dict[ast.AST, int] = {}  # last line of the comments below
        self.definitions = {lua: python for python, lua in ctx.functions.items()}
        self.statements: dict[
            tree.Block, list[tree.Stat]
        ] = {}  # of each block, those that are emitted
        self.tables = ctx.facts.scopes.index.of(tree.TableConstructor)

    def first(self, statement: tree.Stat) -> ast.stmt | None:
        made = self.ctx.lowered.get(statement)
        return made[0] if made else None

    def last(self, statement: tree.Stat) -> ast.stmt | None:
        made = self.ctx.lowered.get(statement)
        return made[-1] if made else None

    def place(self, comment: tree.Comment, region: _Region) -> None:
        text = lines_of(comment)
        at = comment.span.start
        statements = self.statements.get(region.block)
        if statements is None:
            statements = [s for s in region.block.body if self.ctx.lowered.get(s)]
            self.statements[region.block] = statements
        place = bisect_right(statements, at, key=_start)
        previous = statements[place - 1] if place else None
        following = statements[place] if place < len(statements) else None
        if previous is not None and at < previous.span.end:
            self._inside(comment, text, previous)
            return
        if comment.trailing and len(text) == 1 and self._trail(comment, text[0], region, previous):
            return
        if following is not None:
            target = self.first(following)
            if target is not None:
                self._above(target, comment, text)
                return
        if previous is not None:
            target = self.last(previous)
            if target is not None:
                self.layout.after.setdefault(target, []).extend(text)
                return
        body = self.ctx.blocks.get(region.block)
        if body:
            self._above(body[0], comment, text)
        elif region.head is not None:
            self._above_head(region.head, comment, text)
        else:
            self.ctx.loose_comments += text

    def _trail(
        self, comment: tree.Comment, text: str, region: _Region, previous: tree.Stat | None
    ) -> bool:
        if previous is not None:
            if previous.span.end_line != comment.span.line:
                return False
            target = self.last(previous)
            if target is None or target in self.layout.trailing:
                return False
            if hasattr(target, "body"):
                self.layout.after.setdefault(target, []).append(text)
            else:
                self.layout.trailing[target] = text
            return True
        if region.head is None or not region.first or region.head.span.line != comment.span.line:
            return False
        header: ast.AST | None = None
        if isinstance(region.head, tree.Function):
            header = self.definitions.get(region.head)
        elif isinstance(region.head, tree.Stat) and not isinstance(region.head, tree.Do):
            header = self.first(region.head)
        if header is None or header in self.layout.trailing or not hasattr(header, "body"):
            return False
        self.layout.trailing[header] = text
        return True

    def _inside(self, comment: tree.Comment, text: list[str], statement: tree.Stat) -> None:
        """A comment in the middle of a statement: beside its table field, or above the statement."""
        before, after = self._fields_around(comment, statement)
        if comment.trailing and before is not None and len(text) == 1:
            value = self.ctx.entries[before]
            if value not in self.layout.trailing:
                self.layout.trailing[value] = text[0]
                self.layout.broken.add(value)
                return
        if after is not None:
            value = self.ctx.entries[after]
            self.layout.before.setdefault(value, []).extend(text)
            return
        target = self.first(statement)
        if target is not None:
            self._above(target, comment, text)

    def _fields_around(
        self, comment: tree.Comment, statement: tree.Stat
    ) -> tuple[tree.Field | None, tree.Field | None]:
        """The nearest emitted table field before a comment, on its line, and the nearest after it."""
        at = comment.span.start
        before: list[tree.Field] = []
        after: list[tree.Field] = []
        for table in self._tables_around(at, statement):
            place = bisect_right(table.fields, at, key=_start)
            for field in reversed(table.fields[:place]):
                if field.span.end <= at and field.span.end_line != comment.span.line:
                    break
                if field.span.end <= at and field in self.ctx.entries:
                    before.append(field)
                    break
            for field in table.fields[place:]:
                if field in self.ctx.entries:
                    after.append(field)
                    break
        nearest = max(before, key=lambda field: field.span.end, default=None)
        return nearest, min(after, key=_start, default=None)

    def _tables_around(self, at: int, statement: tree.Stat) -> Iterator[tree.TableConstructor]:
        """The table constructors of a statement that a place stands in, innermost first."""
        place = bisect_left(self.tables, at, key=_start)
        parents = self.ctx.facts.scopes.index.parents
        around: tree.Node | None = self.tables[place - 1] if place else None
        while around is not None and around.span.start >= statement.span.start:
            if isinstance(around, tree.TableConstructor) and at < around.span.end:
                yield around
            around = parents.get(around)

    def _above(self, target: ast.AST, comment: tree.Comment, text: list[str]) -> None:
        lines = self.lines.setdefault(target, [])
        before = self.layout.before.setdefault(target, [])
        if lines and comment.span.line > lines[-1] + 1:
            before.append("")
        before += text
        lines += [comment.span.line, comment.span.end_line]

    def _above_head(self, head: tree.Node, comment: tree.Comment, text: list[str]) -> None:
        target: ast.AST | None = None
        if isinstance(head, tree.Function):
            target = self.definitions.get(head)
        elif isinstance(head, tree.Stat):
            target = self.first(head)
        if target is not None:
            self._above(target, comment, text)
        else:
            self.ctx.loose_comments += text

    # --- empty lines --------------------------------------------------------------------------------------

    def space(self, region: _Region) -> None:
        """Empty lines between the statements of a block, as they were."""
        last_line: int | None = None
        for statement in region.block.body:
            target = self.first(statement)
            if target is None:
                continue
            above = self.lines.get(target)
            start = above[0] if above else statement.span.line
            if last_line is not None:
                self.layout.blank[target] = max(0, start - last_line - 1)
            if above and statement.span.line > above[-1] + 1:
                self.layout.before[target].append("")
            last_line = statement.span.end_line
