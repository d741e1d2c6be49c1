"""Lists of expressions: what a call or `...` at their end contributes.

One place decides how many values an expression gives and how a caller gets just as many as it wants.
"""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts.functions import is_multiple
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions import calls


def listed(ctx: Context, nodes: list[tree.Expr]) -> list[ast.expr]:
    """All values of an expression list, as arguments or elements."""
    if not nodes:
        return []
    return [ctx.value(node) for node in nodes[:-1]] + [*spread(ctx, nodes[-1])]


def spread(ctx: Context, node: tree.Expr) -> list[ast.expr]:
    """All values of the last expression of a list."""
    if isinstance(node, tree.Vararg):
        return [build.starred(build.name("varargs"))]
    if isinstance(node, tree.Call | tree.Invoke):
        return calls.all_values(ctx, node)
    return [ctx.value(node)]


def exactly(ctx: Context, nodes: list[tree.Expr], wanted: int) -> list[ast.expr] | ast.expr:
    """An expression list as `wanted` values: a list of expressions, or one that gives that many as a tuple.

    More expressions than wanted are a tuple too, so that each is computed.
    """
    if not nodes:
        return [build.none() for _ in range(wanted)]
    last = nodes[-1]
    missing = wanted - len(nodes) + 1
    if is_multiple(last) and missing > 1:
        tail = _several(ctx, last, missing)
        if len(nodes) == 1:
            return tail
        values = [ctx.value(node) for node in nodes[:-1]]
        return (
            values + tail
            if isinstance(tail, list)
            else build.tuple_of([*values, build.starred(tail)])
        )
    values = [ctx.value(node) for node in nodes]
    if len(values) <= wanted:
        return values + [build.none() for _ in range(wanted - len(values))]
    if all(ctx.is_constant(node) for node in nodes[wanted:]):
        return values[:wanted]
    every = build.tuple_of(values)
    if wanted == 1:
        return [build.subscript(every, build.constant(0))]
    return build.subscript(every, ast.Slice(lower=None, upper=build.constant(wanted), step=None))


def _several(ctx: Context, node: tree.Expr, wanted: int) -> list[ast.expr] | ast.expr:
    if isinstance(node, tree.Vararg):
        return build.call(ctx.lua("adjust"), build.name("varargs"), build.constant(wanted))
    assert isinstance(node, tree.Call | tree.Invoke)
    return calls.several_values(ctx, node, wanted)
