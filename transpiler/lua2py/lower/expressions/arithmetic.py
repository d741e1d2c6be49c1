"""Arithmetic and bit operators: Python's own where both operands are proven numbers, a helper elsewhere."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.contents import is_list
from lua2py.facts.operators import is_small_constant, native, numbers
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions.comparison import lower_comparison
from lua2py.lower.expressions.concat import lower_concat
from lua2py.lower.expressions.logic import condition, lower_logic
from lua2py.lower.registry import lowers

_HELPERS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "%": "mod",
    "^": "power",
    "\\": "intdiv",
    "&": "band",
    "|": "bor",
    "^^": "bxor",
    "<<": "shl",
    ">>": "shr",
}
NATIVE: dict[str, type[ast.operator]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
    "%": ast.Mod,
    "&": ast.BitAnd,
    "|": ast.BitOr,
    "^^": ast.BitXor,
    "\\": ast.FloorDiv,
}


@lowers(tree.Binary)
def lower_binary(ctx: Context, node: tree.Binary) -> ast.expr:
    if node.op in ("and", "or"):
        return lower_logic(ctx, node)
    if node.op == "..":
        return lower_concat(ctx, node)
    if node.op not in _HELPERS:
        return lower_comparison(ctx, node)
    left, right = ctx.value(node.left), ctx.value(node.right)
    what = [ctx.describe(node.left), ctx.describe(node.right)]
    if is_native(ctx, node):
        return ctx.mark(build.binary(left, NATIVE[node.op](), right), node, what)
    return ctx.mark(build.call(ctx.lua(_HELPERS[node.op]), left, right), node, what)


def is_native(ctx: Context, node: tree.Binary) -> bool:
    """Whether Python's operator gives Lua's number."""
    return native(node, ctx.kind(node.left), ctx.kind(node.right)) or _multiplies(ctx, node)


def _multiplies(ctx: Context, node: tree.Binary) -> bool:
    if not numbers(ctx.kind(node.left).settled, ctx.kind(node.right).settled):
        return False
    if node.op == "*":
        if ctx.kind(node.left).equals(kinds.FLOAT) or ctx.kind(node.right).equals(kinds.FLOAT):
            return True
        return (is_small_constant(node.left) or is_small_constant(node.right)) and not _accumulates(
            ctx, node
        )
    return False


def _accumulates(ctx: Context, node: tree.Binary) -> bool:
    """Whether an operand may be a product of earlier turns, so that products could grow past 2^53."""
    scopes = ctx.facts.scopes
    for side in (node.left, node.right):
        if isinstance(side, tree.Number) or ctx.kind(side).settled.within(kinds.SMALL):
            continue
        if not isinstance(side, tree.Name):
            return True
        symbol = scopes.of(side)
        if any(
            scopes.loop_of[write] is not None or scopes.owner_of[write] is not symbol.owner
            for write in symbol.writes
        ):
            return True
        if symbol.is_param and symbol.owner is ctx.owner and _is_recursive(ctx):
            return True
    return False


def _is_recursive(ctx: Context) -> bool:
    known = ctx.known_function()
    return known is not None and known.symbol in ctx.facts.scopes.free.get(ctx.owner, set())


@lowers(tree.Unary)
def lower_unary(ctx: Context, node: tree.Unary) -> ast.expr:
    if node.op == "not":
        made = build.negated(condition(ctx, node.operand))
        return made if build.is_boolean(made) else build.call(build.name("bool"), made)
    what = ctx.describe(node.operand)
    kind = ctx.kind(node.operand)
    operand = ctx.value(node.operand)
    if node.op == "#":
        native = kind.settled.within(kinds.STRING) or is_list(kind)
        return ctx.mark(
            build.call(build.name("len") if native else ctx.lua("length"), operand), node, what
        )
    if node.op == "~":
        return ctx.mark(build.call(ctx.lua("bnot"), operand), node, what)
    if isinstance(node.operand, tree.Number) and not node.operand.value:
        return ast.UnaryOp(op=ast.USub(), operand=build.constant(0.0))
    if kind.within(kinds.NUMBER):
        return ctx.mark(ast.UnaryOp(op=ast.USub(), operand=operand), node, what)
    return ctx.mark(build.call(ctx.lua("neg"), operand), node, what)
