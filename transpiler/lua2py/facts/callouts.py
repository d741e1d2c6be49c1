"""Which functions serve callouts: fields, by the name of one, of a table that `msys.registerModule` is given.

A name that stands anywhere else as a field of that table may be a function that the script itself calls with what it
likes, and is none.
"""

from __future__ import annotations

from collections import Counter

from lua2py import tree
from lua2py.facts.store import Facts
from lua2py.scopes import Symbol
from msys.catalog import callouts


def survey(facts: Facts) -> None:
    """Fill `callout` of every function."""
    registered: set[Symbol] = set()
    lent: set[tree.Node] = set()
    for node in facts.scopes.index.of(tree.Call):
        if (
            len(node.args) == 2
            and isinstance(node.args[1], tree.Name)
            and facts.paths.function(node.function) == "msys.registerModule"
        ):
            registered.add(facts.scopes.of(node.args[1]))
            lent.add(node.args[1])
    everywhere = _key_uses(facts) if registered else Counter[str]()
    for symbol in registered:
        fields = _fields(facts, symbol)
        defined = Counter(name for name, _ in fields)
        own = _own_key_uses(facts, symbol, lent)
        uses = everywhere if own is None else own
        for name, function in fields:
            if name in callouts() and uses[name] == defined[name]:
                facts.functions[function].callout = callouts()[name]


def _made(facts: Facts, symbol: Symbol) -> list[tree.Field]:
    """The fields of the constructor that a table is declared with."""
    if symbol.declaration is not None:
        match facts.scopes.index.parents[symbol.declaration]:
            case tree.Local(names=[_], values=[tree.TableConstructor(fields=fields)]):
                return fields
    return []


def _fields(facts: Facts, symbol: Symbol) -> list[tuple[str, tree.Function]]:
    """The functions that are stored in a table by name."""
    parents = facts.scopes.index.parents
    found = [
        (entry.key.value, entry.value)
        for entry in _made(facts, symbol)
        if isinstance(entry.key, tree.String) and isinstance(entry.value, tree.Function)
    ]
    for read in symbol.reads:
        match parents[read]:
            case tree.Index(object=object_, key=tree.String(value=name)) as place if (
                object_ is read
            ):
                match parents[place]:
                    case (
                        tree.FunctionStat(target=target, function=function)
                        | tree.Assign(targets=[target], values=[tree.Function() as function])
                    ) if target is place:
                        found.append((name, function))
    return found


def _key_uses(facts: Facts) -> Counter[str]:
    """How often each name stands as a field or method of any table."""
    index = facts.scopes.index
    fields = (node.key.value for node in index.of(tree.Index) if isinstance(node.key, tree.String))
    return Counter(fields) + Counter(node.name for node in index.of(tree.Invoke))


def _own_key_uses(facts: Facts, symbol: Symbol, lent: set[tree.Node]) -> Counter[str] | None:
    """How often each name stands as a field or method of one table; None when others can have this one too."""
    if symbol.is_global:
        return None
    found = Counter(
        entry.key.value for entry in _made(facts, symbol) if isinstance(entry.key, tree.String)
    )
    for read in symbol.reads:
        match facts.scopes.index.parents[read]:
            case (
                tree.Index(object=object_, key=tree.String(value=name))
                | tree.Invoke(object=object_, name=name)
            ) if object_ is read:
                found[name] += 1
            case _ if read not in lent:
                return None
    return found
