"""Table constructors.

`Table({...})` and `Table.array(...)` where every value is proven not nil and every key an ordinary one; `table_of`,
which leaves nil out and refuses what Lua refuses, elsewhere.
"""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.functions import is_multiple
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions.lists import spread
from lua2py.lower.registry import lowers

_PLAIN_KEYS = kinds.STRING | kinds.WHOLE | kinds.TABLE | kinds.FUNCTION


@lowers(tree.TableConstructor)
def lower_table(ctx: Context, node: tree.TableConstructor) -> ast.expr:
    site = ctx.facts.sites.get((node, 0))
    made = _list(ctx, node) if site is not None and site.as_list else _made(ctx, node)
    if node.span.end_line > node.span.line and node.fields and isinstance(made, ast.Call):
        inner = made.args[0]
        ctx.layout.broken.add(inner if isinstance(inner, ast.Dict | ast.List) else made)
    elif node.span.end_line > node.span.line and isinstance(made, ast.List):
        ctx.layout.broken.add(made)
    return made


def _list(ctx: Context, node: tree.TableConstructor) -> ast.expr:
    """One of Python's own lists."""
    return ast.List(elts=_places(ctx, node), ctx=build.LOAD)


def _made(ctx: Context, node: tree.TableConstructor) -> ast.expr:
    if not node.fields:
        return build.call(ctx.lua("Table"))
    if all(field.key is None for field in node.fields):
        return _array(ctx, node)
    array = [field for field in node.fields if field.key is None]
    if not _may_be_sorted(ctx, node):
        return _in_order(ctx, node)
    if array and is_multiple(node.fields[-1].value) and node.fields[-1].key is None:
        return _mixed(ctx, node, array)
    return _record(ctx, node)


def _may_be_sorted(ctx: Context, node: tree.TableConstructor) -> bool:
    """Whether keys may be computed before places: no place stands before a key, or nobody can tell."""
    keyed = [place for place, field in enumerate(node.fields) if field.key is not None]
    if all(field.key is not None for field in node.fields[: keyed[-1]]):
        return True
    last = node.fields[-1]
    if all(isinstance(field.key, tree.String | None) for field in node.fields) and not (
        last.key is None and is_multiple(last.value)
    ):
        return True  # a display keeps the order of the text
    parts = [part for field in node.fields for part in (field.key, field.value) if part is not None]
    acting = [part for part in parts if not ctx.is_harmless(part)]
    others = [part for part in parts if part not in acting]
    return not acting or len(acting) == 1 and all(map(ctx.is_constant, others))


def _in_order(ctx: Context, node: tree.TableConstructor) -> ast.expr:
    """Entries as the text has them: pairs, and one value alone for a place."""
    entries: list[ast.expr] = []
    last = node.fields[-1]
    several = last.key is None and is_multiple(last.value)
    for field in node.fields[:-1] if several else node.fields:
        key = [] if field.key is None else [ctx.value(field.key)]
        entries.append(build.tuple_of([*key, _entry(ctx, field)]))
    rest = spread(ctx, last.value) if several else []
    return build.call(ctx.lua("table_in_order"), ast.List(elts=entries, ctx=build.LOAD), *rest)


def _entry(ctx: Context, field: tree.Field, hint: str = "") -> ast.expr:
    outer, ctx.hint = ctx.hint, hint
    value = ctx.value(field.value)
    ctx.hint = outer
    ctx.entries[field] = value
    return value


def _array(ctx: Context, node: tree.TableConstructor) -> ast.expr:
    return build.call(build.attribute(ctx.lua("Table"), "array"), *_places(ctx, node))


def _places(ctx: Context, node: tree.TableConstructor) -> list[ast.expr]:
    """The values of a constructor without keys."""
    if not node.fields:
        return []
    values = [_entry(ctx, field) for field in node.fields[:-1]]
    last = spread(ctx, node.fields[-1].value)
    if last:
        ctx.entries[node.fields[-1]] = last[0]
    return [*values, *last]


def _record(ctx: Context, node: tree.TableConstructor) -> ast.expr:
    """Keys given, or numbered by place where they are not."""
    keys: list[ast.expr | None] = []
    values: list[ast.expr] = []
    position = 0
    proven = True
    for field in node.fields:
        if field.key is None:
            position += 1
            keys.append(build.constant(position))
        else:
            keys.append(ctx.value(field.key))
            proven = proven and ctx.kind(field.key).within(_PLAIN_KEYS)
        hint = field.key.value if isinstance(field.key, tree.String) else ""
        values.append(_entry(ctx, field, hint))
        proven = proven and not ctx.kind(field.value).meets(kinds.NIL)
    if position and any(
        field.key is not None and not isinstance(field.key, tree.String) for field in node.fields
    ):
        # A key may be one of the places: then the place wins, whichever stands first.
        places = [field.key is None for field in node.fields]
        keys = [
            key
            for place in (False, True)
            for key, is_place in zip(keys, places, strict=True)
            if is_place == place
        ]
        values = [
            v
            for place in (False, True)
            for v, is_place in zip(values, places, strict=True)
            if is_place == place
        ]
        return _pairs(ctx, keys, values)
    if any(
        field.key is not None and ctx.kind(field.key).meets(kinds.BOOLEAN) for field in node.fields
    ):
        return _pairs(ctx, keys, values)
    made = ast.Dict(keys=keys, values=values)
    return build.call(ctx.lua("Table" if proven else "table_of"), made)


def _pairs(ctx: Context, keys: list[ast.expr | None], values: list[ast.expr]) -> ast.expr:
    pairs: list[ast.expr] = [
        build.tuple_of([key, value])
        for key, value in zip(keys, values, strict=True)
        if key is not None
    ]
    return build.call(ctx.lua("table_of"), ast.List(elts=pairs, ctx=build.LOAD))


def _mixed(ctx: Context, node: tree.TableConstructor, array: list[tree.Field]) -> ast.expr:
    """Named fields, then places that end with a call or `...`: computed in that order."""
    keys: list[ast.expr] = []
    values: list[ast.expr] = []
    places: list[ast.expr] = []
    for field in node.fields[:-1]:
        if field.key is None:
            places.append(_entry(ctx, field))
        else:
            keys.append(ctx.value(field.key))
            values.append(_entry(ctx, field))
    named: list[ast.expr] = [build.tuple_of([k, v]) for k, v in zip(keys, values, strict=True)]
    return build.call(
        ctx.lua("table_of"),
        ast.List(elts=named, ctx=build.LOAD),
        *places,
        *spread(ctx, node.fields[-1].value),
    )
