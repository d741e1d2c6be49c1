"""Loops: Python's own, over `range` and over iterators that walk as Lua's do."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.contents import is_fixed_list, is_list, is_python_list
from lua2py.facts.kinds import Kind
from lua2py.facts.patterns import captures_of
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions.lists import listed
from lua2py.lower.expressions.logic import condition
from lua2py.lower.registry import lowers
from lua2py.lower.statements.assign import declare
from lua2py.lower.statements.blocks import block_body
from lua2py.walk import nodes


@lowers(tree.While)
def lower_while(ctx: Context, node: tree.While) -> list[ast.stmt]:
    return [ast.While(test=condition(ctx, node.test), body=block_body(ctx, node.body), orelse=[])]


@lowers(tree.Repeat)
def lower_repeat(ctx: Context, node: tree.Repeat) -> list[ast.stmt]:
    """`while True`, with the test at the end, where it sees the locals of the body."""
    body = block_body(ctx, node.body, inner=True)
    outer, ctx.prelude = ctx.prelude, []
    test = condition(ctx, node.test)
    body += ctx.prelude
    ctx.prelude = outer
    never = isinstance(test, ast.Constant) and test.value is False
    if not never:
        leave = ast.If(test=test, body=[ast.Break()], orelse=[])
        ctx.mark_statement(leave, node.test)
        body.append(leave)
    return [ast.While(test=build.constant(True), body=body or [ast.Pass()], orelse=[])]


@lowers(tree.NumericFor)
def lower_numeric_for(ctx: Context, node: tree.NumericFor) -> list[ast.stmt]:
    walked = _range(ctx, node) or build.call(
        ctx.lua("numeric_for"),
        ctx.value(node.start),
        ctx.value(node.stop),
        *([ctx.value(node.step)] if node.step else []),
    )
    target, head = _targets(ctx, [node.var])
    ctx.mark(walked, node)
    body = [*head, *block_body(ctx, node.body)]
    return [
        ast.For(target=target, iter=walked, body=_without_pass(body), orelse=[], type_comment=None)
    ]


def _range(ctx: Context, node: tree.NumericFor) -> ast.expr | None:
    """`range(...)` where the bounds are whole numbers and the step a constant."""
    step = _constant_step(node.step)
    if (
        not step
        or not ctx.kind(node.start).within(kinds.WHOLE)
        or not ctx.kind(node.stop).within(kinds.WHOLE)
    ):
        return None
    start, stop = ctx.value(node.start), _beyond(ctx, node.stop, 1 if step > 0 else -1)
    args = (
        [start, stop] if step == 1 else [start, stop, ctx.value(node.step) if node.step else start]
    )
    if step == 1 and isinstance(start, ast.Constant) and start.value == 0:
        args = [stop]
    return build.call(build.name("range"), *args)


def _constant_step(step: tree.Expr | None) -> int:
    match step:
        case None:
            return 1
        case tree.Number(value=int() as value):
            return value
        case tree.Unary(op="-", operand=tree.Number(value=int() as value)):
            return -value
    return 0


def _beyond(ctx: Context, stop: tree.Expr, by: int) -> ast.expr:
    """The end that `range` wants: one past Lua's."""
    match stop:
        case tree.Number(value=int() as value):
            end = value + by
            return (
                build.constant(end)
                if end >= 0
                else ast.UnaryOp(op=ast.USub(), operand=build.constant(-end))
            )
        case tree.Binary(op="-", left=left, right=tree.Number(value=1)) if by == 1 and ctx.kind(
            left
        ).within(kinds.WHOLE):
            return ctx.value(left)
        case tree.Binary(op="+", left=left, right=tree.Number(value=int() as value)) if (
            by == 1 and ctx.kind(left).within(kinds.WHOLE)
        ):
            return build.binary(ctx.value(left), ast.Add(), build.constant(value + 1))
    return build.binary(ctx.value(stop), ast.Add() if by > 0 else ast.Sub(), build.constant(1))


@lowers(tree.GenericFor)
def lower_generic_for(ctx: Context, node: tree.GenericFor) -> list[ast.stmt]:
    names = list(node.names)
    walked = _list_walk(ctx, node)
    if walked is not None and _walks_values(ctx, node):
        names = names[-1:]
        numbered = False
    else:
        walked = walked or _table_walk(ctx, node) or _matches(ctx, node)
        numbered = walked is not None and _is_call_of(walked, "ipairs", "enumerate")
    if walked is None:
        walked = build.call(
            ctx.lua("iterate"), build.constant(len(names)), *listed(ctx, node.values)
        )
        ctx.mark(walked, node)
    target, head = _targets(ctx, names)
    if numbered and len(names) == 1:
        target = build.targets([target, build.stored(_unused(ctx))])
    body = [*head, *block_body(ctx, node.body)]
    return [
        ast.For(target=target, iter=walked, body=_without_pass(body), orelse=[], type_comment=None)
    ]


def _unused(ctx: Context) -> str:
    """A name for what nobody reads: `_`, unless the script reads its own."""
    if any(symbol.name == "_" and symbol.reads for symbol in ctx.facts.scopes.locals):
        return ctx.fresh("_")
    return "_"


def _base_walk(ctx: Context, node: tree.GenericFor) -> tuple[str, tree.Expr] | None:
    """`pairs` or `ipairs` of the base library, and the table it walks."""
    match node.values:
        case [
            tree.Call(
                function=tree.Name(id="pairs" | "ipairs" as word) as function,
                args=[table, *rest],
            )
        ]:
            if not ctx.facts.scopes.of(function).is_global or word in ctx.facts.paths.replaced:
                return None
            if (
                len(node.names) > 2
                or not all(ctx.is_harmless(arg) for arg in rest)
                or ctx.hides_base(function)
            ):
                return None
            return word, table
    return None


def _table_walk(ctx: Context, node: tree.GenericFor) -> ast.expr | None:
    """A walk over a table as Lua does it: live with `ipairs`, over the keys that were there with `pairs`."""
    found = _base_walk(ctx, node)
    if found is None:
        return None
    word, table = found
    helper = "keys" if word == "pairs" and len(node.names) == 1 else word
    return ctx.mark(build.call(ctx.lua(helper), ctx.value(table)), node.values[0])


def _list_walk(ctx: Context, node: tree.GenericFor) -> ast.expr | None:
    """`ipairs(t)` of one of Python's lists, which walks it live too, or of a list that stays as it is meanwhile."""
    found = _base_walk(ctx, node)
    if found is None or found[0] != "ipairs":
        return None
    kind = ctx.kind(found[1])
    if not kind.within(kinds.TABLE) or not is_list(kind):
        return None
    values = ctx.value(found[1])
    if not is_python_list(kind):
        if not is_fixed_list(kind) and not _leaves_alone(ctx, node.body, kind):
            return None
        values = build.call(build.attribute(values, "values"))
    if _walks_values(ctx, node):
        return values
    return build.call(build.name("enumerate"), values, build.constant(1))


def _walks_values(ctx: Context, node: tree.GenericFor) -> bool:
    """Whether the places of a list are not used."""
    symbol = ctx.facts.scopes.of(node.names[0])
    return not symbol.reads and not symbol.writes


def _leaves_alone(ctx: Context, body: tree.Block, kind: Kind) -> bool:
    """Whether a body changes no table of that kind, and calls nothing that could, or that waits while others do."""
    for part in nodes(body):
        match part:
            case tree.Assign(targets=targets):
                stored = [target.object for target in targets if isinstance(target, tree.Index)]
                if any(ctx.kind(target).sites & kind.sites for target in stored):
                    return False
            case tree.FunctionStat(target=tree.Index()):
                return False
            case tree.Call() | tree.Invoke() if not ctx.facts.is_pure_call(part):
                return False
    return True


def _matches(ctx: Context, node: tree.GenericFor) -> ast.expr | None:
    """`gmatch` with a literal pattern over a proven string."""
    subject: tree.Expr | None = None
    pattern = ""
    match node.values:
        case [tree.Call(function=function, args=[subject, tree.String(value=pattern)])]:
            if ctx.facts.paths.function(function) not in ("string.gmatch", "string.gfind"):
                return None
        case [tree.Invoke(name="gmatch", object=subject, args=[tree.String(value=pattern)])]:
            if ("string", "gmatch") in ctx.facts.paths.written:
                return None
    captures = captures_of(pattern) if subject is not None else None
    if subject is None or captures is None or not ctx.kind(subject).within(kinds.STRING):
        return None
    if max(captures, 1) != len(node.names):
        return None
    ctx.imports.add("Pattern")
    hoisted = ctx.pattern(pattern)
    return ctx.mark(
        build.call(build.attribute(hoisted, "gmatch"), ctx.value(subject)), node.values[0]
    )


def _targets(ctx: Context, params: list[tree.Param]) -> tuple[ast.expr, list[ast.stmt]]:
    """The loop variables, and what has to stand at the top of the body."""
    elements: list[ast.expr] = []
    head: list[ast.stmt] = []
    for param in params:
        symbol = ctx.facts.scopes.of(param)
        name = ctx.python_name(symbol)
        if symbol in ctx.names.boxed:
            plain = ctx.fresh(f"{name}_value")
            elements.append(build.stored(plain))
            head += declare(ctx, symbol, build.name(plain))
        else:
            elements.append(build.stored(name))
    return build.targets(elements), head


def _is_call_of(value: ast.expr, *names: str) -> bool:
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in names
    )


def _without_pass(body: list[ast.stmt]) -> list[ast.stmt]:
    return [s for s in body if not isinstance(s, ast.Pass)] or body[-1:]
