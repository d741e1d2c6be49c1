"""Kinds of values: an abstract run of the chunk, with narrowing by tests, repeated until nothing is new.

Flow-sensitive for names that only their own function assigns; for names that inner functions share, the kind is the
join of all assignments. Records into `Facts.kinds`; changes nothing else.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import catalogue, kinds, library, patterns
from lua2py.facts.functions import given_count, is_multiple
from lua2py.facts.kinds import ANY, NIL, NOTHING, NUMBER, SMALL, STRING, TABLE, Kind
from lua2py.facts.narrow import narrowed
from lua2py.facts.operators import binary_kind, unary_kind
from lua2py.facts.store import Facts, FunctionFacts
from lua2py.scopes import Symbol

Env = dict[Symbol, Kind]
MOST_ROUNDS = 40  # the lattice is finite and kinds only grow: reached by no program so far


class Infer:
    """One round after another over one chunk."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.scopes = facts.scopes
        self.changes = 0
        self.walked: dict[
            tree.Stat, tuple[Env, int, Env | None]
        ] = {}  # each loop's last start, and what it gave
        self.function: FunctionFacts | None = None
        self.exits: list[list[Env]] = []  # of each loop we are in: what holds at its breaks

    def run(self) -> None:
        for _ in range(MOST_ROUNDS):
            before = self.changes
            self.facts.kinds.clear()
            self.walked.clear()
            self.block(self.scopes.chunk.body, {})
            if self.changes == before:
                return
        self.facts.kinds.clear()  # nothing is known for sure: every helper stays
        self.facts.symbols.clear()

    # --- names --------------------------------------------------------------------------------------------

    def flows(self, symbol: Symbol) -> bool:
        """Whether the order of statements tells the kind of a name."""
        return not symbol.is_global and not (symbol.captured and symbol.writes)

    def grow(self, symbol: Symbol, kind: Kind) -> None:
        old = self.facts.symbols.get(symbol, NOTHING)
        if old | kind != old:
            self.facts.symbols[symbol] = old | kind
            self.changes += 1

    def bind(self, symbol: Symbol, kind: Kind, env: Env) -> None:
        if symbol not in self.facts.read_only:
            kind = kind.forgetful()
        self.grow(symbol, kind)
        if self.flows(symbol):
            env[symbol] = kind

    def declare(self, param: tree.Param, kind: Kind, env: Env) -> None:
        if self.scopes.of(param) not in self.facts.read_only:
            kind = kind.forgetful()
        self.facts.kinds[param] = kind
        self.bind(self.scopes.of(param), kind, env)

    def name(self, node: tree.Name, env: Env) -> Kind:
        symbol = self.scopes.of(node)
        if symbol.is_global and symbol not in self.facts.private:
            return kinds.FUNCTION if self.facts.paths.function(node) else ANY
        if symbol in env:
            return env[symbol]
        kind = self.facts.symbols.get(symbol, NOTHING)
        if (
            symbol.is_global
            and symbol not in self.facts.by_symbol
            and symbol not in self.facts.early
        ):
            return kind | NIL
        return kind

    # --- expressions --------------------------------------------------------------------------------------

    def value(self, node: tree.Expr, env: Env) -> Kind:
        kind = self._value(node, env)
        self.facts.kinds[node] = kind
        return kind

    def _value(self, node: tree.Expr, env: Env) -> Kind:
        match node:
            case tree.Nil():
                return NIL
            case tree.Boolean(value=value):
                return kinds.TRUE if value else kinds.FALSE
            case tree.Number(value=number):
                whole = isinstance(number, int)
                return (SMALL if abs(number) < 2**31 else kinds.WHOLE) if whole else kinds.FLOAT
            case tree.String():
                return STRING
            case tree.Vararg():
                return ANY
            case tree.Name():
                return self.name(node, env)
            case tree.Index():
                return self.index(node, env)
            case tree.Call() | tree.Invoke():
                results = self.call(node, env)
                if results is None:
                    return ANY
                return results[0] if results else NIL
            case tree.Function():
                self.body(node)
                return kinds.FUNCTION
            case tree.Unary(op=op, operand=operand):
                return unary_kind(op, self.value(operand, env), self.facts)
            case tree.Binary(op="and" | "or"):
                return self.logic(node, env)
            case tree.Binary():
                left, right = self.value(node.left, env), self.value(node.right, env)
                return binary_kind(node, left, right, self.facts)
            case tree.Paren(inner=inner):
                return self.value(inner, env)
            case tree.TableConstructor(fields=fields):
                for entry in fields:
                    if entry.key is not None:
                        self.value(entry.key, env)
                    self.value(entry.value, env)
                return TABLE
        return ANY

    def index(self, node: tree.Index, env: Env) -> Kind:
        receiver = self.value(node.object, env)
        self.value(node.key, env)
        path = self.facts.paths.of(node)
        if path is not None:
            name = ".".join(path)
            if name in library.FUNCTIONS or catalogue.is_function(name):
                return kinds.FUNCTION
            if name in library.CONSTANTS:
                return library.CONSTANTS[name]
            if catalogue.is_constant(name):
                return kinds.SMALL
        if isinstance(node.key, tree.String) and receiver.userdata_class:
            return catalogue.properties().get((receiver.userdata_class, node.key.value), ANY)
        if isinstance(node.object, tree.Name):
            symbol = self.scopes.of(node.object)
            if symbol in self.facts.record_only:
                return self.facts.elements.get(symbol, NOTHING).softened() | NIL
        element = receiver.element
        return ANY if element is None or not receiver.within(TABLE | NIL) else element

    def hold(self, symbol: Symbol, kind: Kind) -> None:
        """A table that is only ever indexed holds a value of this kind from now on."""
        old = self.facts.elements.get(symbol, NOTHING)
        kind = kind.without(NIL).forgetful()
        if old | kind != old:
            self.facts.elements[symbol] = old | kind
            self.changes += 1

    def hold_stored(self, target: tree.Expr, kind: Kind) -> None:
        """`T[k] = v`."""
        if isinstance(target, tree.Index) and isinstance(target.object, tree.Name):
            symbol = self.scopes.of(target.object)
            if symbol in self.facts.record_only:
                self.hold(symbol, kind)

    def strangers(self, symbol: Symbol) -> None:
        """What was taken for captures comes from no match of a string: the results say nothing of each other."""
        if symbol in self.facts.mates:
            del self.facts.mates[symbol]
            self.changes += 1

    def hold_fields(self, param: tree.Param, value: tree.Expr) -> None:
        symbol = self.scopes.of(param)
        if symbol in self.facts.record_only and isinstance(value, tree.TableConstructor):
            given = [self.facts.kinds.get(entry.value, NOTHING) for entry in value.fields]
            for kind in given:
                self.hold(symbol, kind)
            if all(kind.truthy for kind in given):
                self.facts.whole.add(symbol)
            else:
                self.facts.whole.discard(symbol)

    def logic(self, node: tree.Binary, env: Env) -> Kind:
        left = self.value(node.left, env)
        holds = node.op == "and"
        right = self.value(node.right, narrowed(self.facts, node.left, env, holds))
        if holds:
            if left.truthy:
                return right
            return left.only(kinds.FALSY) | right
        if left.falsy:
            return right
        return left.without(kinds.FALSY) | right

    def call(self, node: tree.Call | tree.Invoke, env: Env) -> tuple[Kind, ...] | None:
        """The results of a call; None when their number isn't known."""
        if isinstance(node, tree.Invoke):
            receiver = self.value(node.object, env)
            self.arguments(node.args, env)
            found = self.method(receiver, node.name, node)
            if found is not None:
                self.facts.methods[node] = found
            return found
        self.value(node.function, env)
        given = self.arguments(node.args, env)
        name = self.facts.paths.function(node.function)
        if name is not None:
            return self.documented(name, node)
        known = self.facts.callee(node)
        if known is None:
            return None
        if known.closed:
            self.pass_arguments(known, given)
        if known.arity is None:
            return None
        return tuple(self.results_of(known, known.arity))

    def method(self, receiver: Kind, name: str, node: tree.Invoke) -> tuple[Kind, ...] | None:
        if receiver.userdata_class:
            if (receiver.userdata_class, name) not in catalogue.methods():
                return None
            return catalogue.method_results(receiver.userdata_class, name, given_count(node.args))
        if receiver.within(STRING) and f"string.{name}" in library.FUNCTIONS:
            found = pattern_results(f"string.{name}", [node.object, *node.args])
            return found or library.FUNCTIONS[f"string.{name}"].results
        return None

    def documented(self, name: str, node: tree.Call) -> tuple[Kind, ...] | None:
        if name in library.FUNCTIONS:
            found = pattern_results(name, node.args)
            if found is not None:
                return found
            if (
                name == "tonumber"
                and len(node.args) == 1
                and self.facts.kind(node.args[0]).within(NUMBER)
            ):
                return (self.facts.kind(node.args[0]),)
            if name in ("setmetatable", "rawset") and node.args:
                return (TABLE,)
            if (
                name == "math.floor"
                and node.args
                and self.facts.kind(node.args[0]).within(kinds.WHOLE)
            ):
                return (self.facts.kind(node.args[0]),)
            if name == "select" and node.args and isinstance(node.args[0], tree.String):
                return (SMALL,)
            if name == "assert" and node.args:
                rest = node.args[1:]
                if not any(is_multiple(arg) for arg in node.args[-1:]):
                    first = self.facts.kind(node.args[0]).without(kinds.FALSY)
                    return (
                        first if first != NOTHING else ANY,
                        *(self.facts.kind(arg) for arg in rest),
                    )
            return library.FUNCTIONS[name].results
        return catalogue.function_results(name, given_count(node.args))

    def results_of(self, known: FunctionFacts, arity: int) -> list[Kind]:
        results = known.results or [NOTHING] * arity
        return (results + [NOTHING] * arity)[:arity]

    def arguments(self, args: list[tree.Expr], env: Env) -> list[Kind] | None:
        """The kinds of what is passed; None when their number isn't known."""
        given = [self.value(arg, env) for arg in args]
        if args and is_multiple(args[-1]):
            last = self.expand(args[-1])
            return None if last is None else [*given[:-1], *last]
        return given

    def expand(self, node: tree.Expr) -> list[Kind] | None:
        """All values of the last expression of a list, which has been looked at already."""
        if isinstance(node, tree.Vararg):
            return None
        if isinstance(node, tree.Invoke):
            found = self.facts.methods.get(node)
            return None if found is None else list(found)
        if isinstance(node, tree.Call):
            name = self.facts.paths.function(node.function)
            if name is not None:
                results = self.documented(name, node)
                return None if results is None else list(results)
            known = self.facts.callee(node)
            if known is None or known.arity is None:
                return None
            return self.results_of(known, known.arity)
        return [self.facts.kinds.get(node, NOTHING)]

    def pass_arguments(self, known: FunctionFacts, given: list[Kind] | None) -> None:
        for place, param in enumerate(known.node.params):
            if given is None:
                kind = ANY
            else:
                kind = given[place] if place < len(given) else NIL
            self.grow_param(known, place, param, kind)

    def grow_param(self, known: FunctionFacts, place: int, param: tree.Param, kind: Kind) -> None:
        while len(known.params) <= place:
            known.params.append(NOTHING)
        kind = kind.forgetful()
        if known.params[place] | kind != known.params[place]:
            known.params[place] |= kind
            self.changes += 1

    # --- functions ----------------------------------------------------------------------------------------

    def body(self, node: tree.Function) -> None:
        known = self.facts.functions[node]
        outer, exits = self.function, self.exits
        self.function, self.exits = known, []
        env: Env = {}
        for place, param in enumerate(node.params):
            self.declare(param, self.param_kind(known, place), env)
        if node in self.facts.arg_symbols:
            table = NIL if node in self.scopes.spreading else TABLE
            self.bind(self.facts.arg_symbols[node], table, env)
        self.block(node.body, env)
        if known.falls_off:
            self.give(known, [])
        self.function, self.exits = outer, exits

    def param_kind(self, known: FunctionFacts, place: int) -> Kind:
        if known.closed and known.calls:
            return known.params[place] if place < len(known.params) else NOTHING
        if known.callout is not None:
            arguments = catalogue.callout_arguments(known.callout.name)
            if place == 0:
                return catalogue.SELF
            return arguments[place - 1] if place <= len(arguments) else NIL
        if place == 0 and known.node.method:
            return ANY
        return ANY

    def give(self, known: FunctionFacts, values: list[Kind]) -> None:
        """One way out of a function."""
        if known.arity is None:
            return
        for place in range(known.arity):
            kind = values[place] if place < len(values) else NIL
            while len(known.results) <= place:
                known.results.append(NOTHING)
            if known.results[place] | kind != known.results[place]:
                known.results[place] |= kind
                self.changes += 1

    # --- statements ---------------------------------------------------------------------------------------

    def block(self, block: tree.Block, env: Env | None) -> Env | None:
        for statement in block.body:
            if env is None:
                break
            env = self.statement(statement, env)
        return env

    def values(self, nodes: list[tree.Expr], count: int, env: Env) -> list[Kind]:
        """The kinds of `count` values of an expression list."""
        given = self.arguments(nodes, env)
        if given is None:
            given = [self.facts.kinds[node] for node in nodes[:-1]] + [ANY] * count
        return (given + [NIL] * count)[:count]

    def statement(self, node: tree.Stat, env: Env) -> Env | None:
        match node:
            case tree.Local(names=names, values=values):
                given = self.values(values, len(names), env)
                for param, kind in zip(names, given, strict=True):
                    if self.scopes.of(param) in self.facts.dropped:
                        continue
                    self.declare(param, kind, env)
                    if not kind.within(STRING | SMALL | NIL):
                        self.strangers(self.scopes.of(param))
                for param, value in zip(names, values, strict=False):
                    self.hold_fields(param, value)
            case tree.Assign(targets=targets, values=values):
                for target in targets:
                    if isinstance(target, tree.Index):
                        self.value(target.object, env)
                        self.value(target.key, env)
                given = self.values(values, len(targets), env)
                for target, kind in zip(targets, given, strict=True):
                    self.hold_stored(target, kind)
                    if isinstance(target, tree.Name):
                        self.facts.kinds[target] = kind
                        first = self.facts.first_writes.get(target)
                        if first is not None:
                            self.facts.kinds[first] = kind
                        self.bind(self.scopes.of(target), kind, env)
            case tree.LocalFunction(name=param, function=function):
                self.declare(param, kinds.FUNCTION, env)
                self.value(function, env)
            case tree.FunctionStat(target=target, function=function):
                if isinstance(target, tree.Name):
                    self.bind(self.scopes.of(target), kinds.FUNCTION, env)
                elif isinstance(target, tree.Index):
                    self.value(target.object, env)
                    self.value(target.key, env)
                    self.hold_stored(target, kinds.FUNCTION)
                self.value(function, env)
            case tree.CallStat(call=call):
                self.value(call, env)
                if self.never_returns(call):
                    return None
            case tree.Do(body=body):
                return self.block(body, env)
            case tree.If():
                return self.branch(node, env)
            case tree.Return(values=values):
                if self.function is None or self.function.arity is None:
                    self.arguments(values, env)
                else:
                    self.give(self.function, self.values(values, self.function.arity, env))
                return None
            case tree.Break():
                if self.exits:
                    self.exits[-1].append(dict(env))
                return None
            case _:
                return self.loop(node, env)
        return env

    def never_returns(self, call: tree.Expr) -> bool:
        return isinstance(call, tree.Call) and self.facts.paths.function(call.function) == "error"

    def branch(self, node: tree.If, env: Env) -> Env | None:
        ends: list[Env | None] = []
        for test, block in zip(node.tests, node.blocks, strict=False):
            self.value(test, env)
            ends.append(self.block(block, narrowed(self.facts, test, env, True)))
            env = narrowed(self.facts, test, env, False)
        ends.append(
            self.block(node.blocks[-1], dict(env)) if len(node.blocks) > len(node.tests) else env
        )
        return joined(ends)

    def loop(self, node: tree.Stat, env: Env) -> Env | None:
        """A loop of any kind: its body again and again until the kinds at its start stand still.

        A loop around it comes back here each turn; when nothing is new, what was found holds.
        """
        walked = self.walked.get(node)
        if walked is not None and walked[:2] == (env, self.changes):
            return None if walked[2] is None else dict(walked[2])
        given: Env = dict(env)
        out = self.repeated(node, env)
        self.walked[node] = (given, self.changes, out)
        return None if out is None else dict(out)

    def repeated(self, node: tree.Stat, env: Env) -> Env | None:
        self.before_loop(node, env)
        start: Env = dict(env)
        while True:
            self.exits.append([])
            end, out = self.turn(node, dict(start))
            breaks: list[Env | None] = list(self.exits.pop())
            again = joined([start, end])
            if again is None or again == start:
                return joined([*breaks, out])
            start = again

    def before_loop(self, node: tree.Stat, env: Env) -> None:
        match node:
            case tree.NumericFor(start=start, stop=stop, step=step):
                for bound in (start, stop, step):
                    if bound is not None:
                        self.value(bound, env)
            case tree.GenericFor(values=values):
                self.arguments(values, env)

    def turn(self, node: tree.Stat, env: Env) -> tuple[Env | None, Env | None]:
        """One turn: what holds at its end, and what holds where the loop is left other than by break."""
        match node:
            case tree.While(test=test, body=body):
                self.value(test, env)
                out: Env | None = narrowed(self.facts, test, env, False)
                if isinstance(test, tree.Boolean) and test.value:
                    out = None
                return self.block(body, narrowed(self.facts, test, env, True)), out
            case tree.Repeat(test=test, body=body):
                end = self.block(body, env)
                if end is None:
                    return None, None
                self.value(test, end)
                return narrowed(self.facts, test, end, False), narrowed(self.facts, test, end, True)
            case tree.NumericFor(var=var, body=body):
                before = dict(env)
                self.declare(var, self.counter_kind(node), env)
                return self.block(body, env), before
            case tree.GenericFor(names=names, body=body):
                before = dict(env)
                for param, kind in zip(names, self.iterated(node), strict=True):
                    self.declare(param, kind, env)
                return self.block(body, env), before
        raise AssertionError(f"internal error: {type(node).__name__} is no loop")

    def counter_kind(self, node: tree.NumericFor) -> Kind:
        start = self.facts.kinds[node.start]
        step = self.facts.kinds[node.step] if node.step else SMALL
        stop = self.facts.kinds[node.stop]
        if start.within(SMALL) and step.within(SMALL):
            return SMALL if stop.within(SMALL) else kinds.WHOLE
        if start.within(kinds.WHOLE) and step.within(kinds.WHOLE):
            return kinds.WHOLE
        return NUMBER

    def iterated(self, node: tree.GenericFor) -> list[Kind]:
        """The kinds of a generic `for`'s names."""
        found = [ANY] * len(node.names)
        match node.values:
            case [tree.Call(function=tree.Name(id="ipairs") as function)] if self.is_base(function):
                found[0] = SMALL
            case [tree.Call(function=function)] if (
                self.facts.paths.function(function) == "string.gmatch"
            ):
                found = [STRING | SMALL | NIL] * len(found)
            case [tree.Invoke(object=object_, name="gmatch")] if self.facts.kind(object_).within(
                STRING
            ):
                found = [STRING | SMALL | NIL] * len(found)
        return found

    def is_base(self, name: tree.Name) -> bool:
        """Whether a name is the function of the base library that it names."""
        return self.scopes.of(name).is_global and name.id not in self.facts.paths.replaced


def pattern_results(name: str, args: list[tree.Expr]) -> tuple[Kind, ...] | None:
    """What `find` and `match` give for a literal pattern; missing ones are nil."""
    if name not in ("string.find", "string.match") or not 2 <= len(args) <= 3:
        return None
    match args[1]:
        case tree.String(value=pattern):
            captures = patterns.captures_of(pattern)
            if captures is None:
                return None
            kind = STRING | NIL if not patterns.has_positions(pattern) else STRING | SMALL | NIL
            if name == "string.match":
                return (kind,) * max(captures, 1)
            return (SMALL | NIL, SMALL | NIL, *(kind,) * captures)
    return None


def joined(ends: list[Env | None]) -> Env | None:
    """What holds where several ways meet; names that only some of them have are gone out of scope."""
    reached = [env for env in ends if env is not None]
    if not reached:
        return None
    first, *rest = reached
    result = dict(first)
    for env in rest:
        for symbol in list(result):
            if symbol in env:
                result[symbol] |= env[symbol]
            else:
                del result[symbol]
    return result


def infer(facts: Facts) -> None:
    """Fill `facts.kinds`, `facts.symbols`, and the parameters and results of functions."""
    facts.symbols.clear()
    facts.elements.clear()
    for known in facts.functions.values():
        known.params, known.results = [], []
    Infer(facts).run()
