"""From positions in the generated text back to Lua.

The text is parsed again and compared, node by node, with the tree it was written from: that proves that the text
says what the tree says, and gives every node its position. The same walk moves the parsed tree to Lua's lines, so
that the two ways of compiling a module (as `.py`, as `.lua`) compile one tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lua2py.lower.context import Context, Origin
from lua2py.tree import Span


class Refused(Exception):
    """Python does not take the text: it nests deeper than Python's own parser goes."""

    def __init__(self, message: str, span: Span | None) -> None:
        super().__init__(message)
        self.span = span


Mark = list[Any]  # [line, column, end line, end column, Lua line, what]


@dataclass(slots=True)
class Relocation:
    """The parsed text, and the Lua origin of its nodes."""

    tree: ast.Module
    origins: dict[ast.AST, Origin] = field(default_factory=dict)  # by node of `tree`

    def map(self, source: str) -> dict[str, Any]:
        """The line map, as `msys.lua.linemap` reads it."""
        lines: dict[int, int] = {}
        marks: list[Mark] = []
        for node, origin in self.origins.items():
            if isinstance(node, ast.stmt):
                lines[node.lineno] = origin.span.line
        for node, origin in self.origins.items():
            if isinstance(node, ast.expr) or isinstance(node, ast.AugAssign) and origin.what:
                lines.setdefault(node.lineno, origin.span.line)
                place = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
                marks.append([*place, origin.span.line, origin.what])
        return {
            "source": source,
            "lines": {str(line): lines[line] for line in sorted(lines)},
            "marks": sorted(marks, key=lambda mark: mark[:4]),
        }

    def moved(self) -> ast.Module:
        """The tree at Lua's positions. It can be asked for once: the nodes are changed."""
        _move(self.tree, self.origins, None)
        return self.tree

    def moved_map(self, source: str) -> dict[str, Any]:
        """The line map of the moved tree."""
        marks: list[Mark] = []
        seen = set()
        for origin in self.origins.values():
            span = origin.span
            place = (span.line, span.column - 1, span.end_line, span.end_column - 1)
            if origin.what and place not in seen:
                seen.add(place)
                marks.append([*place, span.line, origin.what])
        return {
            "source": source,
            "lines": {},
            "marks": sorted(marks, key=lambda mark: mark[:4]),
            "identical": True,
        }


def match_up(python: str, body: list[ast.stmt], ctx: Context) -> Relocation:
    """Parse the text and find each node's counterpart in the tree it was written from."""
    try:
        relocation = Relocation(ast.parse(python))
    except SyntaxError as error:
        raise Refused(str(error.msg), _deepest(body, ctx)) from error
    pairs = list(_paired(ast.Module(body=body, type_ignores=[]), relocation.tree))
    for made, parsed in pairs:
        if made in ctx.origins:
            relocation.origins[parsed] = ctx.origins[made]
    return relocation


def _deepest(body: list[ast.stmt], ctx: Context) -> Span | None:
    """The place in Lua of the innermost node."""
    deepest, found = -1, None
    stack: list[tuple[ast.AST, int]] = [(statement, 0) for statement in body]
    while stack:
        node, depth = stack.pop()
        if depth > deepest and node in ctx.origins:
            deepest, found = depth, ctx.origins[node].span
        stack += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return found


def _paired(made: ast.AST, parsed: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Counterparts of two trees; the two must be equal."""
    pending = [(made, parsed)]
    while pending:
        made, parsed = pending.pop()
        if type(made) is not type(parsed):
            raise _differs(made, parsed)
        yield made, parsed
        below: list[tuple[ast.AST, ast.AST]] = []
        for name in made._fields:
            one, other = getattr(made, name, None), getattr(parsed, name, None)
            if isinstance(one, ast.expr_context):
                continue
            if isinstance(one, ast.AST) and isinstance(other, ast.AST):
                below.append((one, other))
            elif isinstance(one, list) and isinstance(other, list):
                if len(one) != len(other):
                    raise _differs(made, parsed)
                for left, right in zip(one, other, strict=True):
                    if isinstance(left, ast.AST) and isinstance(right, ast.AST):
                        below.append((left, right))
                    elif left != right:
                        raise _differs(made, parsed)
            elif name not in ("kind", "simple", "type_comment") and (
                one != other or type(one) is not type(other)
            ):
                raise _differs(made, parsed)
        pending += reversed(below)


def _differs(made: ast.AST, parsed: ast.AST) -> AssertionError:
    line = getattr(parsed, "lineno", "?")
    return AssertionError(
        f"internal error: line {line} of the generated text is {ast.dump(parsed)[:200]}, meant was "
        f"{ast.dump(made)[:200]}; please report this with the script"
    )


def _move(
    node: ast.AST, origins: dict[ast.AST, Origin], around: tuple[int, int, int, int] | None
) -> None:
    """Give a node and all below it Lua positions: their own, or those of what stands around them."""
    origin = origins.get(node)
    if origin is not None:
        span = origin.span
        around = (span.line, span.column - 1, span.end_line, max(span.end_column - 1, 0))
    place = around or (1, 0, 1, 0)
    if isinstance(node, ast.stmt | ast.expr | ast.arg | ast.keyword | ast.alias):
        node.lineno, node.col_offset, node.end_lineno, node.end_col_offset = place
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt) and child not in origins:
            _move(child, origins, around and (around[0], around[1], around[0], around[1]))
        else:
            _move(child, origins, around)
