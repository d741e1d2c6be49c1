"""What is fixed about each function: the name it is bound to, and who calls it.

Knows nothing of kinds, nor of how many values go in and out: that is `arity`.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import patterns
from lua2py.facts.flow import ends, returns_of
from lua2py.facts.store import Facts, FunctionFacts
from lua2py.scopes import Symbol
from lua2py.walk import Index


def is_multiple(node: tree.Expr) -> bool:
    """Whether an expression at the end of a list stands for any number of values."""
    return isinstance(node, tree.Call | tree.Invoke | tree.Vararg)


def given_count(args: list[tree.Expr]) -> int | None:
    """How many arguments a call passes, where its text tells."""
    return None if args and is_multiple(args[-1]) else len(args)


def survey(facts: Facts) -> None:
    """Fill in every function's facts, apart from kinds."""
    scopes = facts.scopes
    for node in scopes.functions:
        facts.functions[node] = FunctionFacts(
            node=node, returns=returns_of(node), falls_off=ends(node.body)
        )
    _bind_names(facts)
    _find_callbacks(facts)
    _collect_calls(facts)


def _bind_names(facts: Facts) -> None:
    """Which name each function is bound to for good."""
    scopes = facts.scopes
    for local in scopes.index.of(tree.LocalFunction):
        _bind(facts, scopes.of(local.name), local.function, 0, local)
    for declared in scopes.index.of(tree.Local):
        for param, value in zip(declared.names, declared.values, strict=False):
            if isinstance(value, tree.Function):
                _bind(facts, scopes.of(param), value, 0, declared)
    for stated in scopes.index.of(tree.FunctionStat):
        if isinstance(stated.target, tree.Name):
            _bind(facts, scopes.of(stated.target), stated.function, 1, stated)
    for assigned in scopes.index.of(tree.Assign):
        match assigned:
            case tree.Assign(targets=[tree.Name() as target], values=[tree.Function() as function]):
                _bind(facts, scopes.of(target), function, 1, assigned)


def _bind(
    facts: Facts, symbol: Symbol, function: tree.Function, writes: int, statement: tree.Stat
) -> None:
    if len(symbol.writes) != writes or symbol.is_param:
        return
    if symbol.is_global and symbol not in facts.private:
        return
    if writes and not _settled(facts, symbol, statement):
        return
    known = facts.functions[function]
    known.symbol = symbol
    lent = [read for read in symbol.reads if read not in symbol.callees]
    known.lent = [call for read in lent if (call := borrower(facts, read)) is not None]
    known.closed = len(known.lent) == len(lent)
    facts.by_symbol[symbol] = known


def _settled(facts: Facts, symbol: Symbol, statement: tree.Stat) -> bool:
    """Whether the one assignment of a function surely runs, in the block that declares its name."""
    parents = facts.scopes.index.parents
    if symbol.is_global:
        return parents[statement] is facts.scopes.chunk.body
    if symbol.block is None or symbol.declaration is None:
        return False
    declared = parents[symbol.declaration]
    if not isinstance(declared, tree.Local) or declared.values:
        return False
    return parents[statement] is symbol.block


def borrower(facts: Facts, function: tree.Expr) -> tree.Call | None:
    """The call of `table.sort` or `string.gsub` that a function is given to, and that calls it before it returns."""
    call = facts.scopes.index.parents[function]
    if isinstance(call, tree.Call) and function in call.args:
        name = facts.paths.function(call.function)
        if (name, call.args.index(function)) in (("table.sort", 1), ("string.gsub", 2)):
            return call
    return None


def passed_by(call: tree.Call) -> int | None:
    """How many arguments such a call passes; None when only the run can tell."""
    match call.args:
        case [_, _]:
            return 2  # of `table.sort`
        case [_, tree.String(value=pattern), *_]:
            captures = patterns.captures_of(pattern)
            return None if captures is None else max(captures, 1)
    return None


def _find_callbacks(facts: Facts) -> None:
    """How many arguments library functions pass to the functions that are given to them."""
    for node in facts.scopes.index.of(tree.Call):
        if not any(isinstance(arg, tree.Function) for arg in node.args):
            continue
        name = facts.paths.function(node.function)
        match name, node.args:
            case ("table.sort", [_, tree.Function() as function]) | (
                "string.gsub",
                [_, _, tree.Function() as function, *_],
            ):
                facts.functions[function].given = passed_by(node)
                facts.functions[function].lent = [node]
            case "pcall", [tree.Function() as function, *rest] if not rest or not is_multiple(
                rest[-1]
            ):
                facts.functions[function].given = len(rest)
            case "xpcall", [tree.Function() as function, *_]:
                facts.functions[function].given = 0


def _collect_calls(facts: Facts) -> None:
    for node in facts.scopes.index.of(tree.Call):
        known = facts.callee(node)
        if known is not None:
            known.calls.append(node)
    wanted = _in_lists(facts.scopes.index)
    for known in facts.functions.values():
        if known.closed:
            known.listed = any(call in wanted for call in known.calls)


def _in_lists(index: Index) -> set[tree.Expr]:
    """The expressions that stand where a list of values is wanted, `return f()` apart."""
    found: set[tree.Expr] = set()
    for call in index.of(tree.Call):
        found.update(call.args[-1:])
    for invoked in index.of(tree.Invoke):
        found.update(invoked.args[-1:])
    for made in index.of(tree.TableConstructor):
        if made.fields and made.fields[-1].key is None:
            found.add(made.fields[-1].value)
    for loop in index.of(tree.GenericFor):
        found.add(loop.values[-1])
    return found
