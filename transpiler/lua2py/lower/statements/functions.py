"""Functions: signatures, bodies, and where a `def` stands.

A function whose calls are all known takes exactly its parameters; a callout takes what its text names; any other
takes whatever strangers pass. A function without a name becomes a lambda when it is one expression that is called
with known arguments, and a `def` just before its statement otherwise.
"""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.functions import is_multiple
from lua2py.facts.kinds import annotation
from lua2py.facts.store import FunctionFacts
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions.names import global_table
from lua2py.lower.registry import lowers
from lua2py.lower.statements.blocks import block_body
from lua2py.naming import free, python_name
from lua2py.scopes import Symbol


@lowers(tree.Function)
def lower_function(ctx: Context, node: tree.Function) -> ast.expr:
    """A function as a value."""
    known = ctx.facts.functions[node]
    if _is_expression(known):
        return _lambda(ctx, known)
    name = ctx.name_near("callback")
    ctx.prelude.append(definition(ctx, node, name))
    return build.name(name)


def _is_expression(known: FunctionFacts) -> bool:
    node = known.node
    match node.body.body:
        case [tree.Return(values=[value])] if not is_multiple(value) and not isinstance(
            value, tree.Function
        ):
            return known.given == len(node.params) and not node.vararg
    return False


def _lambda(ctx: Context, known: FunctionFacts) -> ast.expr:
    node = known.node
    outer, prelude = ctx.owner, ctx.prelude
    ctx.owner, ctx.prelude = node, []
    returned = node.body.body[0]
    assert isinstance(returned, tree.Return)
    body = ctx.value(returned.values[0])
    needs_statements = bool(ctx.prelude)
    args = _parameters(ctx, known, typed=False)
    ctx.owner, ctx.prelude = outer, prelude
    if needs_statements:
        name = ctx.name_near("callback")
        ctx.prelude.append(definition(ctx, node, name))
        return build.name(name)
    return ast.Lambda(args=args, body=body)


def definition(ctx: Context, node: tree.Function, name: str) -> ast.FunctionDef:
    """`def name(...)` with its body."""
    known = ctx.facts.functions[node]
    args = _parameters(ctx, known)
    outer, prelude, hint = ctx.owner, ctx.prelude, ctx.hint
    ctx.owner, ctx.prelude, ctx.hint = node, [], ""
    body = _declared_outside(ctx, node) + _arg_table(ctx, node)
    body += _loop(ctx, known) if known.again else _once(ctx, known)
    result = ctx.type_text(result_text(known))
    ctx.owner, ctx.prelude, ctx.hint = outer, prelude, hint
    made = ast.FunctionDef(
        name=name,
        args=args,
        body=body or [ast.Pass()],
        decorator_list=[],
        returns=result,
        type_comment=None,
    )
    ctx.functions[made] = node
    return made


def result_text(known: FunctionFacts) -> str:
    """The annotation of a function's results."""
    if known.arity is None:
        return "Any"
    if known.arity == 0:
        return "None"
    texts = ["Any" if kind.soft else annotation(kind) for kind in known.results]
    texts += ["None"] * (known.arity - len(texts))
    if texts == ["None"]:
        return "Any"  # one nil, which `None` would say is no value
    return texts[0] if known.arity == 1 else f"tuple[{', '.join(texts)}]"


def _once(ctx: Context, known: FunctionFacts) -> list[ast.stmt]:
    return block_body(ctx, known.node.body, inner=True) + _last_exit(known)


def _loop(ctx: Context, known: FunctionFacts) -> list[ast.stmt]:
    """The body of a function that returns calls of itself: each is a turn."""
    body = _once(ctx, known)
    if known.falls_off and known.arity == 0:
        body.append(build.returned(None))
    loop = ast.While(test=build.constant(True), body=body, orelse=[])
    ctx.mark_statement(loop, known.node.body.body[0])
    return [loop]


def _last_exit(known: FunctionFacts) -> list[ast.stmt]:
    """What a function returns whose end is reached."""
    if not known.falls_off or known.arity == 0:
        return []
    if known.arity is None:
        return [build.returned(build.tuple_of([]))]
    if known.arity == 1:
        return [build.returned(build.none())]
    return [build.returned(build.tuple_of([build.none() for _ in range(known.arity)]))]


# --- parameters ------------------------------------------------------------------------------------------------


def _parameters(ctx: Context, known: FunctionFacts, typed: bool = True) -> ast.arguments:
    node = known.node
    symbols = [ctx.facts.scopes.of(param) for param in node.params]
    names = [ctx.names.of[symbol] for symbol in symbols]
    arguments = [
        ast.arg(arg=name, annotation=_annotation(ctx, known, place, symbol) if typed else None)
        for place, (name, symbol) in enumerate(zip(names, symbols, strict=True))
    ]
    exact = known.exact or known.callout is not None or known.given == len(names)
    early = _early(ctx, node)
    vararg: ast.arg | None = None
    if node.vararg:
        vararg = ast.arg(arg="varargs", annotation=ctx.type_text("Any") if typed else None)
    elif not exact:
        taken = {*names, *(ctx.names.of[symbol] for symbol in early), *ctx.names.taken[node]}
        rest = "_" if "_" not in taken else free("_rest", taken)
        vararg = ast.arg(arg=rest, annotation=ctx.type_text("Any") if typed else None)
    return ast.arguments(
        posonlyargs=[],
        args=arguments,
        vararg=vararg,
        kwonlyargs=[
            ast.arg(
                arg=ctx.names.of[symbol],
                annotation=_early_type(ctx, symbol) if typed else None,
            )
            for symbol in early
        ],
        kw_defaults=[build.name(ctx.names.of[symbol]) for symbol in early],
        kwarg=None,
        defaults=[build.none() for _ in range(len(names) - _required(known))],
    )


def _early(ctx: Context, node: tree.Function) -> list[Symbol]:
    """Outer locals of which each turn of a loop has its own: their values at this moment are what the function sees."""
    owner = ctx.facts.scopes.parents[node]
    found = [
        symbol
        for symbol in ctx.facts.scopes.free[node]
        if symbol.owner is owner and (ctx.names.bound_early(symbol) or symbol in ctx.names.boxed)
    ]
    return sorted(
        found, key=lambda symbol: symbol.declaration.span.start if symbol.declaration else 0
    )


def _early_type(ctx: Context, symbol: Symbol) -> ast.expr:
    if symbol in ctx.names.boxed:
        return ctx.type_text("list[Any]")
    return ctx.annotation(ctx.facts.symbol_kind(symbol))


def _required(known: FunctionFacts) -> int:
    """How many parameters have no default."""
    if known.is_seen and known.symbol is not None:
        return known.fewest
    if known.callout is not None:
        return min(len(known.node.params), len(known.callout.arguments) + 1)
    if known.given == len(known.node.params):
        return known.given
    return 0


def _annotation(ctx: Context, known: FunctionFacts, place: int, symbol: Symbol) -> ast.expr:
    if known.callout is not None and place == 0:
        return ctx.type_text("msys.Session")
    kind = ctx.facts.kind(known.node.params[place])
    if symbol.writes:
        kind = ctx.facts.symbol_kind(symbol)
    if place >= _required(known) and annotation(kind) != "Any":
        kind |= kinds.NIL
    return ctx.annotation(kind)


def _declared_outside(ctx: Context, node: tree.Function) -> list[ast.stmt]:
    """`global` and `nonlocal` for the outer names that a function assigns."""
    module: set[str] = set()
    enclosing: set[str] = set()
    for symbol in ctx.facts.scopes.written.get(node, ()):
        if symbol.owner is node or symbol in ctx.names.boxed:
            continue
        if symbol.is_global and symbol not in ctx.facts.private:
            continue
        (module if ctx.names.is_module_level(symbol) else enclosing).add(ctx.names.of[symbol])
    found: list[ast.stmt] = []
    if module:
        found.append(ast.Global(names=sorted(module)))
    if enclosing:
        found.append(ast.Nonlocal(names=sorted(enclosing)))
    return found


def _arg_table(ctx: Context, node: tree.Function) -> list[ast.stmt]:
    """The `arg` table of Lua 5.0, which 5.1 still makes for a vararg function that doesn't use `...`; else nil."""
    found = ctx.facts.arg_symbols.get(node)
    if found is None:
        return []
    name = ctx.names.of[found]
    if node in ctx.facts.scopes.spreading:
        return [build.assign(build.stored(name), build.none())]
    table = build.call(
        ctx.lua("table_of"),
        ast.List(
            elts=[
                build.tuple_of(
                    [build.constant("n"), build.call(build.name("len"), build.name("varargs"))]
                )
            ],
            ctx=build.LOAD,
        ),
        build.starred(build.name("varargs")),
    )
    return [build.assign(build.stored(name), table)]


# --- statements that define ----------------------------------------------------------------------------------------


@lowers(tree.LocalFunction)
def lower_local_function(ctx: Context, node: tree.LocalFunction) -> list[ast.stmt]:
    return bind_local(ctx, ctx.facts.scopes.of(node.name), node.function, declared=True)


def bind_local(
    ctx: Context, symbol: Symbol, function: tree.Function, declared: bool
) -> list[ast.stmt]:
    """A function that becomes the value of a local or a private global."""
    name = ctx.names.of[symbol]
    if symbol in ctx.names.boxed:
        return _bind_boxed(ctx, symbol, function, declared)
    if ctx.facts.functions[function].symbol is symbol:
        return [definition(ctx, function, name)]
    made = definition(ctx, function, ctx.fresh(name))
    return [made, build.assign(build.stored(name), build.name(made.name))]


def _bind_boxed(
    ctx: Context, symbol: Symbol, function: tree.Function, declared: bool
) -> list[ast.stmt]:
    name = ctx.names.of[symbol]
    found: list[ast.stmt] = []
    if declared:
        empty = ast.List(elts=[build.none()], ctx=build.LOAD)
        kind = ctx.type_text("list[Any]")
        found.append(
            ast.AnnAssign(target=build.stored(name), annotation=kind, value=empty, simple=1)
        )
        if name in ctx.annotated.setdefault(ctx.owner, set()):
            found = [build.assign(build.stored(name), empty)]
        ctx.annotated[ctx.owner].add(name)
    made = definition(ctx, function, ctx.fresh(python_name(function.name or name)))
    place = build.subscript(build.name(name), build.constant(0))
    return [*found, made, build.assign(place, build.name(made.name))]


@lowers(tree.FunctionStat)
def lower_function_statement(ctx: Context, node: tree.FunctionStat) -> list[ast.stmt]:
    return assign_function(ctx, node.target, node.function)


def assign_function(ctx: Context, target: tree.Expr, function: tree.Function) -> list[ast.stmt]:
    """`function target() end`, and `target = function() end` which means the same."""
    from lua2py.lower.statements.assign import store

    if isinstance(target, tree.Name):
        symbol = ctx.facts.scopes.of(target)
        if not symbol.is_global or symbol in ctx.facts.private:
            return bind_local(ctx, symbol, function, declared=target in ctx.facts.first_writes)
        made = definition(ctx, function, ctx.fresh(python_name(target.id)))
        place = build.subscript(global_table(ctx, target), build.constant(target.id))
        return [made, build.assign(place, build.name(made.name))]
    wanted = "method"
    if (
        isinstance(target, tree.Index)
        and isinstance(target.key, tree.String)
        and target.key.value.isidentifier()
    ):
        wanted = python_name(target.key.value)
    made = definition(ctx, function, ctx.fresh(wanted))
    return [made, *store(ctx, target, build.name(made.name), kinds.FUNCTION, function)]
