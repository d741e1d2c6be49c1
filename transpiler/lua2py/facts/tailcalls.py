"""Functions that return a call of themselves: those that can run in a loop instead.

Lua's calls in tail position take no room on the stack; in Python only a loop does the same. A call inside a loop of
the function stays a call, and so do all of a function of which a closure keeps a local: each call has its own.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts.functions import given_count
from lua2py.facts.store import Facts, FunctionFacts

LOOPS = (tree.While, tree.Repeat, tree.NumericFor, tree.GenericFor)


def survey(facts: Facts) -> None:
    """Fill `again` of every function."""
    kept = {symbol.owner for symbol in facts.scopes.locals if symbol.captured}
    for known in facts.functions.values():
        if known.symbol is not None and not known.node.vararg and known.node not in kept:
            known.again = {node for node in known.returns if _starts_again(facts, known, node)}


def _starts_again(facts: Facts, known: FunctionFacts, node: tree.Return) -> bool:
    match node.values:
        case [tree.Call(args=args) as call] if facts.callee(call) is known:
            count = given_count(args)
            fits = count is not None and count <= len(known.node.params)
            return fits and not _in_loop(facts, node)
    return False


def _in_loop(facts: Facts, node: tree.Node) -> bool:
    parents = facts.scopes.index.parents
    while not isinstance(node, tree.Function):
        if isinstance(node, LOOPS):
            return True
        node = parents[node]
    return False
