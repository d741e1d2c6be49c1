"""Names that the captures of one match are given to: `local user, domain = s:match("(.+)@(.+)")`.

They are all there or all absent. A test of one tells of the others, as long as none of them is assigned again.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import patterns
from lua2py.facts.store import Facts, Match
from lua2py.scopes import Symbol


def survey(facts: Facts) -> None:
    """Fill `mates`."""
    for node in facts.scopes.index.of(tree.Local):
        if len(node.names) < 2 or len(node.values) != 1:
            continue
        pattern = _pattern(facts, node.values[0])
        count = None if pattern is None else patterns.captures_of(pattern)
        if count is None or count < len(node.names):
            continue
        symbols = tuple(facts.scopes.of(param) for param in node.names)
        match = Match(symbols, Symbol("", "", None, None))
        for symbol in symbols:
            facts.mates[symbol] = match


def _pattern(facts: Facts, node: tree.Expr) -> str | None:
    """The literal pattern of a call of `match`."""
    match node:
        case tree.Invoke(name="match", args=[tree.String(value=pattern), *_]):
            return pattern
        case tree.Call(function=function, args=[_, tree.String(value=pattern), *_]):
            return pattern if facts.paths.function(function) == "string.match" else None
    return None
