"""`string.sub` as a slice, where it is known on which side of the string each position counts.

Lua counts from 1 and takes both ends; -1 is the last character. Like Lua's, Python's slices are content with positions
outside of the string.
"""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.lower import build
from lua2py.lower.context import Context


def sliced(ctx: Context, node: tree.Call | tree.Invoke) -> ast.expr | None:
    """The call as `s[i - 1:j]`; None where a position may be of either sign, or no whole number."""
    args = _arguments(ctx, node)
    if args is None or not 2 <= len(args) <= 3 or not ctx.kind(args[0]).within(kinds.STRING):
        return None
    first, last = args[1], args[2] if len(args) == 3 else None
    if not _counts_from(ctx, first, 1) or not (last is None or _counts_from(ctx, last, 0)):
        return None
    subject = ctx.value(args[0])
    part = ast.Slice(lower=_start(ctx, first), upper=_stop(ctx, last))
    if part.lower is None and part.upper is None:
        return subject
    return ctx.mark(build.subscript(subject, part), node)


def _arguments(ctx: Context, node: tree.Call | tree.Invoke) -> list[tree.Expr] | None:
    if isinstance(node, tree.Call):
        return node.args if ctx.facts.paths.function(node.function) == "string.sub" else None
    if node.name == "sub" and ("string", "sub") not in ctx.facts.paths.written:
        return [node.object, *node.args]
    return None


def _literal(node: tree.Expr | None) -> int | None:
    match node:
        case tree.Number(value=int() as value):
            return value
        case tree.Unary(op="-", operand=tree.Number(value=int() as value)):
            return -value
    return None


def _counts_from(ctx: Context, node: tree.Expr, least: int) -> bool:
    """Whether a position surely counts from the start, or is a literal."""
    kind = ctx.kind(node)
    return _literal(node) is not None or kind.within(kinds.WHOLE) and kind.range[0] >= least


def _start(ctx: Context, node: tree.Expr) -> ast.expr | None:
    literal = _literal(node)
    if literal is not None:
        if literal < 0:
            return build.negative(-literal)
        return build.constant(literal - 1) if literal > 1 else None
    match node:
        case tree.Binary(op="+", left=left, right=tree.Number(value=1)):
            return ctx.value(left)
    return build.binary(ctx.value(node), ast.Sub(), build.constant(1))


def _stop(ctx: Context, node: tree.Expr | None) -> ast.expr | None:
    literal = _literal(node)
    if node is None or literal == -1:
        return None
    if literal is None:
        return ctx.value(node)
    return build.constant(literal) if literal >= 0 else build.negative(-literal - 1)
