"""Blocks, `do`, calls as statements, and `break`."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions import calls
from lua2py.lower.registry import lowers
from lua2py.lower.stdlib import lists


def block_body(ctx: Context, block: tree.Block, inner: bool = False) -> list[ast.stmt]:
    """The statements of a block; of a loop or branch, at least a `pass`. inner: something else stands there too."""
    found: list[ast.stmt] = []
    for statement in block.body:
        found += ctx.statement(statement)
    if not found and not inner:
        found = [ast.Pass()]
    ctx.blocks[block] = found
    return found


@lowers(tree.Do)
def lower_do(ctx: Context, node: tree.Do) -> list[ast.stmt]:
    found = block_body(ctx, node.body, inner=True)
    return found or [ast.Pass()]


@lowers(tree.Break)
def lower_break(ctx: Context, node: tree.Break) -> list[ast.stmt]:
    return [ast.Break()]


@lowers(tree.CallStat)
def lower_call_statement(ctx: Context, node: tree.CallStat) -> list[ast.stmt]:
    path = ctx.facts.paths.required(node.call)
    if path is not None:
        return []  # the import of `msys` says it
    if node is ctx.facts.module_call:
        return _module(ctx, node)
    changed = lists.statement(ctx, node.call)
    return [changed or build.expression(calls.make(ctx, node.call).value)]


def _module(ctx: Context, node: tree.CallStat) -> list[ast.stmt]:
    """`module("name", package.seeall)`: from here on, globals are fields of that table."""
    from lua2py.lower.expressions.lists import listed

    assert isinstance(node.call, tree.Call)
    args: list[ast.expr] = []
    if ctx.facts.seeall:
        args = [ctx.value(node.call.args[0]), ctx.lua("seeall")]
    else:
        args = listed(ctx, node.call.args)
    ctx.module_name = ctx.fresh("M")
    ctx.after_module_call = node.span.end
    return [build.assign(build.stored(ctx.module_name), build.call(ctx.lua("module"), *args))]
