"""Comparisons: Python's own where the kinds of both sides are proven to compare alike."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.kinds import Kind
from lua2py.lower import build
from lua2py.lower.context import Context

_ORDER: dict[str, tuple[type[ast.cmpop], str]] = {
    "<": (ast.Lt, "lt"),
    "<=": (ast.LtE, "le"),
    ">": (ast.Gt, "gt"),
    ">=": (ast.GtE, "ge"),
}
# Kinds of which Python's `==` tells every value from every value of other kinds, as Lua does.
_PLAIN = kinds.STRING | kinds.FUNCTION | kinds.THREAD | kinds.NIL


def lower_comparison(ctx: Context, node: tree.Binary) -> ast.expr:
    if node.op in ("==", "~="):
        return ctx.mark(_equality(ctx, node), node)
    left, right = ctx.kind(node.left).settled, ctx.kind(node.right).settled
    operator, helper = _ORDER[node.op]
    what = [ctx.describe(node.left), ctx.describe(node.right)]
    one, other = ctx.value(node.left), ctx.value(node.right)
    if any(left.within(kind) and right.within(kind) for kind in (kinds.NUMBER, kinds.STRING)):
        return ctx.mark(build.compare(one, operator(), other), node, what)
    return ctx.mark(build.call(ctx.lua(helper), one, other), node, what)


def _equality(ctx: Context, node: tree.Binary) -> ast.expr:
    equal = node.op == "=="
    for side, other in ((node.right, node.left), (node.left, node.right)):
        if isinstance(side, tree.Nil | tree.Boolean):
            value = ctx.value(other)
            if build.is_literal(value):
                wanted = side.value if isinstance(side, tree.Boolean) else None
                return build.constant((build.literal_value(value) is wanted) == equal)
            operator = ast.Is() if equal else ast.IsNot()
            return build.compare(value, operator, ctx.value(side))
    one, other_value = ctx.value(node.left), ctx.value(node.right)
    if compares_natively(ctx, node):
        return build.compare(one, ast.Eq() if equal else ast.NotEq(), other_value)
    made: ast.expr = build.call(ctx.lua("eq"), one, other_value)
    return made if equal else ast.UnaryOp(op=ast.Not(), operand=made)


def compares_natively(ctx: Context, node: tree.Binary) -> bool:
    """Whether Python's `==` answers as Lua's does, and a type checker sees that both sides can be equal."""
    left, right = ctx.kind(node.left), ctx.kind(node.right)
    if not left.meets(right.without(kinds.NIL)) and not (
        left.meets(kinds.NUMBER) and right.meets(kinds.NUMBER)
    ):
        return False
    for one, other, literal in ((left, right, node.left), (right, left, node.right)):
        if one.within(_PLAIN):
            return True
        if one.within(kinds.NUMBER | kinds.NIL):
            # `1 == True` in Python
            return not other.meets(kinds.BOOLEAN) or _is_odd_number(literal)
    return _tables(ctx, left, right)


def _is_odd_number(literal: tree.Expr) -> bool:
    return isinstance(literal, tree.Number) and literal.value not in (0, 1)


def _tables(ctx: Context, left: Kind, right: Kind) -> bool:
    identity = kinds.TABLE | kinds.FUNCTION | kinds.THREAD | kinds.NIL
    return left.within(identity) and right.within(identity) and not ctx.facts.mentions("__eq")
