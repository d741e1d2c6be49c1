"""How many values calls and functions give, and what calls pass: settled together, for functions return calls.

Knows nothing of kinds but the results of methods, which are there on the second look.
"""

from __future__ import annotations

from collections import deque

from lua2py import tree
from lua2py.facts import catalogue, library, patterns
from lua2py.facts.functions import given_count, is_multiple, passed_by
from lua2py.facts.store import Facts, FunctionFacts


def settle(facts: Facts) -> None:
    """Decide how many results each function gives, until calls between functions agree."""
    passed_on = {known: _passed_on(facts, known) for known in facts.functions.values()}
    returned_by: dict[FunctionFacts, list[FunctionFacts]] = {}
    for known, inners in passed_on.items():
        for inner in inners:
            returned_by.setdefault(inner, []).append(known)
    pending = deque(facts.functions.values())
    while pending:
        known = pending.popleft()
        for inner in passed_on[known]:
            if inner.closed and not inner.listed and (known.listed or not known.closed):
                inner.listed = True
                pending.append(inner)
        arity = _arity(facts, known)
        if arity != known.arity:
            known.arity = arity
            pending += returned_by.get(known, ())
    for known in facts.functions.values():
        if known.closed:
            _settle_arguments(facts, known)


def _passed_on(facts: Facts, known: FunctionFacts) -> list[FunctionFacts]:
    """The functions of this chunk whose results a function returns as its own."""
    last = (node.values[-1] for node in known.returns if node.values)
    return [inner for inner in map(facts.callee, last) if inner is not None]


def _arity(facts: Facts, known: FunctionFacts) -> int | None:
    counts: set[int | None] = {0} if known.falls_off else set()
    for node in known.returns:
        if not node.values:
            counts.add(0)
            continue
        last = count_of(facts, node.values[-1])
        inner = facts.callee(node.values[-1])
        if inner is known:
            continue  # what a function returns of itself adds nothing new
        counts.add(None if last is None else len(node.values) - 1 + last)
    if not counts:
        return 0 if not known.returns else None
    if None in counts:
        return None
    numbers = {count for count in counts if count is not None}
    if len(numbers) == 1:
        return numbers.pop()
    if known.callout and max(numbers) == 1:
        return 1
    return max(numbers) if known.closed and not known.listed else None


def _settle_arguments(facts: Facts, known: FunctionFacts) -> None:
    """Whether the signature can be exactly the parameters, and which of them every call passes."""
    width = len(known.node.params)
    least, exact = width, not known.node.vararg
    for call in known.lent:
        passed = passed_by(call)
        exact = exact and passed is not None and passed <= width
        least = min(least, passed or 0)
    for call in known.calls:
        count: int | None = len(call.args)
        if call.args and is_multiple(call.args[-1]):
            last = count_of(facts, call.args[-1])
            count = None if last is None else len(call.args) - 1 + last
        if count is None:
            exact = False
            least = min(least, len(call.args) - 1)
        else:
            exact = exact and count <= width
            least = min(least, count)
    known.exact = exact
    known.fewest = least


def count_of(facts: Facts, node: tree.Expr) -> int | None:
    """How many values the last expression of a list gives; None when only the run can tell."""
    if isinstance(node, tree.Vararg):
        return None
    if isinstance(node, tree.Call):
        name = facts.paths.function(node.function)
        if name is not None:
            return literal_count(name, node.args) or documented_count(name, node.args)
        known = facts.callee(node)
        return known.arity if known else None
    if isinstance(node, tree.Invoke):
        if node not in facts.methods:  # known once kinds are: of receivers whose class is known
            return None
        if node.name in ("find", "match") and not facts.kind(node.object).userdata_class:
            return literal_count(f"string.{node.name}", [node.object, *node.args])
        return len(facts.methods[node])
    return 1


def literal_count(name: str, args: list[tree.Expr]) -> int | None:
    """How many results `string.match` gives with a literal pattern: one always, for one capture or none."""
    if name == "string.match" and len(args) > 1 and isinstance(args[1], tree.String):
        captures = patterns.captures_of(args[1].value)
        return 1 if captures is not None and captures <= 1 else None
    return None


def documented_count(name: str, args: list[tree.Expr]) -> int | None:
    """How many results a documented function gives."""
    if name in library.FUNCTIONS:
        results = library.FUNCTIONS[name].results
    else:
        results = catalogue.function_results(name, given_count(args))
    return None if results is None else len(results)
