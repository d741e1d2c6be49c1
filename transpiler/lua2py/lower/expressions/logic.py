"""`and`, `or`, `not`, and conditions.

In a condition only truth counts. As values, Python's `and` and `or` serve where the left side can't be one of the
values that Python takes for false and Lua for true: 0, the empty string.
"""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.contents import is_true_throughout, takes_any_key
from lua2py.lower import build
from lua2py.lower.context import Context

# What Python's truth test answers as Lua's does.
ALIKE = kinds.NIL | kinds.BOOLEAN | kinds.TABLE | kinds.FUNCTION | kinds.THREAD


def condition(ctx: Context, node: tree.Expr) -> ast.expr:
    """An expression for `if`, `while`, `not`: only its truth is right."""
    match node:
        case tree.Binary(op="and" | "or" as op, left=left, right=right):
            operator = ast.And() if op == "and" else ast.Or()
            return build.both(operator, condition(ctx, left), condition(ctx, right))
        case tree.Paren(inner=inner):
            return condition(ctx, inner)
        case tree.Unary(op="not", operand=operand):
            return build.negated(condition(ctx, operand))
        case tree.Call() | tree.Invoke():
            from lua2py.lower.stdlib import patterns

            tested = patterns.is_test(ctx, node)
            if tested is not None:
                return tested
    return truth(ctx, ctx.value(node), node)


def truth(ctx: Context, value: ast.expr, node: tree.Expr) -> ast.expr:
    """The truth of a value that has been lowered."""
    kind = ctx.kind(node)
    if build.is_literal(value):
        found = build.literal_value(value)
        return build.constant(found is not None and found is not False)
    if kind.within(kinds.BOOLEAN | kinds.NIL):
        return value
    if not kind.meets(kinds.FALSE):
        return build.compare(value, ast.IsNot(), build.none())
    if not kind.meets(kinds.NIL):
        return build.compare(value, ast.IsNot(), build.constant(False))
    if isinstance(value, ast.Name):
        return build.both(
            ast.And(),
            build.compare(value, ast.IsNot(), build.none()),
            build.compare(build.name(value.id), ast.IsNot(), build.constant(False)),
        )
    return build.call(ctx.lua("truthy"), value)


def lower_logic(ctx: Context, node: tree.Binary) -> ast.expr:
    """`and` and `or` as values."""
    choices = _choices(ctx, node)
    if choices is not None:
        return _chosen(ctx, choices)
    looked_up = _with_default(ctx, node)
    if looked_up is not None:
        return looked_up
    left = ctx.kind(node.left)
    if left.within(ALIKE) or _falls_back_on_itself(ctx, node):
        operator = ast.And() if node.op == "and" else ast.Or()
        return build.both(operator, ctx.value(node.left), ctx.value(node.right))
    if left.truthy and node.op == "and" or left.falsy and node.op == "or":
        return _second(ctx, node)
    first = ctx.value(node.left)
    test, again = _tested(ctx, first, node.left)
    second = ctx.value(node.right)
    if node.op == "and":
        return ast.IfExp(test=test, body=second, orelse=_falsy_part(ctx, node.left, again))
    return ast.IfExp(test=test, body=again, orelse=second)


def _with_default(ctx: Context, node: tree.Binary) -> ast.expr | None:
    """`T[k] or default` of a table that is what its constructor says, all of it true: `T.get(k, default)`."""
    match node:
        case tree.Binary(
            op="or", left=tree.Index(object=tree.Name() as name, key=key), right=right
        ):
            table = ctx.kind(name)
            if (
                table.within(kinds.TABLE)
                and is_true_throughout(table)
                and takes_any_key(table, ctx.kind(key))
                and isinstance(right, tree.String | tree.Number | tree.Boolean)
            ):
                get = build.attribute(ctx.value(name), "get")
                made = build.call(get, ctx.value(key), ctx.value(right))
                return ctx.mark(made, node.left, ctx.describe(name))
    return None


def _choices(ctx: Context, node: tree.Expr) -> list[tuple[tree.Expr | None, tree.Expr]] | None:
    """The branches of `test and one or test and two or three`, when each one is surely true."""
    found: list[tuple[tree.Expr | None, tree.Expr]] = [(None, node)]
    while True:
        _, first = found[0]
        while isinstance(first, tree.Paren):
            first = first.inner
        if not isinstance(first, tree.Binary) or first.op != "or":
            break
        found[0:1] = [(None, first.left), (None, first.right)]
    branches: list[tuple[tree.Expr | None, tree.Expr]] = []
    for _, part in found[:-1]:
        while isinstance(part, tree.Paren):
            part = part.inner
        if not isinstance(part, tree.Binary) or part.op != "and" or not ctx.kind(part.right).truthy:
            return None
        branches.append((part.left, part.right))
    return [*branches, found[-1]] if branches else None


def _chosen(ctx: Context, choices: list[tuple[tree.Expr | None, tree.Expr]]) -> ast.expr:
    """Each branch is computed only when it is chosen, as in Lua."""
    (when, one), *rest = choices
    if when is None:
        return ctx.value(one)
    test, body = condition(ctx, when), ctx.value(one)
    return ast.IfExp(test=test, body=body, orelse=_chosen(ctx, rest))


def _falls_back_on_itself(ctx: Context, node: tree.Binary) -> bool:
    """`n or 0` and `s or ""`: the one value that Python takes for false is the answer either way."""
    left = ctx.kind(node.left).without(kinds.NIL | kinds.BOOLEAN)
    if node.op != "or":
        return False
    match node.right:
        case tree.Number(value=0):
            return left.within(kinds.WHOLE)
        case tree.String(value=""):
            return left.within(kinds.STRING)
    return False


def _second(ctx: Context, node: tree.Binary) -> ast.expr:
    """The right side alone, where the left one only decides that."""
    if ctx.is_constant(node.left):
        return ctx.value(node.right)
    first = build.tuple_of([ctx.value(node.left), ctx.value(node.right)])
    return build.subscript(first, build.constant(1))


def _tested(ctx: Context, first: ast.expr, node: tree.Expr) -> tuple[ast.expr, ast.expr]:
    """A test of the left value, and the value again."""
    if isinstance(first, ast.Name):
        return truth(ctx, first, node), build.name(first.id)
    hint = ""
    match node:
        case tree.Index(key=tree.String(value=key)):
            hint = key
        case tree.Call(function=tree.Index(key=tree.String(value=key))) | tree.Invoke(name=key):
            hint = key
        case tree.Call(function=tree.Name(id=key)):
            hint = key
    ctx_hint, ctx.hint = ctx.hint, hint
    name = ctx.name_near("value")
    ctx.hint = ctx_hint
    named = ast.NamedExpr(target=build.stored(name), value=first)
    kind = ctx.kind(node)
    again = build.name(name)
    if not kind.meets(kinds.FALSE):
        return build.compare(named, ast.IsNot(), build.none()), again
    if not kind.meets(kinds.NIL):
        return build.compare(named, ast.IsNot(), build.constant(False)), again
    tests = [
        build.compare(named, ast.IsNot(), build.none()),
        build.compare(build.name(name), ast.IsNot(), build.constant(False)),
    ]
    return build.both(ast.And(), *tests), again


def _falsy_part(ctx: Context, node: tree.Expr, again: ast.expr) -> ast.expr:
    """What `and` answers when its left side is not true."""
    kind = ctx.kind(node).only(kinds.FALSY)
    if kind.within(kinds.NIL):
        return build.none()
    return build.constant(False) if kind.within(kinds.FALSE) else again
