"""All facts of one chunk, gathered in the order in which they need each other."""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import functions, library, tables
from lua2py.facts.bindings import Symbol, bind
from lua2py.facts.infer import infer
from lua2py.facts.paths import Paths, walk
from lua2py.facts.store import Facts, Siblings

# Names that reach globals in ways the text doesn't show.
DYNAMIC = frozenset(
    {"_G", "setfenv", "getfenv", "loadstring", "load", "dofile", "loadfile", "module"}
)
_METAMETHOD = "__"


def gather(chunk: tree.Chunk, siblings: Siblings) -> Facts:
    """Everything lowering asks about a chunk."""
    bindings = bind(chunk)
    facts = Facts(bindings, Paths(bindings, siblings.written), siblings)
    facts.metamethods = metamethods(chunk)
    _module_call(facts)
    _private_globals(facts)
    _arg_tables(facts)
    _first_writes(facts)
    functions.survey(facts)
    tables.survey(facts)
    infer(facts)
    # The results of methods are known now: functions that return them may have a fixed number.
    functions.settle_arity(facts)
    infer(facts)
    return facts


def metamethods(chunk: tree.Chunk) -> frozenset[str]:
    """Every string of the chunk that could name a metamethod."""
    return frozenset(
        node.value
        for node in walk(chunk)
        if isinstance(node, tree.String) and node.value.startswith(_METAMETHOD)
    )


def uses_environment(facts_globals: dict[str, Symbol]) -> bool:
    """Whether the chunk can reach globals by a name that is computed."""
    return any(name in DYNAMIC and symbol.reads for name, symbol in facts_globals.items())


def _module_call(facts: Facts) -> None:
    for statement in facts.bindings.chunk.body.body:
        match statement:
            case tree.CallStat(call=tree.Call(function=tree.Name(id="module") as name, args=args)):
                if facts.bindings.of(name).is_global:
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
    found = facts.bindings.globals
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
    for statement in facts.bindings.top_level:
        match statement:
            case tree.Assign(targets=targets) if first in targets:
                pass
            case tree.FunctionStat(target=target) if first is target:
                pass
            case _:
                continue
        end = statement.span.end if isinstance(statement, tree.Assign) else statement.span.start
        others = [use for use in (*symbol.reads, *symbol.writes) if use is not first]
        return all(use.span.start >= end for use in others)
    return False


def _arg_tables(facts: Facts) -> None:
    """Vararg functions that use `arg` and not `...`: Lua makes the table for them."""
    symbol = facts.bindings.globals.get("arg")
    if symbol is None:
        return
    for node in facts.bindings.functions:
        uses = [
            use for use in (*symbol.reads, *symbol.writes) if facts.bindings.owner_of[use] is node
        ]
        if not node.vararg or not uses or _spells_varargs(node):
            continue
        own = Symbol("arg", node, None, block=node.body)
        own.reads = [use for use in symbol.reads if use in uses]
        own.writes = [use for use in symbol.writes if use in uses]
        for use in uses:
            facts.bindings.symbols[use] = own
        symbol.reads = [use for use in symbol.reads if use not in uses]
        symbol.writes = [use for use in symbol.writes if use not in uses]
        facts.bindings.locals.append(own)
        facts.arg_symbols[node] = own


def _spells_varargs(node: tree.Function) -> bool:
    return any(isinstance(part, tree.Vararg) for part in walk(node.body))


def _first_writes(facts: Facts) -> None:
    """Locals declared without a value and assigned, in the same block, before any use: the assignment declares."""
    for node in walk(facts.bindings.chunk):
        if not isinstance(node, tree.Local) or node.values:
            continue
        for param in node.names:
            symbol = facts.bindings.of(param)
            if not symbol.reads and not symbol.writes:
                facts.dropped.add(symbol)
                continue
            write = _declaring_write(symbol)
            if write is not None:
                facts.dropped.add(symbol)
                facts.first_writes[write] = param
                symbol.writes.remove(write)


def _declaring_write(symbol: Symbol) -> tree.Name | None:
    if not symbol.writes or symbol.block is None or (symbol.captured and symbol.loop is not None):
        return None
    first = min(symbol.writes, key=lambda write: write.span.start)
    for statement in symbol.block.body:
        if (
            isinstance(statement, tree.Assign)
            and statement.targets == [first]
            and len(statement.values) == 1
        ):
            if isinstance(statement.values[0], tree.Function):
                return None
            others = [use for use in (*symbol.reads, *symbol.writes) if use is not first]
            return first if all(use.span.start >= statement.span.end for use in others) else None
    return None
