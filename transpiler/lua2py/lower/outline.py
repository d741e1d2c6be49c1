"""Blocks inside each other deeper than CPython takes them, moved into functions of their own.

Works on the finished Python tree. CPython refuses more than twenty loops inside each other in one function, and a
hundred levels of indentation. The inner block becomes a function at the top of the one it stands in, which shares
its names by `nonlocal` or `global`. What it returns comes back in a list, a `break` or `continue` for a loop around
it as that word, and None when it simply ends.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lua2py import tree
from lua2py.lower import build
from lua2py.lower.context import Context

MOST_LOOPS = 20  # CO_MAXBLOCKS
DEEP_ENOUGH = (
    90  # levels of indentation; Python's tokenizer ends at 100, and some inner blocks must stay
)
LOOPS = (ast.For, ast.While)
LEAVING: dict[str, type[ast.Break] | type[ast.Continue]] = {
    "break": ast.Break,
    "continue": ast.Continue,
}


@dataclass(slots=True)
class _Scope:
    """A Python function, or the module, that blocks are moved out of."""

    made: ast.FunctionDef | None
    owner: tree.Function | tree.Chunk
    indent: int  # of its statements
    outlined: list[ast.FunctionDef] = field(default_factory=list)
    own: set[str] = field(default_factory=set)  # names that it must have for blocks to share


def outline(ctx: Context, body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a module with no block too deep for CPython, as far as blocks can be moved."""
    return _Outliner(ctx).scope(_Scope(None, ctx.facts.scopes.chunk, 0), body)


class _Outliner:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def scope(self, scope: _Scope, body: list[ast.stmt]) -> list[ast.stmt]:
        body = self.block(scope, body, loops=0, indent=scope.indent)
        if not scope.outlined:
            return body
        bound = _stored(body) | (_parameters(scope.made.args) if scope.made else set())
        empty = [
            build.assign(build.stored(name), build.none()) for name in sorted(scope.own - bound)
        ]
        kept = [part for part in body if isinstance(part, ast.Global | ast.Nonlocal)]
        rest = [part for part in body if part not in kept]
        return [*kept, *empty, *scope.outlined, *rest]

    def block(self, scope: _Scope, body: list[ast.stmt], loops: int, indent: int) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for node in body:
            if isinstance(node, ast.FunctionDef):
                owner = self.ctx.functions.get(node, scope.owner)
                node.body = self.scope(_Scope(node, owner, indent + 1), node.body)
            elif isinstance(node, ast.If | ast.For | ast.While):
                inside = loops + isinstance(node, LOOPS)
                deep = indent >= DEEP_ENOUGH and indent > scope.indent + 1
                if inside > MOST_LOOPS or deep:
                    found += self.moved(scope, node)
                    continue
                self.parts(scope, node, inside, indent + 1)
            found.append(node)
        return found

    def parts(
        self, scope: _Scope, node: ast.If | ast.For | ast.While, loops: int, indent: int
    ) -> None:
        node.body = self.block(scope, node.body, loops, indent)
        match node.orelse:
            case [ast.If() as chained] if node not in self.ctx.layout.nested_else:
                self.parts(scope, chained, loops, indent)
            case _:
                node.orelse = self.block(scope, node.orelse, loops, indent)

    def moved(self, scope: _Scope, node: ast.stmt) -> list[ast.stmt]:
        """A statement as a function of its scope, and what stands in its place."""
        ctx = self.ctx
        name = ctx.names.fresh(scope.owner, "block")
        made = ast.FunctionDef(
            name=name,
            args=ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]),
            body=[],
            decorator_list=[],
            returns=ctx.type_text("Any"),
            type_comment=None,
        )
        place = len(scope.outlined)
        made.body = self.block(scope, [node], loops=0, indent=scope.indent + 1)
        returns = [part for part in _own_nodes(made.body) if isinstance(part, ast.Return)]
        for part in returns:
            part.value = ast.List(elts=[part.value or build.none()], ctx=build.LOAD)
        left = self.carried(made.body)
        made.body = self.without_annotations(made.body)
        made.body[:0] = self.shared_names(scope, _stored(made.body))
        scope.outlined.insert(place, made)
        call: ast.expr = build.call(build.name(name))
        if not returns and not left:
            return [self.like(node, build.expression(call))]
        result = ctx.names.fresh(scope.owner, "returned")
        found: list[ast.stmt] = [build.assign(build.stored(result), call)]
        for word, leave in LEAVING.items():
            if word in left:
                came = build.compare(build.name(result), ast.Eq(), build.constant(word))
                found.append(ast.If(test=came, body=[leave()], orelse=[]))
        if returns:
            came = build.compare(build.name(result), ast.IsNot(), build.none())
            first = build.subscript(build.name(result), build.constant(0))
            found.append(ast.If(test=came, body=[build.returned(first)], orelse=[]))
        return [self.like(node, one) for one in found]

    def carried(self, body: list[ast.stmt]) -> set[str]:
        """Turn what leaves a block for a loop around it into a return of the word; which words there are."""
        words: set[str] = set()
        for place, node in enumerate(body):
            for word, leave in LEAVING.items():
                if isinstance(node, leave):
                    words.add(word)
                    body[place] = self.instead(node, build.returned(build.constant(word)))
            if isinstance(node, ast.If):
                words |= self.carried(node.body) | self.carried(node.orelse)
        return words

    def without_annotations(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """`x: int = 0` as `x = 0`: a name that is shared has its type where it belongs."""
        found: list[ast.stmt] = []
        for node in body:
            if isinstance(node, ast.If | ast.For | ast.While):
                node.body = self.without_annotations(node.body) or [ast.Pass()]
                node.orelse = self.without_annotations(node.orelse)
            if not isinstance(node, ast.AnnAssign):
                found.append(node)
            elif node.value is not None:
                found.append(self.instead(node, build.assign(node.target, node.value)))
        return found

    def instead(self, old: ast.stmt, new: ast.stmt) -> ast.stmt:
        """A statement that takes the place of another, with its comments."""
        layout = self.ctx.layout
        tables: tuple[dict[ast.AST, Any], ...] = (
            self.ctx.origins, layout.before, layout.trailing, layout.after, layout.blank,
        )  # fmt: skip
        for table in tables:
            if old in table:
                table[new] = table.pop(old)
        return new

    def shared_names(self, scope: _Scope, names: set[str]) -> list[ast.stmt]:
        """`global` and `nonlocal` for what a moved block stores."""
        module = names if scope.made is None else names & _declared(scope.made, ast.Global)
        around = names - module
        if scope.made is not None:
            scope.own |= around - _declared(scope.made, ast.Nonlocal)
        found: list[ast.stmt] = [ast.Global(names=sorted(module))] if module else []
        return [*found, ast.Nonlocal(names=sorted(around))] if around else found

    def like(self, node: ast.stmt, made: ast.stmt) -> ast.stmt:
        """A new statement that comes from the same place of the script as another."""
        if node in self.ctx.origins:
            self.ctx.origins[made] = self.ctx.origins[node]
        return made


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of a block but those inside the functions that it makes."""
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            stack += ast.iter_child_nodes(node)


def _stored(body: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for node in _own_nodes(body):
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def _parameters(args: ast.arguments) -> set[str]:
    every = (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg)
    return {arg.arg for arg in every if arg is not None}


def _declared(made: ast.FunctionDef, kind: type[ast.Global] | type[ast.Nonlocal]) -> set[str]:
    return {name for part in made.body if isinstance(part, kind) for name in part.names}
