"""Calls: of documented functions, of functions of this file, of methods, and of whatever a value turns out to be.

A `Made` is a call with what is known of its results; the functions below it cut or spread them as the place wants.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from lua2py import tree
from lua2py.facts import catalogue, kinds, library
from lua2py.facts.functions import given_count, is_multiple
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions.index import present
from lua2py.lower.expressions.literals import text
from lua2py.lower.expressions.names import documented, hidden_by_module, none_told
from lua2py.lower.registry import lowers


@dataclass(frozen=True, slots=True)
class Made:
    """A call in Python. count: how many results it gives, None when only the run can tell.

    everything: all results as a tuple or a list of values, where that is spelled differently.
    """

    value: ast.expr
    count: int | None
    everything: list[ast.expr] | None = None


@lowers(tree.Call)
@lowers(tree.Invoke)
def lower_call(ctx: Context, node: tree.Call | tree.Invoke) -> ast.expr:
    """A call cut to its first result."""
    special = _as_value(ctx, node)
    if special is not None:
        return special
    made = make(ctx, node)
    if made.count == 1:
        return made.value
    if made.count:
        return build.subscript(made.value, build.constant(0))
    if made.count == 0:
        return build.call(ctx.lua("first"), _through(ctx, node, "call", made.value))
    return build.call(ctx.lua("first"), made.value)


def all_values(ctx: Context, node: tree.Call | tree.Invoke) -> list[ast.expr]:
    """All results of a call, as arguments or elements."""
    made = make(ctx, node, spread=True)
    if made.everything is not None:
        return made.everything
    if made.count == 1:
        return [made.value]
    return [build.starred(made.value)]


def several_values(
    ctx: Context, node: tree.Call | tree.Invoke, wanted: int
) -> list[ast.expr] | ast.expr:
    """Exactly `wanted` (two or more) results of a call."""
    from lua2py.lower.stdlib import patterns

    special = patterns.several(ctx, node, wanted)
    if special is not None:
        return special
    made = make(ctx, node)
    if made.count == wanted:
        return made.value
    if made.count == 1:
        return [made.value, *(build.none() for _ in range(wanted - 1))]
    if made.count is not None and made.count > wanted:
        return build.subscript(
            made.value, ast.Slice(lower=None, upper=build.constant(wanted), step=None)
        )
    if made.count:
        missing: list[ast.expr] = [build.none() for _ in range(wanted - made.count)]
        return build.tuple_of([build.starred(made.value), *missing])
    return build.call(ctx.lua("adjust"), made.value, build.constant(wanted))


def returned_value(ctx: Context, node: tree.Call | tree.Invoke) -> ast.expr:
    """What `return f(x)` returns: the results as they come."""
    made = make(ctx, node)
    if made.count is not None and made.count > 0:
        return made.value
    if isinstance(node, tree.Call):
        name = ctx.facts.paths.function(node.function)
        if made.count is None and (name in library.FUNCTIONS or ctx.facts.callee(node) is not None):
            return made.value
        return _through(ctx, node, "forward", made.value)
    spread = make(ctx, node, spread=True)
    match spread.everything:
        case [ast.Starred(value=everything)]:
            return build.call(ctx.lua("pack"), everything)
    return made.value


def make(ctx: Context, node: tree.Call | tree.Invoke, spread: bool = False) -> Made:
    """The call itself. spread: all its results are wanted, whatever their number."""
    from lua2py.lower.stdlib import strings

    part = strings.sliced(ctx, node)
    if part is not None:
        return Made(part, 1)
    return _invoke(ctx, node, spread) if isinstance(node, tree.Invoke) else _call(ctx, node, spread)


# --- plain calls -----------------------------------------------------------------------------------------------


def _call(ctx: Context, node: tree.Call, spread: bool) -> Made:
    from lua2py.lower.stdlib import base, patterns

    name = ctx.facts.paths.function(node.function)
    if name is not None and not hidden_by_module(ctx, node.function):
        special = base.special_call(ctx, name, node, spread) or patterns.special_call(
            ctx, name, node, spread
        )
        if special is not None:
            return special
        function = documented(ctx, node.function)
        if function is not None:
            return _documented(ctx, node, name, function, node.args, spread)
    known = ctx.facts.callee(node)
    if known is not None and known.closed:
        return _own(ctx, node, known.arity, spread)
    function = present(ctx, node.function, "call")
    arguments = _arguments(ctx, node.args)
    what = ctx.describe(node.function)
    if spread:
        return Made(
            build.none(), None, [build.starred(_call_helper(ctx, node, function, arguments, what))]
        )
    count = known.arity if known is not None else None
    if build.is_literal(
        function
    ):  # an error when it runs; written as a call, Python would warn of it
        made = _call_helper(ctx, node, function, arguments, what)
        return Made(build.call(ctx.lua("first"), made), 1)
    return Made(ctx.mark(build.call(function, *arguments), node, what), count)


def _call_helper(
    ctx: Context, node: tree.Expr, function: ast.expr, arguments: list[ast.expr], what: str
) -> ast.expr:
    return ctx.mark(build.call(ctx.lua("call"), function, *arguments), node, what)


def _own(ctx: Context, node: tree.Call, arity: int | None, spread: bool) -> Made:
    """A call of a function of this file, of which every call is known."""
    function = ctx.value(node.function)
    known = ctx.facts.callee(node)
    width = len(known.node.params) if known and known.exact else None
    arguments = _arguments(ctx, node.args, width)
    what = ctx.describe(node.function)
    if spread and (arity is None or arity == 0):
        return Made(
            build.none(), None, [build.starred(_call_helper(ctx, node, function, arguments, what))]
        )
    return Made(ctx.mark(build.call(function, *arguments), node, what), arity)


def _documented(
    ctx: Context,
    node: tree.Expr,
    name: str,
    function: ast.expr,
    args: list[tree.Expr],
    spread: bool,
    what: str = "",
) -> Made:
    """A call of a library or catalogue function."""
    if name in library.FUNCTIONS:
        found = library.FUNCTIONS[name]
        count = None if found.results is None else len(found.results)
        most = library.MOST.get(name)
    else:
        results = catalogue.function_results(name, given_count(args))
        count = None if results is None else len(results)
        rows = catalogue.functions().get(name)
        most = catalogue.most_arguments(rows) if rows else None
    arguments = _arguments(ctx, args, most)
    if spread and name in library.NONE_TOLD and isinstance(node, tree.Call):
        told = none_told(ctx, node.function) or function
        made = ctx.mark(build.call(told, *arguments), node, what)
        return Made(made, None, [build.starred(build.call(ctx.lua("values"), made))])
    made = ctx.mark(build.call(function, *arguments), node, what)
    return _documented_result(ctx, node, name, made, count, spread)


def _documented_result(
    ctx: Context, node: tree.Expr, name: str, made: ast.expr, count: int | None, spread: bool
) -> Made:
    if name in ("pcall", "xpcall"):
        return Made(made, None, [build.starred(made)])
    if count is None and spread:
        return Made(made, None, [build.starred(build.call(ctx.lua("values"), made))])
    if count == 0 and spread:
        return Made(made, 0, [build.starred(_through(ctx, node, "call", made))])
    return Made(made, count)


def _arguments(ctx: Context, nodes: list[tree.Expr], most: int | None = None) -> list[ast.expr]:
    """What is passed; what a function of `most` parameters would ignore is left out."""
    from lua2py.lower.expressions.lists import listed

    if (
        most is not None
        and len(nodes) > most
        and all(ctx.is_harmless(node) for node in nodes[most:])
    ):
        nodes = nodes[:most]
        return [ctx.value(node) for node in nodes]
    if most is not None and nodes and is_multiple(nodes[-1]) and len(nodes) >= most:
        return [ctx.value(node) for node in nodes]
    arguments = listed(ctx, nodes)
    if most is not None and arguments and isinstance(arguments[-1], ast.Starred):
        room = most - len(arguments) + 1
        inner = arguments[-1].value
        if not _has_count(inner, room):
            upper = ast.Slice(lower=None, upper=build.constant(room), step=None)
            arguments[-1] = build.starred(build.subscript(inner, upper))
    return arguments


def _has_count(value: ast.expr, room: int) -> bool:
    """Whether what is spread is a tuple written out that fits."""
    return isinstance(value, ast.Tuple) and len(value.elts) <= room


def _through(ctx: Context, node: tree.Expr, helper: str, made: ast.expr) -> ast.expr:
    """`f(x)` as `call(f, x)`, or by another helper that calls."""
    assert isinstance(made, ast.Call)
    what = ctx.origins[made].what if made in ctx.origins else ""
    return ctx.mark(build.call(ctx.lua(helper), made.func, *made.args), node, what)


def _as_value(ctx: Context, node: tree.Expr) -> ast.expr | None:
    """Calls that mean something else when one value is wanted."""
    from lua2py.lower.stdlib import base, patterns

    if isinstance(node, tree.Call):
        return base.as_value(ctx, node) or patterns.as_value(ctx, node)
    return patterns.as_value(ctx, node)


# --- methods -----------------------------------------------------------------------------------------------------


def _invoke(ctx: Context, node: tree.Invoke, spread: bool) -> Made:
    from lua2py.lower.stdlib import patterns

    receiver = ctx.kind(node.object)
    if receiver.within(kinds.STRING) and f"string.{node.name}" in library.FUNCTIONS:
        if ("string", node.name) not in ctx.facts.paths.written:
            return patterns.special_method(ctx, node, spread) or _string_method(ctx, node, spread)
    rows = catalogue.methods().get((receiver.userdata_class, node.name))
    if rows is not None:
        return _documented_method(ctx, node, spread)
    arguments = _arguments(ctx, node.args)
    what = f"method '{node.name}'"
    if receiver.within(kinds.TABLE) and isinstance(node.object, tree.Name) and not spread:
        table, again = ctx.value(node.object), ctx.value(node.object)
        function = build.subscript(table, text(ctx, node.name))
        return Made(ctx.mark(build.call(function, again, *arguments), node, what), None)
    object_ = ctx.value(node.object)
    passed = [object_, text(ctx, node.name), *arguments]
    whats = [ctx.describe(node.object), what]  # a missing method is named by the helper itself
    if spread:
        made = ctx.mark(build.call(ctx.lua("call_method"), *passed), node, whats)
        return Made(build.none(), None, [build.starred(made)])
    return Made(ctx.mark(build.call(ctx.lua("invoke"), *passed), node, whats), None)


def _string_method(ctx: Context, node: tree.Invoke, spread: bool) -> Made:
    """`s:upper()` of a proven string."""
    name = f"string.{node.name}"
    function = build.attribute(ctx.lua("string"), node.name)
    what = f"method '{node.name}'"
    return _documented(ctx, node, name, function, [node.object, *node.args], spread, what)


def _documented_method(ctx: Context, node: tree.Invoke, spread: bool) -> Made:
    """A method of userdata whose class is known: Python's own method call."""
    receiver = ctx.kind(node.object)
    results = catalogue.method_results(receiver.userdata_class, node.name, given_count(node.args))
    most = catalogue.most_arguments(catalogue.methods()[receiver.userdata_class, node.name])
    function = ctx.mark(
        build.attribute(present(ctx, node.object), node.name),
        node.object,
        ctx.describe(node.object),
    )
    made = ctx.mark(
        build.call(function, *_arguments(ctx, node.args, most)), node, f"method '{node.name}'"
    )
    count = None if results is None else len(results)
    return _documented_result(ctx, node, "", made, count, spread)
