"""What is fixed about each function: who calls it, how many arguments and results it has, which callout it serves.

Knows nothing of kinds.
"""

from __future__ import annotations

from collections import Counter, deque

from lua2py import tree
from lua2py.facts import catalogue, library, patterns
from lua2py.facts.store import Facts, FunctionFacts
from lua2py.scopes import Symbol
from lua2py.walk import Index, children
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
    scopes = facts.scopes
    for node in scopes.functions:
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
    bare = not (isinstance(declared, tree.Local) and declared.values)
    return bare and parents[statement] is symbol.block


def _find_callouts(facts: Facts) -> None:
    """Which functions are fields, by the name of a callout, of a table that is registered."""
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


def settle_arity(facts: Facts) -> None:
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
