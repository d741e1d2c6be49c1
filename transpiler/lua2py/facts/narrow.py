"""What a test that held, or did not hold, says about the names in it.

Only tests that Python's type checker understands as well, or that compare with a literal, are used.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.kinds import Kind
from lua2py.facts.store import Facts
from lua2py.scopes import Symbol

Env = dict[Symbol, Kind]

_TYPES = {
    "nil": kinds.NIL,
    "number": kinds.NUMBER,
    "string": kinds.STRING,
    "boolean": kinds.BOOLEAN,
    "table": kinds.TABLE,
    "function": kinds.FUNCTION,
    "thread": kinds.THREAD,
    "userdata": kinds.USERDATA,
}


def narrowed(facts: Facts, test: tree.Expr, env: Env, holds: bool) -> Env:
    """A copy of `env` in which `test` came out as `holds` says."""
    result = dict(env)
    _narrow(facts, test, result, holds)
    return result


def _narrow(facts: Facts, test: tree.Expr, env: Env, holds: bool) -> None:
    match test:
        case tree.Name():
            _keep(facts, test, env, kinds.TRUTHY if holds else kinds.FALSY)
        case tree.Paren(inner=inner):
            _narrow(facts, inner, env, holds)
        case tree.Unary(op="not", operand=operand):
            _narrow(facts, operand, env, not holds)
        case tree.Binary(op="and", left=left, right=right) if holds:
            _narrow(facts, left, env, True)
            _narrow(facts, right, env, True)
        case tree.Binary(op="or", left=left, right=right) if not holds:
            _narrow(facts, left, env, False)
            _narrow(facts, right, env, False)
        case tree.Binary(op="and" | "or", left=left, right=right):
            _either(facts, left, right, env, holds)
        case tree.Binary(op="==" | "~=" as op, left=left, right=right):
            same = (op == "==") == holds
            _compare(facts, left, right, env, same)
            _compare(facts, right, left, env, same)
            if same:
                _equal(facts, left, right, env)
                _equal(facts, right, left, env)


def _either(facts: Facts, left: tree.Expr, right: tree.Expr, env: Env, holds: bool) -> None:
    """One of two tests decided: what both ways agree on."""
    one = narrowed(facts, left, env, holds)
    other = narrowed(facts, right, narrowed(facts, left, env, not holds), holds)
    for symbol in env:
        env[symbol] = one[symbol] | other[symbol]


def _compare(facts: Facts, side: tree.Expr, other: tree.Expr, env: Env, same: bool) -> None:
    match side, other:
        case tree.Name(), tree.Nil():
            _keep(facts, side, env, kinds.NIL if same else kinds.ANY.without(kinds.NIL))
        case tree.Name(), tree.Boolean(value=value):
            kind = kinds.TRUE if value else kinds.FALSE
            _keep(facts, side, env, kind if same else kinds.ANY.without(kind))
        case tree.Name(), tree.String() if same:
            _keep(facts, side, env, kinds.STRING)
        case tree.Name(), tree.Number() if same:
            _keep(facts, side, env, kinds.NUMBER)
        case tree.Call(function=function, args=[tree.Name() as name]), tree.String(value=word):
            if word in _TYPES and facts.paths.function(function) == "type":
                kind = _TYPES[word]
                _keep(facts, name, env, kind if same else kinds.ANY.without(kind))


def _equal(facts: Facts, side: tree.Expr, other: tree.Expr, env: Env) -> None:
    """Equal values are of one type."""
    kind = facts.kinds.get(other, kinds.NOTHING)
    if isinstance(side, tree.Name) and kind.bits:
        _keep(facts, side, env, kind | kinds.NUMBER if kind.meets(kinds.NUMBER) else kind)


def _keep(facts: Facts, name: tree.Name, env: Env, kind: Kind) -> None:
    symbol = facts.scopes.of(name)
    if symbol in env:
        env[symbol] = env[symbol].only(kind)
        _keep_mates(facts, symbol, env)


def _keep_mates(facts: Facts, symbol: Symbol, env: Env) -> None:
    """The other captures of the same match are there when this one is, and absent when it is."""
    kind = env[symbol]
    match = facts.mates.get(symbol)
    if match is None or match.intact not in env:
        return
    for mate in match.names:
        if mate in env and not kind.meets(kinds.NIL):
            env[mate] = env[mate].without(kinds.NIL)
        elif mate in env and kind.within(kinds.NIL):
            env[mate] = env[mate].only(kinds.NIL)
