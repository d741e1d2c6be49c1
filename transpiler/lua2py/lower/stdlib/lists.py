"""The table library on tables that are kept as Python's lists: their own methods."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts.contents import is_python_list
from lua2py.lower import build
from lua2py.lower.context import Context


def _on_list(ctx: Context, node: tree.Expr) -> tuple[str, tree.Expr, list[tree.Expr]] | None:
    """The name of the function, the list and the other arguments."""
    if isinstance(node, tree.Call) and node.args and is_python_list(ctx.kind(node.args[0])):
        name = ctx.facts.paths.function(node.function)
        if name is not None and name.startswith("table."):
            return name, node.args[0], node.args[1:]
    return None


def statement(ctx: Context, node: tree.Expr) -> ast.stmt | None:
    """A call as a statement: `insert`, `remove`, `sort`."""
    found = _on_list(ctx, node)
    if found is None:
        return None
    name, table, rest = found
    made = ctx.value(table)
    match name, rest:
        case "table.insert", [value]:
            return _method(made, "append", ctx.value(value))
        case "table.insert", [_, value]:
            return _method(made, "insert", build.constant(0), ctx.value(value))
        case "table.remove", []:
            return _without(made, ast.Slice(lower=build.negative(1)))
        case "table.remove", [_]:
            return _without(made, ast.Slice(upper=build.constant(1)))
        case "table.sort", []:
            return _method(made, "sort")
        case "table.sort", [comparator]:
            key = build.call(ctx.lua("ordered_by"), ctx.value(comparator))
            call = build.call(build.attribute(made, "sort"))
            call.keywords = [ast.keyword(arg="key", value=key)]
            return build.expression(call)
    return None


def joined(ctx: Context, node: tree.Expr) -> ast.expr | None:
    """`table.concat(t, between)`: `between.join(t)`."""
    found = _on_list(ctx, node)
    if found is None or found[0] != "table.concat":
        return None
    _, table, rest = found
    made = ctx.value(table)
    between = ctx.value(rest[0]) if rest else build.constant("")
    return build.call(build.attribute(between, "join"), made)


def _method(made: ast.expr, name: str, *args: ast.expr) -> ast.stmt:
    return build.expression(build.call(build.attribute(made, name), *args))


def _without(made: ast.expr, part: ast.Slice) -> ast.stmt:
    """`del t[:1]`, which like Lua is content with an empty list."""
    return ast.Delete(targets=[ast.Subscript(value=made, slice=part, ctx=ast.Del())])
