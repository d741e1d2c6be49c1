"""All facts of one chunk, gathered in the order in which they need each other."""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import arity, callouts, functions, library, lists, matches, tailcalls
from lua2py.facts.infer import infer
from lua2py.facts.paths import Paths
from lua2py.facts.store import Facts, Siblings
from lua2py.scopes import Scopes, Symbol, resolve

# Names that reach globals in ways the text doesn't show.
DYNAMIC = frozenset(
    {"_G", "setfenv", "getfenv", "loadstring", "load", "dofile", "loadfile", "module"}
)
_METAMETHOD = "__"


def gather(chunk: tree.Chunk, siblings: Siblings) -> Facts:
    """Everything lowering asks about a chunk."""
    scopes = resolve(chunk)
    facts = Facts(scopes, Paths(scopes, siblings.written), siblings)
    facts.metamethods = metamethods(scopes)
    _module_call(facts)
    _private_globals(facts)
    _arg_tables(facts)
    _first_writes(facts)
    functions.survey(facts)
    callouts.survey(facts)
    arity.settle(facts)
    tailcalls.survey(facts)
    matches.survey(facts)
    infer(facts)
    # The results of methods are known now: functions that return them may have a fixed number.
    arity.settle(facts)
    lists.survey(facts)  # what Python's lists hold is known to its type checker
    infer(facts)
    lists.survey(facts)
    return facts


def metamethods(scopes: Scopes) -> frozenset[str]:
    """Every string of the chunk that could name a metamethod."""
    strings = (node.value for node in scopes.index.of(tree.String))
    return frozenset(value for value in strings if value.startswith(_METAMETHOD))


def uses_environment(facts_globals: dict[str, Symbol]) -> bool:
    """Whether the chunk can reach globals by a name that is computed."""
    return any(name in DYNAMIC and symbol.reads for name, symbol in facts_globals.items())


def _module_call(facts: Facts) -> None:
    for statement in facts.scopes.chunk.body.body:
        match statement:
            case tree.CallStat(call=tree.Call(function=tree.Name(id="module") as name, args=args)):
                if facts.scopes.of(name).is_global:
                    facts.module_call = statement
                    facts.seeall = any(
                        isinstance(arg, tree.Index)
                        and isinstance(arg.key, tree.String)
                        and arg.key.value == "seeall"
                        for arg in args[1:]
                    )
                    return


def _private_globals(facts: Facts) -> None:
    """Globals that only this file uses, and only by name."""
    found = facts.scopes.globals
    if uses_environment(found) or facts.siblings.dynamic:
        return
    for name, symbol in found.items():
        if symbol.writes and name not in facts.siblings.globals and name not in library.STANDARD:
            facts.private.add(symbol)
            if _assigned_first(facts, symbol):
                facts.early.add(symbol)


def _assigned_first(facts: Facts, symbol: Symbol) -> bool:
    """Whether a statement of the main block assigns a global before any use in the text."""
    first = min(symbol.writes, key=lambda write: write.span.start)
    parents = facts.scopes.index.parents
    statement = parents[first]
    if parents.get(statement) is not facts.scopes.chunk.body:
        return False
    end = statement.span.end if isinstance(statement, tree.Assign) else statement.span.start
    others = [use for use in (*symbol.reads, *symbol.writes) if use is not first]
    return all(use.span.start >= end for use in others)


def _arg_tables(facts: Facts) -> None:
    """Vararg functions that use `arg`: Lua makes the table for those that don't use `...` themselves."""
    for node, symbol in facts.scopes.args.items():
        if symbol.reads or symbol.writes:
            facts.scopes.locals.append(symbol)
            facts.arg_symbols[node] = symbol


def _first_writes(facts: Facts) -> None:
    """Locals declared without a value and assigned, in the same block, before any use: the assignment declares."""
    for node in facts.scopes.index.of(tree.Local):
        if node.values:
            continue
        for param in node.names:
            symbol = facts.scopes.of(param)
            if not symbol.reads and not symbol.writes:
                facts.dropped.add(symbol)
                continue
            write = _declaring_write(facts, symbol)
            if write is not None:
                facts.dropped.add(symbol)
                facts.first_writes[write] = param
                symbol.writes.remove(write)


def _declaring_write(facts: Facts, symbol: Symbol) -> tree.Name | None:
    if not symbol.writes or symbol.block is None or symbol.fresh_each_turn:
        return None
    first = min(symbol.writes, key=lambda write: write.span.start)
    parents = facts.scopes.index.parents
    statement = parents[first]
    if not isinstance(statement, tree.Assign) or parents[statement] is not symbol.block:
        return None
    if len(statement.targets) > 1 or len(statement.values) > 1:
        return None
    if isinstance(statement.values[0], tree.Function):
        return None
    others = [use for use in (*symbol.reads, *symbol.writes) if use is not first]
    return first if all(use.span.start >= statement.span.end for use in others) else None
