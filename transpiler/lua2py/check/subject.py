"""One script as the rules see it: what names stand for, which tables are modules, who calls whom.

Only what the text proves: a local that is assigned once, a table that is filled in sight. Everything else is
unknown, and rules stay silent about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from lua2py import tree
from lua2py.check import known
from lua2py.diagnostics import Diagnostic
from lua2py.facts.gather import gather
from lua2py.facts.store import Facts, Siblings
from lua2py.scopes import Scopes, Symbol
from lua2py.source import SourceFile
from lua2py.walk import children, nodes
from msys.catalog import Callout, callouts


@dataclass(eq=False, slots=True)
class Module:
    """A table that `msys.registerModule` is given. complete: all its keys are in sight."""

    call: tree.Call
    name: tree.String | None
    members: dict[str, tuple[tree.Node, tree.Expr | None]] = field(default_factory=dict)
    complete: bool = False


@dataclass(eq=False, slots=True)
class Hook:
    """A function that a module offers as a callout."""

    callout: Callout
    function: tree.Function
    place: tree.Node


class Subject:
    """Built once per script; the rules read it."""

    def __init__(
        self, source: SourceFile, chunk: tree.Chunk, scopes: Scopes, script_name: str | None = None
    ) -> None:
        self.source = source
        self.chunk = chunk
        self.scopes = scopes
        self.script_name = script_name
        self.nodes = list(nodes(chunk))
        self.definitions = self._definitions()
        self.members = self._members()
        self.own_paths = self._own_paths()
        self.enclosing = self._enclosing()
        self.modules = [
            self._module(call)
            for call in self.calls()
            if self.path(call.function) == "msys.registerModule"
        ]
        self.hooks = list(self._hooks())
        self.receivers = self._receivers()

    @cached_property
    def facts(self) -> Facts:
        """What the inference knows when other scripts may share every global."""
        return gather(self.chunk, Siblings(dynamic=True))

    def found(self, code: str, node: tree.Node | tree.Span, **args: object) -> Diagnostic:
        span = node if isinstance(node, tree.Span) else node.span
        return Diagnostic(code, span, self.source.path, args)

    # --- names ---

    def _definitions(self) -> dict[Symbol, tree.Expr | None]:
        """The one value each variable ever gets; absent where there are several."""
        given: dict[Symbol, list[tree.Expr | None]] = defaultdict(list)
        for node in self.nodes:
            if isinstance(node, tree.Local) and node.values:
                first = [*node.values, *[None] * len(node.names)]
                for param, one in zip(node.names, first, strict=False):
                    given[self.scopes.of(param)].append(one)
            elif isinstance(node, tree.LocalFunction):
                given[self.scopes.of(node.name)].append(node.function)
            elif isinstance(node, tree.FunctionStat) and isinstance(node.target, tree.Name):
                given[self.scopes.of(node.target)].append(node.function)
            elif isinstance(node, tree.Assign):
                values = [*node.values, *[None] * len(node.targets)]
                for target, value in zip(node.targets, values, strict=False):
                    if isinstance(target, tree.Name):
                        given[self.scopes.of(target)].append(value)
        return {symbol: values[0] for symbol, values in given.items() if len(values) == 1}

    def definition(self, node: tree.Expr) -> tree.Expr | None:
        """What a name stands for, through names; any other expression stands for itself."""
        value: tree.Expr | None = node
        for _ in range(10):  # chosen: longer chains of aliases are somebody's puzzle
            if not isinstance(value, tree.Name):
                return value
            value = self.definitions.get(self.scopes.of(value))
        return None

    def path(self, node: tree.Expr) -> str:
        """The dotted name of a package, function or constant, through aliases and `require`; or empty."""
        keys: list[str] = []
        for _ in range(20):
            if isinstance(node, tree.Index) and isinstance(node.key, tree.String):
                keys.append(node.key.value)
                node = node.object
            elif isinstance(node, tree.Name):
                symbol = self.scopes.of(node)
                if symbol.is_global and node.id in known.roots() and not symbol.writes:
                    return ".".join([node.id, *reversed(keys)])
                value = self.definitions.get(symbol)
                if value is None:
                    return ""
                node = value
            elif required := self.required(node):
                return ".".join([required, *reversed(keys)])
            else:
                return ""
        return ""

    def required(self, node: tree.Expr) -> str:
        """The package that `require("...")` names, when it is one that roots know."""
        if (
            isinstance(node, tree.Call)
            and self.scopes.is_global(node.function, "require")
            and len(node.args) == 1
            and isinstance(node.args[0], tree.String)
        ):
            name = node.args[0].value
            return name if name.partition(".")[0] in known.roots() else ""
        return ""

    def _own_paths(self) -> set[str]:
        """Dotted names that this script defines itself, and packages that nobody documents but it requires."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, tree.Assign | tree.FunctionStat):
                targets = node.targets if isinstance(node, tree.Assign) else [node.target]
                found.update(self.path(one) for one in targets if isinstance(one, tree.Index))
            elif isinstance(node, tree.Call):
                name = self.required(node)
                if self.scopes.is_global(node.function, "module") and node.args:
                    first = node.args[0]
                    name = first.value if isinstance(first, tree.String) else ""
                found.add(name)
        return {path for path in found if path and path not in known.packages()}

    def is_own(self, path: str) -> bool:
        return any(path == own or path.startswith(own + ".") for own in self.own_paths)

    # --- tables and modules ---

    def _members(self) -> dict[tuple[Symbol, str], list[tuple[tree.Node, tree.Expr | None]]]:
        """What is stored in tables under literal keys: by variable and key, the places and values."""
        found: dict[tuple[Symbol, str], list[tuple[tree.Node, tree.Expr | None]]] = defaultdict(
            list
        )

        def store(target: tree.Expr, value: tree.Expr | None) -> None:
            if isinstance(target, tree.Index) and isinstance(target.key, tree.String):
                base = target.object
                if isinstance(base, tree.Name):
                    found[self.scopes.of(base), target.key.value].append((target, value))

        for node in self.nodes:
            if isinstance(node, tree.FunctionStat):
                store(node.target, node.function)
            elif isinstance(node, tree.Assign):
                values = [*node.values, *[None] * len(node.targets)]
                for target, value in zip(node.targets, values, strict=False):
                    store(target, value)
        for symbol, value in self.definitions.items():
            if isinstance(value, tree.TableConstructor):
                for entry in value.fields:
                    if isinstance(entry.key, tree.String):
                        found[symbol, entry.key.value].append((entry, entry.value))
        return found

    def _module(self, call: tree.Call) -> Module:
        first = call.args[0] if call.args else None
        name = first if isinstance(first, tree.String) else None
        module = Module(call, name)
        table = call.args[1] if len(call.args) > 1 else None
        if isinstance(table, tree.TableConstructor):
            for entry in table.fields:
                if isinstance(entry.key, tree.String):
                    module.members[entry.key.value] = entry, entry.value
            module.complete = all(isinstance(entry.key, tree.String) for entry in table.fields)
        elif isinstance(table, tree.Name):
            symbol = self.scopes.of(table)
            for (owner, key), stored in self.members.items():
                if owner is symbol:
                    module.members[key] = stored[-1]
            module.complete = self._in_sight(symbol, call)
        return module

    def _in_sight(self, symbol: Symbol, call: tree.Call) -> bool:
        """Whether a table is made here and only ever indexed with literal keys."""
        if not isinstance(self.definitions.get(symbol), tree.TableConstructor):
            return False
        plain = {
            node.object
            for node in self.nodes
            if isinstance(node, tree.Index) and isinstance(node.key, tree.String)
        } | {node.object for node in self.nodes if isinstance(node, tree.Invoke)}
        return all(read in plain or read in call.args for read in symbol.reads)

    def _hooks(self) -> Iterator[Hook]:
        for module in self.modules:
            for key, (place, value) in module.members.items():
                function = self.definition(value) if value is not None else None
                if key in callouts() and isinstance(function, tree.Function):
                    yield Hook(callouts()[key], function, place)

    # --- functions and calls ---

    def calls(self) -> Iterator[tree.Call]:
        return (node for node in self.nodes if isinstance(node, tree.Call))

    def _enclosing(self) -> dict[tree.Node, tree.Function | tree.Chunk]:
        """The function that each node stands in."""
        found: dict[tree.Node, tree.Function | tree.Chunk] = {}
        stack: list[tuple[tree.Node, tree.Function | tree.Chunk]] = [(self.chunk, self.chunk)]
        while stack:
            node, owner = stack.pop()
            found[node] = owner
            inner = node if isinstance(node, tree.Function) else owner
            stack.extend((child, inner) for child in children(node))
        return found

    def callee(self, call: tree.Call | tree.Invoke) -> tree.Function | None:
        """The function of this script that a call runs, if that is certain."""
        if isinstance(call, tree.Invoke):
            value = self._member(call.object, call.name)
        elif isinstance(call.function, tree.Index) and isinstance(call.function.key, tree.String):
            value = self._member(call.function.object, call.function.key.value)
        else:
            value = self.definition(call.function)
        return value if isinstance(value, tree.Function) else None

    def _member(self, table: tree.Expr, key: str) -> tree.Expr | None:
        """What a table of this script certainly holds under a key."""
        if not isinstance(table, tree.Name):
            return None
        stored = self.members.get((self.scopes.of(table), key), [])
        value = stored[0][1] if len(stored) == 1 else None
        return self.definition(value) if value is not None else None

    # --- userdata ---

    def _receivers(self) -> dict[Symbol, str]:
        """The variables that certainly hold a message, validation context and so on, by the catalogue's word."""
        found: dict[Symbol, str] = {}
        for hook in self.hooks:
            params = hook.function.params
            if params and params[0].id == "self":
                for param, argument in zip(params[1:], hook.callout.arguments, strict=False):
                    word = known.RECEIVERS.get(argument)
                    if word and not self.scopes.of(param).writes:
                        found[self.scopes.of(param)] = word
        for symbol, value in self.definitions.items():
            word = self._made(value)
            if word and not symbol.is_global:
                found[symbol] = word
        for _ in range(4):  # helpers of helpers: chosen, deeper ones stay unknown
            if not self._spread(found):
                break
        return found

    def _made(self, value: tree.Expr | None) -> str:
        """What the catalogue says a call makes."""
        if not isinstance(value, tree.Call):
            return ""
        rows = known.rows(self.path(value.function))
        kinds = {row.results[0].kinds for row in rows if row.results}
        if len(kinds) != 1:
            return ""
        (kind,) = kinds
        return known.RECEIVERS.get(kind[0], "") if len(kind) == 1 else ""

    def _spread(self, found: dict[Symbol, str]) -> bool:
        """Give parameters what every call in sight passes; whether anything was learned."""
        passed: dict[Symbol, set[str]] = defaultdict(set)
        called: set[tree.Function] = set()
        for node in self.nodes:
            if isinstance(node, tree.Call | tree.Invoke) and (function := self.callee(node)):
                called.add(function)
                args: list[tree.Expr] = list(node.args)
                if isinstance(node, tree.Invoke):
                    args.insert(0, node.object)
                for param, arg in zip(function.params, args, strict=False):
                    known_as = (
                        found.get(self.scopes.of(arg), "") if isinstance(arg, tree.Name) else ""
                    )
                    passed[self.scopes.of(param)].add(known_as)
        hooked = {hook.function for hook in self.hooks}
        learned = {
            symbol: words.pop()
            for symbol, words in passed.items()
            if symbol not in found
            and symbol.owner not in hooked
            and words != {""}
            and len(words) == 1
            if not symbol.writes
        }
        found.update(learned)
        return bool(learned)

    def receiver(self, node: tree.Expr) -> str:
        return self.receivers.get(self.scopes.of(node), "") if isinstance(node, tree.Name) else ""
