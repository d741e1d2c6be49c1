"""Base-library calls that have a form of their own in Python: `require`, `select`, `pairs` outside `for`, `module`."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import library
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions import calls
from lua2py.lower.expressions.lists import listed
from lua2py.lower.stdlib import lists


def special_call(ctx: Context, name: str, node: tree.Call, spread: bool) -> calls.Made | None:
    """A call that is not simply the function of that name."""
    if name in library.THROUGH_GLOBALS:
        return None
    if name == "table.concat":
        joined = lists.joined(ctx, node)
        return None if joined is None else calls.Made(joined, 1)
    if name == "select" and _counts_varargs(node):
        made = build.call(build.name("len"), build.name("varargs"))
        return calls.Made(made, 1)
    if name == "select" and node.args and isinstance(node.args[0], tree.String):
        return calls.Made(build.call(ctx.lua("select"), *listed(ctx, node.args)), 1)
    if name == "require":
        found = _package(ctx, node)
        if found is not None:
            return calls.Made(found, 1)
    return None


def as_value(ctx: Context, node: tree.Call) -> ast.expr | None:
    """A call of which one value is wanted, where that is spelled differently."""
    return None


def _counts_varargs(node: tree.Call) -> bool:
    match node.args:
        case [tree.String(value="#"), tree.Vararg()]:
            return True
    return False


def _package(ctx: Context, node: tree.Call) -> ast.expr | None:
    """`require("msys.core")` as a value: the table that Lua sees."""
    path = ctx.facts.paths.required(node)
    if path is None:
        return None
    found: ast.expr = ctx.globals_table()
    for part in path:
        found = build.subscript(found, build.constant(part))
    return found
