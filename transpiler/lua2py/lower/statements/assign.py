"""`local` and assignment.

Lua computes every expression before it stores anything, and stores from right to left. Python does the same with
tuples as long as no target's own parts are changed on the way; otherwise they are computed first.
"""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.contents import is_python_list
from lua2py.facts.functions import is_multiple
from lua2py.facts.kinds import Kind, annotation
from lua2py.lower import build
from lua2py.lower.context import Context, Origin
from lua2py.lower.expressions.arithmetic import NATIVE, is_native
from lua2py.lower.expressions.concat import appended
from lua2py.lower.expressions.index import is_field, present, reads_natively, stores_natively
from lua2py.lower.expressions.lists import exactly
from lua2py.lower.expressions.names import global_table
from lua2py.lower.expressions.names import local as local_value
from lua2py.lower.registry import lowers
from lua2py.lower.statements.functions import assign_function, bind_local
from lua2py.scopes import Symbol
from lua2py.walk import nodes


@lowers(tree.Local)
def lower_local(ctx: Context, node: tree.Local) -> list[ast.stmt]:
    symbols = [ctx.facts.scopes.of(param) for param in node.names]
    if not node.values:
        kept = [s for s in symbols if s not in ctx.facts.dropped and s not in ctx.facts.by_symbol]
        found: list[ast.stmt] = []
        for symbol in kept:
            found += declare(ctx, symbol, build.none())
        return found
    if len(symbols) == 1 and len(node.values) == 1:
        return _one_local(ctx, symbols[0], node.values[0])
    if all(symbol in ctx.facts.paths.aliases for symbol in symbols) and len(symbols) == len(
        node.values
    ):
        return [
            statement
            for symbol, value in zip(symbols, node.values, strict=True)
            for statement in _one_local(ctx, symbol, value)
        ]
    names = "_".join(symbol.name for symbol in symbols)
    ctx.hint = names if len(names) > 2 * len(symbols) else ""  # `user_domain`, not `a_b_c_d`
    values = exactly(ctx, node.values, len(symbols))
    ctx.hint = ""
    return declare_all(ctx, symbols, values)


def _one_local(ctx: Context, symbol: Symbol, value: tree.Expr) -> list[ast.stmt]:
    if isinstance(value, tree.Function) and ctx.facts.functions[value].symbol is symbol:
        return bind_local(ctx, symbol, value, declared=True)
    path = ctx.facts.paths.aliases.get(symbol)
    if path is not None:
        return _alias(ctx, symbol, path, value)
    ctx.hint = symbol.name
    values = exactly(ctx, [value], 1)
    ctx.hint = ""
    assert isinstance(values, list)
    fallback = _fallback(values[0])
    if fallback is None or symbol in ctx.names.boxed or not _keeps_type(ctx, value):
        return declare(ctx, symbol, values[0])
    first, absent, second = fallback
    name = ctx.python_name(symbol)
    for part in ast.walk(absent):
        if isinstance(part, ast.Name):
            part.id = name
    filled = build.assign(build.stored(name), second)
    return [*declare(ctx, symbol, first), ast.If(test=absent, body=[filled], orelse=[])]


def _keeps_type(ctx: Context, value: tree.Expr) -> bool:
    """Whether the type checker takes the right side of an `or` for what the left side may be."""
    if not isinstance(value, tree.Binary):
        return False
    left, right = ctx.kind(value.left), ctx.kind(value.right)
    return right.within(left) or left.soft or annotation(left) == "Any"


def _fallback(value: ast.expr) -> tuple[ast.expr, ast.expr, ast.expr] | None:
    """`v if (v := first) is not None else second` as the parts of two statements: the first value, the test that
    there is none, and the second value.
    """
    match value:
        case ast.IfExp(
            test=ast.Compare(
                left=ast.NamedExpr(target=named, value=first), ops=ops, comparators=[none]
            ),
            body=ast.Name(id=kept),
            orelse=second,
        ) if kept == named.id:
            test = ast.Compare(build.name(kept), ops, [none])
            return first, build.negated(test), second
        case ast.IfExp(
            test=ast.BoolOp(
                op=ast.And(),
                values=[
                    ast.Compare(
                        left=ast.NamedExpr(target=named, value=first), ops=ops, comparators=[none]
                    ),
                    ast.Compare() as other,
                ],
            ),
            body=ast.Name(id=kept),
            orelse=second,
        ) if kept == named.id:
            both = build.both(ast.And(), ast.Compare(build.name(kept), ops, [none]), other)
            return first, build.negated(both), second
    return None


def _alias(ctx: Context, symbol: Symbol, path: tuple[str, ...], value: tree.Expr) -> list[ast.stmt]:
    """A local that is another name for a package or a function of one."""
    from lua2py.lower.expressions.names import below, documented, spelled

    if symbol in ctx.names.imported:
        return []
    name = ctx.python_name(symbol)
    if not ctx.facts.paths.is_package(path):
        known = documented(ctx, value)
        return declare(ctx, symbol, known if known is not None else ctx.value(value))
    made = spelled(ctx, path) if isinstance(value, tree.Call) else below(ctx, value, path)
    return [build.assign(build.stored(name), made)]


def declare(ctx: Context, symbol: Symbol, value: ast.expr) -> list[ast.stmt]:
    """A new local with its first value."""
    name = ctx.python_name(symbol)
    if symbol in ctx.names.boxed:
        box = ast.List(elts=[value], ctx=build.LOAD)
        return [_annotated(ctx, name, "list[Any]", box)]
    if ctx.names.needs_annotation(symbol):
        return [_annotated(ctx, name, annotation(ctx.facts.symbol_kind(symbol)), value)]
    return [build.assign(build.stored(name), value)]


def _annotated(ctx: Context, name: str, kind: str, value: ast.expr) -> ast.stmt:
    """An assignment that says the type, the first time in each function."""
    seen = ctx.annotated.setdefault(ctx.owner, set())
    if name in seen:
        return build.assign(build.stored(name), value)
    seen.add(name)
    return ast.AnnAssign(
        target=build.stored(name), annotation=ctx.type_text(kind), value=value, simple=1
    )


def declare_all(
    ctx: Context, symbols: list[Symbol], values: list[ast.expr] | ast.expr
) -> list[ast.stmt]:
    """Several new locals at once."""
    found: list[ast.stmt] = []
    elements: list[ast.expr] = []
    boxes: list[ast.stmt] = []
    for symbol in symbols:
        name = ctx.python_name(symbol)
        if symbol in ctx.names.boxed:
            plain = ctx.fresh(f"{name}_value")
            elements.append(build.stored(plain))
            boxes += declare(ctx, symbol, build.name(plain))
            continue
        if ctx.names.needs_annotation(symbol) and name not in ctx.annotated.setdefault(
            ctx.owner, set()
        ):
            kind = ctx.type_text(annotation(ctx.facts.symbol_kind(symbol)))
            found.append(
                ast.AnnAssign(target=build.stored(name), annotation=kind, value=None, simple=1)
            )
            ctx.annotated[ctx.owner].add(name)
        elements.append(build.stored(name))
    value = build.tuple_of(values) if isinstance(values, list) else values
    found.append(build.assign(build.targets(elements), value))
    return found + boxes


# --- assignment ----------------------------------------------------------------------------------------------------


@lowers(tree.Assign)
def lower_assign(ctx: Context, node: tree.Assign) -> list[ast.stmt]:
    if len(node.targets) == 1 and len(node.values) == 1:
        return _assign_one(ctx, node.targets[0], node.values[0])
    return _assign_several(ctx, node)


def _assign_one(ctx: Context, target: tree.Expr, value: tree.Expr) -> list[ast.stmt]:
    if isinstance(target, tree.Index) and is_python_list(ctx.kind(target.object)):
        append = build.attribute(ctx.value(target.object), "append")
        return [build.expression(ctx.mark(build.call(append, _single(ctx, value)), target))]
    if isinstance(value, tree.Function):
        return assign_function(ctx, target, value)
    augmented = _augmented(ctx, target, value)
    if augmented is not None:
        return [augmented]
    ctx.hint = _hint(target)
    if isinstance(target, tree.Index) and _is_computed_first(ctx, target, value):
        # Lua computes the table and the key before the value.
        place = _fixed(ctx, target, set())
        lowered = _single(ctx, value)
        ctx.hint = ""
        return place(lowered, ctx.kind(value))
    lowered = _single(ctx, value)
    ctx.hint = ""
    return store(ctx, target, lowered, ctx.kind(value), value)


def _augmented(ctx: Context, target: tree.Expr, value: tree.Expr) -> ast.stmt | None:
    """`n = n + 1` as `n += 1`, where both sides of the operator are Python's own."""
    if not isinstance(value, tree.Binary) or not _same(target, value.left):
        return None
    if not _is_one_place(ctx, target, value):
        return None
    place = _target(ctx, target)
    assert isinstance(place, ast.Name | ast.Subscript)
    if value.op == ".." and ctx.kind(value.left).within(kinds.STRING):
        rest = appended(ctx, value)
        if rest is None:
            return None
        made = ast.AugAssign(target=place, op=ast.Add(), value=rest)
    elif value.op in NATIVE and is_native(ctx, value):
        made = ast.AugAssign(target=place, op=NATIVE[value.op](), value=ctx.value(value.right))
    else:
        return None
    ctx.origins[made] = Origin(value.span, [ctx.describe(value.left), ctx.describe(value.right)])
    return made


def _is_one_place(ctx: Context, target: tree.Expr, value: tree.Binary) -> bool:
    """Whether the place that is read is the place that is stored into, and is both by Python's own means."""
    if isinstance(target, tree.Name):
        symbol = ctx.facts.scopes.of(target)
        return not symbol.is_global or symbol in ctx.facts.private
    if not isinstance(target, tree.Index) or is_field(ctx, target):
        return False
    if not isinstance(target.object, tree.Name) or not ctx.kind(target.object).within(kinds.TABLE):
        return False
    keyed = isinstance(target.key, tree.String | tree.Name)
    harmless = keyed and ctx.is_harmless(value.right) and ctx.is_harmless(target.object)
    return (
        harmless
        and stores_natively(ctx, target, ctx.kind(value))
        and reads_natively(ctx.kind(target.object), target.key, ctx.kind(target.key))
    )


def _single(ctx: Context, value: tree.Expr) -> ast.expr:
    values = exactly(ctx, [value], 1)
    assert isinstance(values, list)
    return values[0]


def _hint(target: tree.Expr) -> str:
    match target:
        case tree.Name(id=name):
            return name
        case tree.Index(key=tree.String(value=key)):
            return key
    return ""


def _is_computed_first(ctx: Context, target: tree.Index, value: tree.Expr) -> bool:
    """Whether it can be seen that the parts of a target are computed before the value, which may also fail."""
    if _steady(ctx, target):
        return False
    simple = isinstance(value, tree.Name | tree.String | tree.Number | tree.Boolean | tree.Nil)
    return not ctx.is_harmless(value) or not simple and not ctx.is_harmless(target)


def _steady(ctx: Context, target: tree.Index) -> bool:
    """Whether the parts of a target mean the same before and after any call.

    A local of the function itself counts: Lua keeps it where it is, and looks when it stores.
    """
    return _is_settled(ctx, target.object) and _is_settled(ctx, target.key)


def _is_settled(ctx: Context, node: tree.Expr) -> bool:
    if isinstance(node, tree.Index):
        return False
    if isinstance(node, tree.Name):
        symbol = ctx.facts.scopes.of(node)
        if symbol.is_global:
            return ctx.facts.paths.of(node) is not None
        return symbol.owner is ctx.owner or not symbol.writes
    return ctx.is_constant(node)


def store(
    ctx: Context, target: tree.Expr, value: ast.expr, kind: Kind, source: tree.Expr
) -> list[ast.stmt]:
    """`target = value`."""
    if isinstance(target, tree.Name):
        return [_store_name(ctx, target, value)]
    assert isinstance(target, tree.Index)
    what = ctx.describe(target.object)
    if isinstance(source, tree.Nil):
        return [build.expression(_remove(ctx, target, what))]
    if is_field(ctx, target) and isinstance(target.key, tree.String):
        attribute = build.attribute(present(ctx, target.object), target.key.value)
        return [build.assign(ctx.mark(attribute, target, what), value)]
    if stores_natively(ctx, target, kind):
        place = build.subscript(present(ctx, target.object), ctx.value(target.key))
        return [build.assign(ctx.mark(place, target, what), value)]
    made = build.call(ctx.lua("setindex"), ctx.value(target.object), ctx.value(target.key), value)
    return [build.expression(ctx.mark(made, target, what))]


def _store_name(ctx: Context, target: tree.Name, value: ast.expr) -> ast.stmt:
    symbol = ctx.facts.scopes.of(target)
    if symbol.is_global and symbol not in ctx.facts.private:
        return build.assign(
            build.subscript(global_table(ctx, target), build.constant(target.id)), value
        )
    if target in ctx.facts.first_writes:
        [made] = declare(ctx, symbol, value)
        return made
    return build.assign(_place(ctx, symbol), value)


def _place(ctx: Context, symbol: Symbol) -> ast.expr:
    found = local_value(ctx, symbol)
    return build.stored(found.id) if isinstance(found, ast.Name) else found


def _remove(ctx: Context, target: tree.Index, what: str) -> ast.expr:
    """`t[k] = nil`."""
    table = ctx.kind(target.object).within(kinds.TABLE) and not ctx.facts.mentions("__newindex")
    if table and ctx.kind(target.key).within(kinds.STRING | kinds.WHOLE):
        function = build.attribute(ctx.value(target.object), "pop")
        return ctx.mark(build.call(function, ctx.value(target.key), build.none()), target, what)
    made = build.call(
        ctx.lua("setindex"), ctx.value(target.object), ctx.value(target.key), build.none()
    )
    return ctx.mark(made, target, what)


def _assign_several(ctx: Context, node: tree.Assign) -> list[ast.stmt]:
    given = _kinds(ctx, node)
    if _independent(ctx, node, given):
        values = exactly(ctx, node.values, len(node.targets))
        if isinstance(values, list) and len(values) == 1:
            return store(ctx, node.targets[0], values[0], given[0], node.values[0])
        elements = [_target(ctx, target) for target in node.targets]
        value = build.tuple_of(values) if isinstance(values, list) else values
        return [build.assign(build.targets(elements), value)]
    assigned = {target.id for target in node.targets if isinstance(target, tree.Name)}
    places = [_fixed(ctx, target, assigned) for target in node.targets]
    values = exactly(ctx, node.values, len(node.targets))
    if isinstance(values, list):
        values = build.tuple_of(values)
    names = [
        ctx.fresh(_hint(target) + "_value" if _hint(target) else "value") for target in node.targets
    ]
    found: list[ast.stmt] = [
        build.assign(build.targets([build.stored(name) for name in names]), values)
    ]
    for place, name, kind in reversed(list(zip(places, names, given, strict=True))):
        found += place(build.name(name), kind)
    return found


def _kinds(ctx: Context, node: tree.Assign) -> list[Kind]:
    """What each target gets, as far as it is known."""
    given = [ctx.kind(value) for value in node.values]
    if node.values and is_multiple(node.values[-1]):
        given[-1:] = [kinds.ANY] * (len(node.targets) - len(given) + 1)
    return (given + [kinds.NIL] * len(node.targets))[: len(node.targets)]


def _independent(ctx: Context, node: tree.Assign, given: list[Kind]) -> bool:
    """Whether Python's own order of storing gives what Lua's gives."""
    names = [target.id for target in node.targets if isinstance(target, tree.Name)]
    if len(set(names)) != len(names) or any(
        target in ctx.facts.first_writes for target in node.targets
    ):
        return False
    indexes = [target for target in node.targets if isinstance(target, tree.Index)]
    if len(indexes) > 1 and not _distinct(ctx, indexes) and not _is_swap(node):
        return False
    for target, kind in zip(node.targets, given, strict=True):
        if isinstance(target, tree.Index):
            if not stores_natively(ctx, target, kind):
                return False
            parts = [part for part in nodes(target) if isinstance(part, tree.Name)]
            if any(part.id in names for part in parts):
                return False
            if not all(
                isinstance(part, tree.Index | tree.Name | tree.String | tree.Number)
                for part in nodes(target)
            ):
                return False
            if target is not indexes[0] and isinstance(target.object, tree.Index):
                return False
        else:
            assert isinstance(target, tree.Name)
    return True


def _distinct(ctx: Context, targets: list[tree.Index]) -> bool:
    """Whether no two of the places can be one: Lua stores from right to left, Python from left to right."""
    keys = [
        target.key.value for target in targets if isinstance(target.key, tree.String | tree.Number)
    ]
    return len(set(keys)) == len(targets) and not ctx.facts.mentions("__newindex")


def _is_swap(node: tree.Assign) -> bool:
    """`a[i], a[j] = a[j], a[i]`: if both are one place, both get the same value."""
    return len(node.values) == len(node.targets) == 2 and all(
        _same(target, value)
        for target, value in zip(node.targets, reversed(node.values), strict=True)
    )


def _same(one: tree.Expr, other: tree.Expr) -> bool:
    match one, other:
        case tree.Name(id=left), tree.Name(id=right):
            return left == right
        case (tree.String(value=left), tree.String(value=right)) | (
            tree.Number(value=left),
            tree.Number(value=right),
        ):
            return left == right
        case tree.Index(), tree.Index():
            return _same(one.object, other.object) and _same(one.key, other.key)
    return False


def _target(ctx: Context, target: tree.Expr) -> ast.expr:
    if isinstance(target, tree.Name):
        symbol = ctx.facts.scopes.of(target)
        if symbol.is_global and symbol not in ctx.facts.private:
            return build.subscript(global_table(ctx, target), build.constant(target.id))
        return _place(ctx, symbol)
    assert isinstance(target, tree.Index)
    place = build.subscript(present(ctx, target.object), ctx.value(target.key))
    return ctx.mark(place, target, ctx.describe(target.object))


class _Fixed:
    """A target whose table and key have been computed."""

    def __init__(self, ctx: Context, target: tree.Index, assigned: set[str]) -> None:
        self.ctx = ctx
        self.target = target
        self.object = _before(ctx, target.object, "table_", assigned)
        self.key = _before(ctx, target.key, "key", assigned)

    def __call__(self, value: ast.expr, kind: Kind) -> list[ast.stmt]:
        ctx, what = self.ctx, self.ctx.describe(self.target.object)
        if stores_natively(ctx, self.target, kind):
            place = ctx.mark(build.subscript(self.object, self.key), self.target, what)
            return [build.assign(place, value)]
        made = build.call(ctx.lua("setindex"), self.object, self.key, value)
        return [build.expression(ctx.mark(made, self.target, what))]


def _before(ctx: Context, node: tree.Expr, wanted: str, assigned: set[str]) -> ast.expr:
    """A part of a target, computed now unless it is a local that keeps its value, or of which Lua takes the last.

    assigned: names that the statement itself assigns; of these Lua takes the value before.
    """
    value = ctx.value(node)
    if isinstance(node, tree.Name):
        symbol = ctx.facts.scopes.of(node)
        if not symbol.is_global and (
            not symbol.writes or (symbol.owner is ctx.owner and node.id not in assigned)
        ):
            return value
    return ctx.stored_first(value, wanted)


class _Named:
    """A target that is a name."""

    def __init__(self, ctx: Context, target: tree.Name) -> None:
        self.ctx = ctx
        self.target = target

    def __call__(self, value: ast.expr, kind: Kind) -> list[ast.stmt]:
        return [_store_name(self.ctx, self.target, value)]


def _fixed(ctx: Context, target: tree.Expr, assigned: set[str]) -> _Fixed | _Named:
    if isinstance(target, tree.Name):
        return _Named(ctx, target)
    assert isinstance(target, tree.Index)
    return _Fixed(ctx, target, assigned)
