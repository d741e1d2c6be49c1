"""The nodes of a tree, in source order, without recursion. Knows no meaning of any node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TypeVar, cast

from lua2py import tree

N = TypeVar("N", bound=tree.Node)

# Fields that never hold a node, by the types that `tree` declares; all others may.
_PLAIN = frozenset(
    ("Span", "str", "bool", "int | float", "list[Comment]"),
)


def _holders(kind: type[tree.Node]) -> tuple[str, ...]:
    """The fields of a kind of node that hold nodes."""
    return tuple(field.name for field in fields(kind) if field.type not in _PLAIN)


_FIELDS: dict[type[tree.Node], tuple[str, ...]] = {
    kind: _holders(kind)
    for kind in vars(tree).values()
    if isinstance(kind, type) and issubclass(kind, tree.Node)
}


def children(node: tree.Node) -> list[tree.Node]:
    """What stands directly in a node. The values of an assignment come after its targets."""
    found: list[tree.Node] = []
    for name in _FIELDS[type(node)]:
        child = getattr(node, name)
        if child.__class__ is list:
            found += child
        elif child is not None:
            found.append(child)
    return found


def nodes(root: tree.Node, *, into_functions: bool = True) -> Iterator[tree.Node]:
    """root and everything below it; without what inner functions hold if so asked."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if into_functions or node is root or not isinstance(node, tree.Function):
            stack += reversed(children(node))


@dataclass(eq=False, slots=True)
class Index:
    """Every node of a chunk by its kind, and what it stands in: walked once, asked often."""

    parents: dict[tree.Node, tree.Node] = field(default_factory=dict)
    by_kind: dict[type[tree.Node], list[tree.Node]] = field(default_factory=dict)

    def of(self, kind: type[N]) -> list[N]:
        """The nodes of one kind, in source order."""
        return cast(list[N], self.by_kind.get(kind, []))


def index(chunk: tree.Chunk) -> Index:
    """Walk a chunk, and keep what was seen."""
    parents: dict[tree.Node, tree.Node] = {}
    by_kind: dict[type[tree.Node], list[tree.Node]] = {kind: [] for kind in _FIELDS}
    stack: list[tree.Node] = [chunk]
    while stack:
        node = stack.pop()
        by_kind[type(node)].append(node)
        below = children(node)
        if below:
            for child in below:
                parents[child] = node
            below.reverse()
            stack += below
    return Index(parents, by_kind)
