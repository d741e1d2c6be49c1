"""Tables and matches whose whole life the text shows.

A local that names a table made on the spot, and that is only ever indexed, can hold nothing but what this file stores:
its values have known kinds. The captures of one match are all there or all absent. Both facts let plain operators and
plain subscripts stand where strangers' values would need helpers.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import patterns
from lua2py.facts.store import Facts
from lua2py.scopes import Symbol
from lua2py.walk import nodes

# Base functions that look at a table and keep nothing of it.
LOOKING = frozenset(
    {"ipairs", "pairs", "next", "unpack", "table.concat", "table.getn", "table.maxn"}
)


def survey(facts: Facts) -> None:
    """Fill `read_only`, `record_only`, `string_keyed` and `mates`."""
    looked_at, stored_into = _uses(facts)
    made = _made_here(facts)
    for symbol in facts.scopes.locals:
        if symbol.is_param or symbol.writes or not symbol.reads:
            continue
        if not all(read in looked_at or read in stored_into for read in symbol.reads):
            continue
        if not any(read in stored_into for read in symbol.reads):
            facts.read_only.add(symbol)
        if symbol in made:
            facts.record_only.add(symbol)
            keys = [entry.key for entry in made[symbol].fields]
            keys += [stored_into[read] for read in symbol.reads if read in stored_into]
            if all(isinstance(key, tree.String) for key in keys):
                facts.string_keyed.add(symbol)
    _matches(facts)


def _uses(facts: Facts) -> tuple[set[tree.Node], dict[tree.Node, tree.Expr]]:
    """Names that are only looked into where they stand, and those that something is stored into, with its key."""
    looked_at: set[tree.Node] = set()
    stored_into: dict[tree.Node, tree.Expr] = {}
    for node in nodes(facts.scopes.chunk):
        match node:
            case tree.Assign(targets=targets):
                for target in targets:
                    if isinstance(target, tree.Index) and isinstance(target.object, tree.Name):
                        stored_into[target.object] = target.key
            case tree.FunctionStat(target=tree.Index(object=tree.Name() as name, key=key)):
                stored_into[name] = key
            case tree.Index(object=tree.Name() as name):
                looked_at.add(name)
            case tree.Unary(op="#" | "not", operand=tree.Name() as name):
                looked_at.add(name)
            case tree.Binary(op="and", left=tree.Name() as name):
                looked_at.add(name)  # only nil or false comes out of it
            case tree.Binary(op="==" | "~=", left=tree.Name() as name, right=tree.Nil()):
                looked_at.add(name)
            case tree.If(tests=tests):
                looked_at |= {test for test in tests if isinstance(test, tree.Name)}
            case tree.While(test=tree.Name() as name):
                looked_at.add(name)
            case tree.Call(function=function, args=[tree.Name() as name, *_]):
                if facts.paths.function(function) in LOOKING or _is_iterator(facts, function):
                    looked_at.add(name)
    return looked_at - set(stored_into), stored_into


def _is_iterator(facts: Facts, function: tree.Expr) -> bool:
    return (
        isinstance(function, tree.Name)
        and function.id in ("pairs", "ipairs")
        and facts.scopes.of(function).is_global
        and function.id not in facts.paths.replaced
    )


def _made_here(facts: Facts) -> dict[Symbol, tree.TableConstructor]:
    """Locals declared with a table constructor, outside of loops that could make several under one name."""
    made: dict[Symbol, tree.TableConstructor] = {}
    for node in facts.scopes.index.of(tree.Local):
        for param, value in zip(node.names, node.values, strict=False):
            if isinstance(value, tree.TableConstructor) and _is_plain(value):
                made[facts.scopes.of(param)] = value
    return made


def _is_plain(made: tree.TableConstructor) -> bool:
    """Whether its last element is one value, not however many a call gives."""
    return not made.fields or not (
        made.fields[-1].key is None
        and isinstance(made.fields[-1].value, tree.Call | tree.Invoke | tree.Vararg)
    )


def _matches(facts: Facts) -> None:
    for node in facts.scopes.index.of(tree.Local):
        if len(node.names) < 2 or len(node.values) != 1:
            continue
        pattern = _pattern(facts, node.values[0])
        count = None if pattern is None else patterns.captures_of(pattern)
        if count is None or count < len(node.names):
            continue
        symbols = [facts.scopes.of(param) for param in node.names]
        steady = [symbol for symbol in symbols if not symbol.writes]
        for symbol in steady:
            facts.mates[symbol] = frozenset(other for other in steady if other is not symbol)


def _pattern(facts: Facts, node: tree.Expr) -> str | None:
    """The literal pattern of a call of `match`."""
    match node:
        case tree.Invoke(name="match", args=[tree.String(value=pattern), *_]):
            return pattern
        case tree.Call(function=function, args=[_, tree.String(value=pattern), *_]):
            return pattern if facts.paths.function(function) == "string.match" else None
    return None
