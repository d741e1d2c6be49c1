"""The nodes of a tree, in source order, without recursion. Knows no meaning of any node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from lua2py import tree

_FIELDS: dict[type[tree.Node], tuple[str, ...]] = {}


def children(node: tree.Node) -> Iterator[tree.Node]:
    """What stands directly in a node. The values of an assignment come after its targets."""
    kind = type(node)
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(field.name for field in fields(kind))
    for name in _FIELDS[kind]:
        child = getattr(node, name)
        if isinstance(child, tree.Node):
            yield child
        elif isinstance(child, list):
            yield from (one for one in child if isinstance(one, tree.Node))


def nodes(root: tree.Node, *, into_functions: bool = True) -> Iterator[tree.Node]:
    """root and everything below it; without what inner functions hold if so asked."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if into_functions or node is root or not isinstance(node, tree.Function):
            stack.extend(reversed(list(children(node))))
