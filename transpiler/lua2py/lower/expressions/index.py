"""`o.x` and `o[k]`, as values and as what is assigned to."""

from __future__ import annotations

import ast

from lua2py import tree
from lua2py.facts import catalogue, kinds
from lua2py.facts.contents import is_followed, takes_any_key
from lua2py.facts.kinds import Kind, annotation
from lua2py.lower import build
from lua2py.lower.context import Context
from lua2py.lower.expressions.names import documented, none_told
from lua2py.lower.registry import lowers

_INDEXABLE = kinds.TABLE | kinds.USERDATA | kinds.NIL  # Python's own subscript does what Lua does
# Keys that Python's dict keeps apart as Lua does. Floats may be nan, which only matters to writes.
_READ_KEYS = (
    kinds.STRING | kinds.NUMBER | kinds.TABLE | kinds.FUNCTION | kinds.USERDATA | kinds.THREAD
)
_WRITE_KEYS = _READ_KEYS.without(kinds.FLOAT)


@lowers(tree.Index)
def lower_index(ctx: Context, node: tree.Index) -> ast.expr:
    known = documented(ctx, node)
    if known is not None:
        return ctx.mark(none_told(ctx, node) or known, node)
    what = ctx.describe(node.object)
    receiver = ctx.kind(node.object)
    if isinstance(node.key, tree.String) and receiver.userdata_class:
        if (receiver.userdata_class, node.key.value) in catalogue.properties():
            made = build.attribute(present(ctx, node.object), node.key.value)
            return ctx.mark(made, node, what)
    if reads_natively(receiver, node.key, ctx.kind(node.key)):
        made = build.subscript(present(ctx, node.object), ctx.value(node.key))
        return ctx.mark(made, node, what)
    object_, key = ctx.value(node.object), ctx.value(node.key)
    return ctx.mark(build.call(ctx.lua("index"), object_, key), node, what)


def is_field(ctx: Context, node: tree.Index) -> bool:
    """A documented field of userdata that scripts may write."""
    match node.key:
        case tree.String(value=key):
            return (ctx.kind(node.object).userdata_class, key) in catalogue.WRITABLE
    return False


def present(ctx: Context, node: tree.Expr, operation: str = "") -> ast.expr:
    """A value that is about to be indexed (or else the operation says), with nil ruled out where the type checker
    would ask."""
    value = ctx.value(node)
    kind = ctx.kind(node)
    if kind.meets(kinds.NIL) and not kind.unseen_nil and annotation(kind) != "Any":
        what = ctx.describe(node)
        args = [build.constant(text) for text in ((what, operation) if operation else (what,))]
        return ctx.mark(build.call(ctx.lua("nonnil"), value, *args), node, what)
    return value


def reads_natively(receiver: Kind, key: tree.Expr, key_kind: Kind) -> bool:
    """Whether `o[k]` in Python reads what Lua reads.

    A string constant finds nothing in a string but an error, which is a listed difference; any other key of a
    value that may be a string would find a character.
    """
    if isinstance(key, tree.String):
        return receiver.meets(_INDEXABLE)
    if takes_any_key(receiver, key_kind):
        return True
    return receiver.within(_INDEXABLE) and key_kind.within(_READ_KEYS)


def stores_natively(ctx: Context, target: tree.Index, value: Kind) -> bool:
    """Whether `o[k] = v` in Python stores what Lua stores.

    A stored None stays as a tombstone, which reads as nil unless metamethods look for what is absent.
    """
    if not ctx.kind(target.key).within(_WRITE_KEYS):
        return False
    if not value.meets(kinds.NIL) or is_followed(ctx.kind(target.object)):
        return True
    return not ctx.facts.mentions("__index", "__newindex")
