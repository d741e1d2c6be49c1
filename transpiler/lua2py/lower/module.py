"""A whole chunk as the body of a Python module.

The main block becomes module-level code. A chunk that uses `...`, or returns anywhere but at its end, becomes a
function `chunk`, which the module calls with `ARGS`; either way what the chunk returns is in `RESULT`.
"""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts.flow import returns_of
from lua2py.facts.kinds import NIL, annotation
from lua2py.facts.store import Facts
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.names import Names
from lua2py.lower.statements.blocks import block_body
from lua2py.walk import children


def lower_chunk(facts: Facts, std: str) -> tuple[Context, list[ast.stmt]]:
    """The statements of the module, imports and header apart."""
    chunk = facts.scopes.chunk
    as_function = needs_function(chunk)
    ctx = Context(facts, Names(facts, as_function), std)
    body = block_body(ctx, chunk.body, inner=True)
    if as_function:
        body = _as_function(ctx, body)
    head = [*_constants(ctx), *_globals(ctx)]
    if head and body:
        ctx.first_statement = body[0]
    return ctx, [*head, *body]


def needs_function(chunk: tree.Chunk) -> bool:
    """Whether the main block does what only a function can do."""
    whole = tree.Function(chunk.span, [], True, chunk.body)
    returns = returns_of(whole)
    if any(node is not chunk.body.body[-1] for node in returns):
        return True
    stack: list[tree.Node] = [chunk.body]
    while stack:
        node = stack.pop()
        if isinstance(node, tree.Vararg):
            return True
        if not isinstance(node, tree.Function):
            stack += children(node)
    return False


def _as_function(ctx: Context, body: list[ast.stmt]) -> list[ast.stmt]:
    chunk = ctx.facts.scopes.chunk
    assigned = {
        ctx.names.of[symbol]
        for symbol in ctx.facts.private
        if any(ctx.facts.scopes.owner_of[write] is chunk for write in symbol.writes)
    }
    head: list[ast.stmt] = [ast.Global(names=sorted(assigned))] if assigned else []
    if not body or not isinstance(body[-1], ast.Return):
        body = [*body, build.returned(build.tuple_of([]))]
    args = ast.arguments(
        posonlyargs=[],
        args=[],
        vararg=ast.arg(arg="varargs", annotation=ctx.type_text("Any")),
        kwonlyargs=[],
        kw_defaults=[],
        kwarg=None,
        defaults=[],
    )
    made = ast.FunctionDef(
        name="chunk",
        args=args,
        body=head + body,
        decorator_list=[],
        returns=ctx.type_text("Any"),
        type_comment=None,
    )
    arguments = ast.AnnAssign(
        target=build.stored("ARGS"),
        annotation=ctx.type_text("tuple[Any, ...]"),
        value=None,
        simple=1,
    )
    ctx.layout.before[arguments] = ["# Set by whoever runs this module."]
    run = build.assign(
        build.stored("RESULT"), build.call(build.name("chunk"), build.starred(build.name("ARGS")))
    )
    ctx.layout.blank[arguments] = 2
    return [made, arguments, run]


def _constants(ctx: Context) -> list[ast.stmt]:
    """`G`, and the hoisted patterns."""
    found: list[ast.stmt] = []
    if ctx.uses_globals:
        ctx.imports.add("environment")
        found.append(
            build.assign(
                build.stored("G"), build.attribute(build.call(build.name("environment")), "globals")
            )
        )
    for pattern, name in ctx.patterns.items():
        ctx.imports.add("Pattern")
        found.append(
            build.assign(
                build.stored(name), build.call(build.name("Pattern"), build.constant(pattern))
            )
        )
    if found:
        ctx.layout.blank[found[0]] = 1
    return found


def _globals(ctx: Context) -> list[ast.stmt]:
    """Private globals that may be read before they are assigned: nil until then, as in Lua."""
    found: list[ast.stmt] = []
    facts = ctx.facts
    for _, symbol in sorted(facts.scopes.globals.items()):
        if symbol not in facts.private or symbol in facts.early or symbol in facts.by_symbol:
            continue
        kind = ctx.type_text(annotation(facts.symbol_kind(symbol) | NIL))
        found.append(
            ast.AnnAssign(
                target=build.stored(ctx.names.of[symbol]),
                annotation=kind,
                value=build.none(),
                simple=1,
            )
        )
    return found
