"""How control runs through blocks: what returns, and whether the end of a block can be reached."""

from __future__ import annotations

from lua2py import tree
from lua2py.walk import children


def returns_of(function: tree.Function) -> list[tree.Return]:
    """The return statements of a function, those of inner functions left out."""
    found: list[tree.Return] = []
    stack: list[tree.Node] = [function.body]
    while stack:
        node = stack.pop()
        if isinstance(node, tree.Return):
            found.append(node)
        if not isinstance(node, tree.Expr):
            stack += reversed(children(node))
    return found


def ends(block: tree.Block) -> bool:
    """Whether control can reach the end of a block."""
    return not block.body or passes(block.body[-1])


def passes(statement: tree.Stat) -> bool:
    """Whether control can go on after a statement."""
    match statement:
        case tree.Return() | tree.Break():
            return False
        case tree.Do(body=body):
            return ends(body)
        case tree.If(tests=tests, blocks=blocks):
            return len(blocks) == len(tests) or any(ends(block) for block in blocks)
        case tree.While(test=tree.Boolean(value=True), body=body):
            return _breaks(body)
        case tree.Repeat(body=body):
            return ends(body) or _breaks(body)
    return True


def _breaks(block: tree.Block) -> bool:
    """Whether a `break` of this very loop stands in its body."""
    stack: list[tree.Node] = [block]
    while stack:
        node = stack.pop()
        if isinstance(node, tree.Break):
            return True
        if not isinstance(
            node, tree.Expr | tree.While | tree.Repeat | tree.NumericFor | tree.GenericFor
        ):
            stack += children(node)
    return False
