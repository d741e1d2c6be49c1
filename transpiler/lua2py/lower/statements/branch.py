"""`if`, and `return`."""

from __future__ import annotations

import ast
import itertools

from lua2py import tree
from lua2py.facts.functions import is_multiple
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions import calls
from lua2py.lower.expressions.lists import exactly, listed
from lua2py.lower.expressions.logic import condition
from lua2py.lower.registry import lowers
from lua2py.lower.statements.blocks import block_body


@lowers(tree.If)
def lower_if(ctx: Context, node: tree.If) -> list[ast.stmt]:
    made: list[ast.If] = []
    for test, block in zip(node.tests, node.blocks, strict=False):
        branch = ast.If(test=condition(ctx, test), body=[], orelse=[])
        ctx.mark_statement(branch, test)
        made.append(branch)
        branch.body = block_body(ctx, block)
    if len(node.blocks) > len(node.tests):
        made[-1].orelse = block_body(ctx, node.blocks[-1])
        if len(made[-1].orelse) == 1 and isinstance(made[-1].orelse[0], ast.If):
            ctx.layout.nested_else.add(made[-1])
    for outer, inner in itertools.pairwise(made):
        outer.orelse = [inner]
    ctx.branches[node] = made
    return [made[0]]


@lowers(tree.Return)
def lower_return(ctx: Context, node: tree.Return) -> list[ast.stmt]:
    known = ctx.known_function()
    arity = known.arity if known is not None else None
    if known is not None and node in known.again:
        return _again(ctx, known.node, node)
    if known is None and not ctx.names.main_function:
        return [build.assign(build.stored("RESULT"), returned_any(ctx, node.values))]
    if arity is None:
        return [build.returned(returned_any(ctx, node.values))]
    if arity == 0:
        found: list[ast.stmt] = [
            build.expression(ctx.value_of_call(value)) for value in node.values
        ]
        return [*found, build.returned(None)]
    values = exactly(ctx, node.values, arity)
    if not isinstance(values, list):
        return [build.returned(values)]
    return [build.returned(values[0] if arity == 1 else build.tuple_of(values))]


def _again(ctx: Context, function: tree.Function, node: tree.Return) -> list[ast.stmt]:
    """`return f(x)` in f itself: the next turn of its loop, with the parameters set anew."""
    call = node.values[0]
    assert isinstance(call, tree.Call)
    names = [ctx.python_name(ctx.facts.scopes.of(param)) for param in function.params]
    values = [ctx.value(arg) for arg in call.args]
    values += [build.none() for _ in names[len(values) :]]
    changed = [
        (name, value)
        for name, value in zip(names, values, strict=True)
        if not (isinstance(value, ast.Name) and value.id == name)
    ]
    found: list[ast.stmt] = []
    if len(changed) == 1:
        found.append(_set_anew(ctx, *changed[0]))
    elif changed:
        targets = build.targets([build.stored(name) for name, _ in changed])
        found.append(build.assign(targets, build.tuple_of([value for _, value in changed])))
    if node is not function.body.body[-1]:
        found.append(ast.Continue())
    return found or [ast.Pass()]


def _set_anew(ctx: Context, name: str, value: ast.expr) -> ast.stmt:
    match value:
        case ast.BinOp(left=ast.Name(id=left), op=op, right=right) if left == name:
            made = ast.AugAssign(target=build.stored(name), op=op, value=right)
            ctx.origins[made] = ctx.origins[value]
            return made
    return build.assign(build.stored(name), value)


def returned_any(ctx: Context, values: list[tree.Expr]) -> ast.expr:
    """What a function returns that gives different numbers of results."""
    if not values:
        return build.tuple_of([])
    last = values[-1]
    if len(values) == 1:
        if isinstance(last, tree.Vararg):
            return build.call(ctx.lua("pack"), build.name("varargs"))
        if isinstance(last, tree.Call | tree.Invoke):
            return calls.returned_value(ctx, last)
        return ctx.value(last)
    every = build.tuple_of(listed(ctx, values))
    return build.call(ctx.lua("pack"), every) if is_multiple(last) and _starred(every) else every


def _starred(value: ast.Tuple) -> bool:
    return any(isinstance(element, ast.Starred) for element in value.elts)
