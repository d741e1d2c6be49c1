"""Kinds of values: an abstract run of the chunk, with narrowing by tests, repeated until nothing is new.

Flow-sensitive for names that only their own function assigns; for names that inner functions share, the kind is the
join of all assignments. Records into `Facts.kinds`; changes nothing else.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import catalogue, contents, kinds, library, patterns
from lua2py.facts.contents import Contents
from lua2py.facts.functions import given_count, is_multiple
from lua2py.facts.kinds import ANY, NIL, NOTHING, NUMBER, SMALL, STRING, TABLE, Kind, Site
from lua2py.facts.narrow import narrowed
from lua2py.facts.operators import binary_kind, counted, unary_kind
from lua2py.facts.store import Facts, FunctionFacts
from lua2py.scopes import Symbol
from lua2py.walk import nodes

Env = dict[Symbol, Kind]
MOST_ROUNDS = 40  # the lattice is finite and kinds only grow: reached by no program so far


class Infer:
    """One round after another over one chunk."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.scopes = facts.scopes
        self.contents = Contents(facts.sites, facts.lists)
        self.walked: dict[
            tree.Stat, tuple[Env, int, Env | None]
        ] = {}  # each loop's last start, and what it gave
        self.function: FunctionFacts | None = None
        self.exits: list[list[Env]] = []  # of each loop we are in: what holds at its breaks

    @property
    def changes(self) -> int:
        """How often something new was learnt."""
        return self.contents.changes

    def learn(self) -> None:
        self.contents.changes += 1

    def run(self) -> None:
        for _ in range(MOST_ROUNDS):
            before = self.changes
            self.facts.kinds.clear()
            self.walked.clear()
            self.block(self.scopes.chunk.body, {})
            if self.changes == before:
                return
        # Nothing is known for sure: every helper stays.
        self.facts.kinds.clear()
        self.facts.symbols.clear()
        self.facts.sites.clear()
        for known in self.facts.functions.values():
            known.params = [ANY] * len(known.params)
            known.results = [ANY] * len(known.results)

    # --- names --------------------------------------------------------------------------------------------

    def flows(self, symbol: Symbol) -> bool:
        """Whether the order of statements tells the kind of a name."""
        return not symbol.is_global and not (symbol.captured and symbol.writes)

    def grow(self, symbol: Symbol, kind: Kind) -> None:
        old = self.facts.symbols.get(symbol, NOTHING)
        if old | kind != old:
            self.facts.symbols[symbol] = old | kind
            self.learn()

    def bind(self, symbol: Symbol, kind: Kind, env: Env) -> None:
        if symbol.is_global and symbol not in self.facts.private:
            self.contents.escape(kind)
        self.grow(symbol, kind)
        if self.flows(symbol):
            env[symbol] = kind
        if symbol in self.facts.mates:
            env.pop(self.facts.mates[symbol].intact, None)

    def declare(self, param: tree.Param, kind: Kind, env: Env) -> None:
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
                if not whole:
                    return kinds.FLOAT
                return (SMALL if abs(number) < 2**31 else kinds.WHOLE).between(number, number)
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
                    return library.FIRST.get(self.facts.library_name(node), ANY)
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
            case tree.TableConstructor():
                return self.constructor(node, env)
        return ANY

    def constructor(self, node: tree.TableConstructor, env: Env) -> Kind:
        entries: list[tuple[tree.Field, Kind, Kind | None]] = []
        for entry in node.fields:
            key = kinds.PLACE if entry.key is None else self.value(entry.key, env)
            entries.append((entry, key, self.value(entry.value, env)))
        if node.fields and node.fields[-1].key is None and is_multiple(node.fields[-1].value):
            entry = node.fields[-1]
            last = self.expand(entry.value)
            rest = [None] if last is None else last
            entries[-1:] = [(entry, kinds.PLACE, kind) for kind in rest]
        return self.contents.constructed(node, entries)

    def index(self, node: tree.Index, env: Env) -> Kind:
        receiver = self.value(node.object, env)
        key = self.value(node.key, env)
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
            found = catalogue.properties().get((receiver.userdata_class, node.key.value), ANY)
            return found.made_at(kinds.TABLE.sites) if found.sites else found
        return self.contents.read(receiver, node.key, key)

    def store(self, target: tree.Expr, kind: Kind, value: tree.Node) -> None:
        """`object[key] = value`, of whose parts the kinds are known."""
        if isinstance(target, tree.Index):
            receiver, key = self.facts.kinds[target.object], self.facts.kinds[target.key]
            at_end = contents.appends(target) and not receiver.sites & self.shrinking(value)
            self.contents.store(receiver, target.key, key, kind, at_end)

    def shrinking(self, value: tree.Node) -> frozenset[Site]:
        """Tables that may have got shorter since Lua measured them, if computing a value does it."""
        if not any(isinstance(part, tree.Call | tree.Invoke) for part in nodes(value)):
            return frozenset()
        return frozenset(site for site in self.facts.sites.values() if site.shrinks)

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
            if receiver.within(STRING):
                self.lend_to(f"string.{node.name}", [node.object, *node.args])
            elif receiver.bits:
                self.contents.escape(receiver, *self.given(node.args))
            if found is not None:
                self.facts.methods[node] = found
            return found
        self.value(node.function, env)
        given = self.arguments(node.args, env)
        name = self.facts.paths.function(node.function)
        if name is not None:
            self.lend_to(name, node.args)
            return self.documented(name, node)
        known = self.facts.callee(node)
        if known is None or not known.closed:
            self.contents.escape(*self.given(node.args))
        else:
            self.pass_arguments(known, node.args, given)
        if known is None or known.arity is None:
            return None
        return tuple(self.results_of(known, known.arity))

    def given(self, args: list[tree.Expr]) -> list[Kind]:
        """The kinds of arguments that have been looked at; of what a call at the end gives, the first.

        The others come out of functions that don't give followed tables away.
        """
        found = [self.facts.kinds[arg] for arg in args]
        last = self.expand(args[-1]) if args else None
        return found if last is None else [*found[:-1], *last]

    def lend_to(self, name: str, args: list[tree.Expr]) -> None:
        """What a documented function does to the tables and functions that it is given."""
        given = self.given(args)
        self.contents.escape(*given[len(args) :])
        match name:
            case "table.insert" if 2 <= len(given) <= 3 and not is_multiple(args[-1]):
                at_front = isinstance(args[1], tree.Number) and args[1].value == 1
                key = kinds.SMALL if len(given) == 3 else kinds.PLACE
                appended = len(given) == 2 or at_front
                self.contents.store(given[0], None, key, given[-1], appended)
            case "table.remove" | "table.sort" if given:
                for site in given[0].sites:
                    self.contents.disturb(site, shrinks=name == "table.remove")
                if name == "table.sort" and len(args) > 1:
                    element = self.contents.elements(given[0])
                    if not contents.is_list(given[0]):
                        element |= kinds.ABSENT
                    self.lend_function(args[1], [element, element])
            case "string.gsub" if len(args) >= 3:
                self.lend_function(args[2], captured(args[1]))
            case "assert" if not is_multiple(args[-1]):
                pass  # they are its results
            case _ if name in contents.HANDING_OUT:
                self.contents.hand_out(*given)
            case _ if name not in contents.LOOKING:
                self.contents.escape(*given)

    def lend_function(self, node: tree.Expr, given: list[Kind] | None) -> None:
        """A function of this chunk that a library function calls with these."""
        known: FunctionFacts | None = None
        if isinstance(node, tree.Function):
            known = self.facts.functions[node]
        elif isinstance(node, tree.Name):
            known = self.facts.by_symbol.get(self.scopes.of(node))
        if known is not None and known.is_seen:
            self.pass_arguments(known, [], given)

    def method(self, receiver: Kind, name: str, node: tree.Invoke) -> tuple[Kind, ...] | None:
        if receiver.userdata_class:
            if (receiver.userdata_class, name) not in catalogue.methods():
                return None
            found = catalogue.method_results(receiver.userdata_class, name, given_count(node.args))
            return self.told_apart(node, found)
        if receiver.within(STRING) and f"string.{name}" in library.FUNCTIONS:
            found = pattern_results(f"string.{name}", [node.object, *node.args])
            return found or library.FUNCTIONS[f"string.{name}"].results
        return None

    def told_apart(
        self, node: tree.Expr, results: tuple[Kind, ...] | None
    ) -> tuple[Kind, ...] | None:
        """The results of a documented function, the tables among them known as this call's."""
        if results is None:
            return None
        return tuple(self.contents.called(node, place, kind) for place, kind in enumerate(results))

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
            if name == "table.remove" and node.args:
                return (self.contents.elements(self.facts.kinds[node.args[0]]).softened() | NIL,)
            if name == "assert" and node.args:
                rest = node.args[1:]
                if not any(is_multiple(arg) for arg in node.args[-1:]):
                    first = self.facts.kind(node.args[0]).without(kinds.FALSY)
                    return (
                        first if first != NOTHING else ANY,
                        *(self.facts.kind(arg) for arg in rest),
                    )
            return library.FUNCTIONS[name].results
        return self.told_apart(node, catalogue.function_results(name, given_count(node.args)))

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

    def pass_arguments(
        self, known: FunctionFacts, args: list[tree.Expr], given: list[Kind] | None
    ) -> None:
        """A call of a function of this chunk. given: the kinds of args; None when their number isn't known."""
        if given is None:
            self.contents.escape(*self.given(args))
        else:
            self.contents.escape(*given[len(known.node.params) :])
        for place in range(len(known.node.params)):
            if given is None:
                kind = ANY
            else:
                kind = given[place] if place < len(given) else NIL
            self.grow_param(known, place, kind)

    def grow_param(self, known: FunctionFacts, place: int, kind: Kind) -> None:
        while len(known.params) <= place:
            known.params.append(NOTHING)
        if known.params[place] | kind != known.params[place]:
            known.params[place] |= kind
            self.learn()

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
        if known.is_seen:
            found = known.params[place] if place < len(known.params) else NOTHING
            return found.annotated()
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
        if not known.closed or known.arity is None:
            self.contents.escape(*values)
        if known.arity is None:
            return
        self.contents.escape(*values[known.arity :])
        for place in range(known.arity):
            kind = values[place] if place < len(values) else NIL
            while len(known.results) <= place:
                known.results.append(NOTHING)
            if known.results[place] | kind != known.results[place]:
                known.results[place] |= kind
                self.learn()

    # --- statements ---------------------------------------------------------------------------------------

    def block(self, block: tree.Block, env: Env) -> Env | None:
        """A block and its end, where its locals go out of scope."""
        end = self.run_through(block, env)
        return None if end is None else self.without_locals(block, end)

    def run_through(self, block: tree.Block, env: Env) -> Env | None:
        end: Env | None = env
        for statement in block.body:
            if end is None:
                break
            end = self.statement(statement, end)
        return end

    def without_locals(self, block: tree.Block, env: Env) -> Env:
        for statement in block.body:
            if isinstance(statement, tree.Local):
                for param in statement.names:
                    env.pop(self.scopes.of(param), None)
            elif isinstance(statement, tree.LocalFunction):
                env.pop(self.scopes.of(statement.name), None)
        return env

    def values(self, nodes: list[tree.Expr], count: int, env: Env) -> list[Kind]:
        """The kinds of `count` values of an expression list."""
        given = self.arguments(nodes, env)
        if given is None:
            given = [self.facts.kinds[node] for node in nodes] + [ANY] * count
        return (given + [NIL] * count)[:count]

    def statement(self, node: tree.Stat, env: Env) -> Env | None:
        match node:
            case tree.Local(names=names, values=values):
                given = self.values(values, len(names), env)
                for param, kind in zip(names, given, strict=True):
                    if self.scopes.of(param) in self.facts.dropped:
                        continue
                    self.declare(param, kind, env)
                match_ = self.facts.mates.get(self.scopes.of(names[-1]))
                if match_ is not None and all(k.within(STRING | SMALL | NIL) for k in given):
                    env[match_.intact] = NIL
            case tree.Assign(targets=targets, values=values):
                for target in targets:
                    if isinstance(target, tree.Index):
                        self.value(target.object, env)
                        self.value(target.key, env)
                given = self.values(values, len(targets), env)
                # From right to left, as they are stored: of a name that stands twice the first value stays.
                for target, kind in reversed(list(zip(targets, given, strict=True))):
                    self.store(target, kind, values[0] if len(values) == 1 else node)
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
                    self.store(target, kinds.FUNCTION, function)
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
                    self.contents.escape(*self.given(values))
                else:
                    wanted = max(self.function.arity, len(values))
                    self.give(self.function, self.values(values, wanted, env))
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
                table = self.walked_table(node)
                if table is not None:
                    self.value(table[1], env)
                    return
                self.arguments(values, env)
                self.contents.escape(*self.given(values))

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
                end = self.run_through(body, env)
                if end is None:
                    return None, None
                self.value(test, end)
                again, out = (narrowed(self.facts, test, end, holds) for holds in (False, True))
                return self.without_locals(body, again), self.without_locals(body, out)
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
        if start.within(kinds.WHOLE) and step.within(kinds.WHOLE):
            small = start.within(SMALL) and step.within(SMALL) and stop.within(SMALL)
            return counted(SMALL if small else kinds.WHOLE, start, stop, step)
        return NUMBER

    def iterated(self, node: tree.GenericFor) -> list[Kind]:
        """The kinds of a generic `for`'s names."""
        found = [ANY] * len(node.names)
        table = self.walked_table(node)
        if table is not None:
            walked, kind = table[0], self.facts.kinds[table[1]]
            if walked == "ipairs":
                pair = (kinds.PLACE, self.contents.elements(kind))
            else:
                pair = self.contents.walked(kind)
            return [*pair, *found][: len(found)]
        match node.values:
            case [tree.Call(function=function, args=[_, pattern])] if (
                self.facts.paths.function(function) == "string.gmatch"
            ):
                return matched(pattern, len(found))
            case [tree.Invoke(object=object_, name="gmatch", args=[pattern])] if self.facts.kind(
                object_
            ).within(STRING):
                return matched(pattern, len(found))
        return found

    def walked_table(self, node: tree.GenericFor) -> tuple[str, tree.Expr] | None:
        """The table that a loop over `pairs` or `ipairs` walks, and which of them."""
        match node.values:
            case [
                tree.Call(
                    function=tree.Name(id="pairs" | "ipairs" as word) as function, args=[table]
                )
            ]:
                if self.is_base(function) and len(node.names) <= 2:
                    return word, table
        return None

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


def captured(pattern: tree.Expr) -> list[Kind] | None:
    """What `gsub` passes to a function for each match of a literal pattern."""
    if not isinstance(pattern, tree.String) or patterns.captures_of(pattern.value) is None:
        return None
    found = patterns.positions(pattern.value)
    return [kinds.LENGTH if position else STRING for position in found] or [STRING]


def matched(pattern: tree.Expr, names: int) -> list[Kind]:
    """What a loop over `gmatch` gives to so many names."""
    found = captured(pattern)
    if found is None:
        return [STRING | SMALL | NIL] * names
    return (found + [NIL] * names)[:names]


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
    facts.sites.clear()
    for known in facts.functions.values():
        known.params, known.results = [], []
    Infer(facts).run()
