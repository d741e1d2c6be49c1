"""Which lists can be Python's own: those that are only ever appended to, put in front of, sorted, joined and walked.

Every expression that such a list can reach is looked at. One use that a Python list answers differently (a read by
place, a test of its truth, a comparison), and it stays a table, with all others that share a name with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from lua2py import tree
from lua2py.facts.contents import appends, is_followed
from lua2py.facts.kinds import BOOLEAN, NIL, NOTHING, SCALAR, STRING, TABLE, WHOLE, Kind, Site
from lua2py.facts.operators import EVENTS
from lua2py.facts.store import Facts, FunctionFacts
from lua2py.walk import nodes

# Calls that run nothing of the script's, unless a metatable turns values into text.
WRITING = frozenset({"string.format", "tostring"})


def survey(facts: Facts) -> None:
    """Fill `lists`, and set `as_list` of the sites."""
    found = {
        site
        for (node, _), site in facts.sites.items()
        if isinstance(node, tree.TableConstructor) and site.ordered and not site.escaped
    }
    kinds = [kind for kind in _all_kinds(facts) if not kind.sites.isdisjoint(found)]
    for node, kind in facts.kinds.items():
        if not kind.sites.isdisjoint(found) and not _is_list_use(facts, node, kind):
            found -= kind.sites
        if _is_read_by_library(facts, node):
            for site in kind.sites:
                found -= site.everything.sites
    size = 0
    while size != len(found):
        size = len(found)
        for kind in kinds:
            if not kind.sites <= found:
                found -= kind.sites
    facts.lists.clear()
    for (node, _), site in facts.sites.items():
        site.as_list = site in found
        if site.as_list:
            facts.lists.add(node)


def _all_kinds(facts: Facts) -> Iterator[Kind]:
    yield from facts.kinds.values()
    yield from facts.symbols.values()
    for known in facts.functions.values():
        yield from known.params
        yield from known.results
    for site in facts.sites.values():
        yield site.values
        yield site.keys
        yield from site.fields.values()


def _is_read_by_library(facts: Facts, node: tree.Node) -> bool:
    """Whether a library function looks at what a table holds."""
    call = facts.scopes.index.parents[node]
    if not isinstance(call, tree.Call | tree.Invoke) or node not in call.args:
        return False
    return isinstance(call, tree.Invoke) or facts.paths.function(call.function) not in (
        None,
        "table.insert",
    )


def _is_list_use(facts: Facts, node: tree.Node, kind: Kind) -> bool:
    """Whether an expression stands where a list is handed on, or used as Python's can be."""
    if isinstance(node, tree.Param):
        return True
    parent = facts.scopes.index.parents[node]
    match parent:
        case tree.Local() | tree.Return() | tree.Paren() | tree.CallStat():
            return True
        case tree.Assign(targets=targets, values=values):
            return node in values or isinstance(node, tree.Name) and node in targets
        case tree.Field(value=value):
            return value is node
        case tree.Unary(op="#"):
            return kind.within(TABLE)
        case tree.Binary(op="==" | "~=", left=left, right=right):
            return isinstance(left, tree.Nil) or isinstance(right, tree.Nil)
        case tree.Index(object=object_):
            return object_ is node and kind.within(TABLE) and _is_appended_to(facts, parent)
        case tree.Call(args=args):
            name = facts.paths.function(parent.function)
            if name is None:
                known = facts.callee(parent)
                return known is not None and known.closed or _is_walked(facts, parent)
            if name == "table.insert" and node is args[-1] and node is not args[0]:
                return True
            return node is args[0] and kind.within(TABLE) and _is_method(facts, name, parent, kind)
    return False


def _is_appended_to(facts: Facts, place: tree.Index) -> bool:
    """`t[#t + 1] = value`, where computing the value can't touch the list."""
    match facts.scopes.index.parents[place]:
        case tree.Assign(targets=[target], values=[value]) if target is place:
            return appends(place) and _is_quiet(facts, value)
    return False


def _is_quiet(facts: Facts, root: tree.Node) -> bool:
    """Whether nothing below runs a function of the script's, a metamethod among them, or waits."""
    for node in nodes(root):
        if isinstance(node, tree.Index) and facts.mentions("__index"):
            if not is_followed(facts.kind(node.object)):
                return False
        if isinstance(node, tree.Binary) and facts.mentions(*EVENTS.values(), "__lt", "__le"):
            if not all(facts.kind(side).within(SCALAR) for side in (node.left, node.right)):
                return False
        if isinstance(node, tree.Call | tree.Invoke) and not facts.is_pure_call(node):
            name = facts.paths.function(node.function) if isinstance(node, tree.Call) else None
            if name not in WRITING or facts.mentions("__tostring"):
                return False
    return True


def _is_walked(facts: Facts, call: tree.Call) -> bool:
    """`for … in ipairs(t)`."""
    loop = facts.scopes.index.parents[call]
    return (
        isinstance(loop, tree.GenericFor)
        and loop.values == [call]
        and len(loop.names) <= 2
        and len(call.args) == 1
        and facts.scopes.is_global(call.function, "ipairs")
        and "ipairs" not in facts.paths.replaced
        and facts.kind(call.args[0]).within(TABLE)
    )


def _is_method(facts: Facts, name: str, call: tree.Call, kind: Kind) -> bool:
    """Whether a call of the table library has its counterpart among the methods of Python's lists."""
    stated = isinstance(facts.scopes.index.parents[call], tree.CallStat)
    elements = NOTHING
    for site in kind.sites:
        elements |= site.values
    match name, call.args[1:]:
        case "table.insert", [value] | [tree.Number(value=1), value]:
            return stated and _is_quiet(facts, value)
        case "table.remove", [] | [tree.Number(value=1)]:
            return stated
        case "table.sort", []:
            return stated and (elements.within(STRING) or elements.without(WHOLE) == NOTHING)
        case "table.sort", [comparator]:
            return stated and _compares_quietly(facts, comparator, kind.sites)
        case "table.concat", [] | [_]:
            separators = [facts.kind(arg) for arg in call.args[1:]]
            texts = elements.within(STRING) or not elements.bits
            return texts and all(kind.within(STRING) for kind in separators)
    return False


def _compares_quietly(facts: Facts, comparator: tree.Expr, sites: frozenset[Site]) -> bool:
    """Whether a comparator says true or false, and looks at nothing but its arguments."""
    known: FunctionFacts | None = None
    if isinstance(comparator, tree.Function):
        known = facts.functions[comparator]
    elif isinstance(comparator, tree.Name):
        known = facts.by_symbol.get(facts.scopes.of(comparator))
    if known is None or not known.is_seen or not _is_quiet(facts, known.node.body):
        return False
    if known.arity != 1 or not known.results[0].within(BOOLEAN | NIL):
        return False
    below = (facts.kinds.get(node, NOTHING) for node in nodes(known.node.body))
    return all(kind.sites.isdisjoint(sites) for kind in below)
