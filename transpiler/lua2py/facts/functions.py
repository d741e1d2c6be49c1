"""What is fixed about each function: who calls it, how many arguments and results it has, which callout it serves.

Knows nothing of kinds.
"""

from __future__ import annotations

from collections import Counter

from lua2py import tree
from lua2py.facts import catalogue, library, patterns
from lua2py.facts.bindings import Symbol
from lua2py.facts.paths import children, walk
from lua2py.facts.store import Facts, FunctionFacts
from msys.catalog import callouts


def returns_of(function: tree.Function) -> list[tree.Return]:
    """The return statements of a function, those of inner functions left out."""
    found: list[tree.Return] = []
    stack: list[tree.Node] = [function.body]
    while stack:
        node = stack.pop()
        if isinstance(node, tree.Return):
            found.append(node)
        if not isinstance(node, tree.Expr):
            stack += reversed(children(node))
    return found


def ends(block: tree.Block) -> bool:
    """Whether control can reach the end of a block."""
    return not block.body or passes(block.body[-1])


def passes(statement: tree.Stat) -> bool:
    """Whether control can go on after a statement."""
    match statement:
        case tree.Return() | tree.Break():
            return False
        case tree.Do(body=body):
            return ends(body)
        case tree.If(tests=tests, blocks=blocks):
            return len(blocks) == len(tests) or any(ends(block) for block in blocks)
        case tree.While(test=tree.Boolean(value=True), body=body):
            return _breaks(body)
        case tree.Repeat(body=body):
            return ends(body) or _breaks(body)
    return True


def _breaks(block: tree.Block) -> bool:
    """Whether a `break` of this very loop stands in its body."""
    stack: list[tree.Node] = [block]
    while stack:
        node = stack.pop()
        if isinstance(node, tree.Break):
            return True
        if not isinstance(
            node, tree.Expr | tree.While | tree.Repeat | tree.NumericFor | tree.GenericFor
        ):
            stack += children(node)
    return False


def is_multiple(node: tree.Expr) -> bool:
    """Whether an expression at the end of a list stands for any number of values."""
    return isinstance(node, tree.Call | tree.Invoke | tree.Vararg)


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


def given_count(args: list[tree.Expr]) -> int | None:
    """How many arguments a call passes, where its text tells."""
    return None if args and is_multiple(args[-1]) else len(args)


def survey(facts: Facts) -> None:
    """Fill in every function's facts, apart from kinds."""
    bindings = facts.bindings
    for node in bindings.functions:
        facts.functions[node] = FunctionFacts(
            node=node, returns=returns_of(node), falls_off=ends(node.body)
        )
    _bind_names(facts)
    _find_callouts(facts)
    _find_callbacks(facts)
    _collect_calls(facts)
    settle_arity(facts)


def _bind_names(facts: Facts) -> None:
    """Which name each function is bound to for good."""
    bindings = facts.bindings
    for node in walk(bindings.chunk):
        match node:
            case tree.LocalFunction(name=param, function=function):
                _bind(facts, bindings.of(param), function, 0, node)
            case tree.Local(names=names, values=values):
                for param, value in zip(names, values, strict=False):
                    if isinstance(value, tree.Function):
                        _bind(facts, bindings.of(param), value, 0, node)
            case tree.FunctionStat(target=tree.Name() as target, function=function):
                _bind(facts, bindings.of(target), function, 1, node)
            case tree.Assign(targets=[tree.Name() as target], values=[tree.Function() as function]):
                _bind(facts, bindings.of(target), function, 1, node)


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
    known.closed = symbol.only_called
    facts.by_symbol[symbol] = known


def _settled(facts: Facts, symbol: Symbol, statement: tree.Stat) -> bool:
    """Whether the one assignment of a function surely runs, in the block that declares its name."""
    if symbol.is_global:
        return statement in facts.bindings.top_level
    if symbol.block is None or statement not in symbol.block.body:
        return False
    return not any(
        isinstance(other, tree.Local) and other.values and symbol.declaration in other.names
        for other in symbol.block.body
    )


def _find_callouts(facts: Facts) -> None:
    """Which functions are fields, by the name of a callout, of a table that is registered."""
    registered: set[Symbol] = set()
    lent: set[tree.Node] = set()
    for node in walk(facts.bindings.chunk):
        if (
            isinstance(node, tree.Call)
            and facts.paths.function(node.function) == "msys.registerModule"
            and len(node.args) == 2
            and isinstance(node.args[1], tree.Name)
        ):
            registered.add(facts.bindings.of(node.args[1]))
            lent.add(node.args[1])
    for symbol in registered:
        uses = _key_uses(facts, symbol, lent)
        defined = Counter(name for name, _ in _fields(facts, symbol))
        for name, function in _fields(facts, symbol):
            if name in callouts() and uses[name] == defined[name]:
                facts.functions[function].callout = callouts()[name]


def _fields(facts: Facts, symbol: Symbol) -> list[tuple[str, tree.Function]]:
    """The functions that are stored in a table by name."""
    found: list[tuple[str, tree.Function]] = []
    for node in walk(facts.bindings.chunk):
        match node:
            case (
                tree.FunctionStat(
                    target=tree.Index(object=tree.Name() as table, key=tree.String(value=name)),
                    function=function,
                )
                | tree.Assign(
                    targets=[tree.Index(object=tree.Name() as table, key=tree.String(value=name))],
                    values=[tree.Function() as function],
                )
            ):
                if facts.bindings.of(table) is symbol:
                    found.append((name, function))
            case tree.Local(names=[param], values=[tree.TableConstructor(fields=fields)]):
                if facts.bindings.of(param) is symbol:
                    found += [
                        (entry.key.value, entry.value)
                        for entry in fields
                        if isinstance(entry.key, tree.String)
                        and isinstance(entry.value, tree.Function)
                    ]
    return found


def _key_uses(facts: Facts, symbol: Symbol, lent: set[tree.Node]) -> Counter[str]:
    """How often each name stands as a field or method of a table: of any, when others can have this one too."""
    found: Counter[str] = Counter()
    own: Counter[str] = Counter()
    kept: set[tree.Node] = set(lent)
    for node in walk(facts.bindings.chunk):
        owner: tree.Expr | None = None
        names: list[str] = []
        match node:
            case (
                tree.Index(object=object_, key=tree.String(value=name))
                | tree.Invoke(object=object_, name=name)
            ):
                owner, names = object_, [name]
            case tree.Local(names=[param], values=[tree.TableConstructor(fields=fields)]):
                if facts.bindings.of(param) is symbol:
                    own.update(f.key.value for f in fields if isinstance(f.key, tree.String))
        found.update(names)
        if isinstance(owner, tree.Name) and facts.bindings.of(owner) is symbol:
            own.update(names)
            kept.add(owner)
    return own if all(read in kept for read in symbol.reads) and not symbol.is_global else found


def _find_callbacks(facts: Facts) -> None:
    """How many arguments library functions pass to the functions that are given to them."""
    for node in walk(facts.bindings.chunk):
        if not isinstance(node, tree.Call):
            continue
        name = facts.paths.function(node.function)
        match name, node.args:
            case "table.sort", [_, tree.Function() as function]:
                facts.functions[function].given = 2
            case "pcall", [tree.Function() as function, *rest] if not rest or not is_multiple(
                rest[-1]
            ):
                facts.functions[function].given = len(rest)
            case "xpcall", [tree.Function() as function, *_]:
                facts.functions[function].given = 0


def _collect_calls(facts: Facts) -> None:
    for node in walk(facts.bindings.chunk):
        known = facts.callee(node) if isinstance(node, tree.Call) else None
        if known is not None and isinstance(node, tree.Call):
            known.calls.append(node)
    wanted = _in_lists(facts.bindings.chunk)
    for known in facts.functions.values():
        if known.closed:
            known.listed = any(call in wanted for call in known.calls)


def _in_lists(chunk: tree.Chunk) -> set[tree.Expr]:
    """The expressions that stand where a list of values is wanted, `return f()` apart."""
    found: set[tree.Expr] = set()
    for node in walk(chunk):
        match node:
            case tree.Call(args=args) | tree.Invoke(args=args) if args:
                found.add(args[-1])
            case tree.TableConstructor(fields=fields) if fields and fields[-1].key is None:
                found.add(fields[-1].value)
            case tree.GenericFor(values=values):
                found.add(values[-1])
    return found


def settle_arity(facts: Facts) -> None:
    """Decide how many results each function gives, until calls between functions agree."""
    changed = True
    while changed:
        changed = False
        for known in facts.functions.values():
            arity = _arity(facts, known)
            listed = known.listed
            for returned in known.returns:
                if len(returned.values) >= 1 and isinstance(returned.values[-1], tree.Call):
                    inner = facts.callee(returned.values[-1])
                    if (
                        inner
                        and inner.closed
                        and not inner.listed
                        and (known.listed or not known.closed)
                    ):
                        inner.listed = changed = True
            if (arity, listed) != (known.arity, known.listed) or arity != known.arity:
                changed = changed or arity != known.arity
                known.arity = arity
    for known in facts.functions.values():
        if known.closed:
            _settle_arguments(facts, known)


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
