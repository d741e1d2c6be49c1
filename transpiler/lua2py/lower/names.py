"""The Python name of every local, parameter and private global, and where each is kept.

Two locals of one function share a Python name where Lua's scopes can't be told apart by it; otherwise the later one
gets a number. A local that a closure made in a loop can change is kept in a one-element list, so that each turn has
its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from lua2py import tree
from lua2py.facts.contents import has_elements, is_python_list
from lua2py.facts.kinds import annotation
from lua2py.facts.store import Facts
from lua2py.naming import free, python_name
from lua2py.scopes import Owner, Symbol

LOOPS = (tree.While, tree.Repeat, tree.NumericFor, tree.GenericFor)


class Names:
    """Names of one chunk; `main_function` says that the main block is emitted as a function."""

    def __init__(self, facts: Facts, main_function: bool) -> None:
        self.facts = facts
        self.main_function = main_function
        self.of: dict[Symbol, str] = {}
        self.imported: dict[Symbol, str] = {}
        self.taken: dict[Owner, set[str]] = {}
        self.module: set[str] = set()
        self.boxed: set[Symbol] = set()
        self.late = set(facts.first_writes.values())
        self.own_loops = _recursive_in_loops(facts)
        self._assign()

    def is_module_level(self, symbol: Symbol) -> bool:
        """Whether Python keeps it as a global of the module."""
        if symbol.is_global:
            return True
        return isinstance(symbol.owner, tree.Chunk) and not self.main_function

    def bound_early(self, symbol: Symbol) -> bool:
        """Whether a closure has to take its value when it is made: another turn of the loop has another."""
        return symbol.captured and symbol.loop is not None and symbol not in self.boxed

    def fresh(self, owner: Owner, wanted: str) -> str:
        """A name that is new to a function and everything around it."""
        seen = [self.module]
        outer: Owner | None = owner
        while outer is not None:
            seen.append(self.taken[outer])
            outer = self.facts.scopes.parents[outer]
        found = free(wanted, *seen)
        self.taken[owner].add(found)
        return found

    def needs_annotation(self, symbol: Symbol) -> bool:
        """Whether Python's type checker would take its first value for all it can be."""
        if symbol.declaration is None or symbol in self.facts.by_symbol:
            return False
        made = self.facts.kind(symbol.declaration)
        if is_python_list(made):
            return (
                " | " in annotation(made) or "[Any]" in annotation(made) or not has_elements(made)
            )
        if not symbol.writes:
            return False
        first = annotation(self.facts.kind(symbol.declaration))
        return first != "Any" and first != annotation(self.facts.symbol_kind(symbol))

    # --- assigning ----------------------------------------------------------------------------------------

    def _assign(self) -> None:
        scopes = self.facts.scopes
        for symbol in scopes.locals:
            if (
                symbol.captured
                and symbol.loop is not None
                and (symbol.writes or symbol in self.own_loops)
            ):
                self.boxed.add(symbol)
        for symbol in scopes.globals.values():
            if symbol in self.facts.private:
                self.of[symbol] = free(python_name(symbol.name), self.module)
                self.module.add(self.of[symbol])
        by_owner: dict[Owner, list[Symbol]] = {scopes.chunk: []}
        for function in scopes.functions:
            by_owner[function] = []
        for symbol in scopes.locals:
            if symbol.owner is not None:
                by_owner[symbol.owner].append(symbol)
        globals_of = self._globals_by_owner()
        for owner, symbols in by_owner.items():
            around = {self.of[symbol] for symbol in scopes.free[owner] if symbol in self.of}
            around |= globals_of.get(owner, set())
            self._assign_owner(owner, symbols, around)

    def _globals_by_owner(self) -> dict[Owner, set[str]]:
        """The module-level names of private globals that a function or one inside it uses."""
        scopes = self.facts.scopes
        found: dict[Owner, set[str]] = {}
        for symbol in self.facts.private:
            for use in (*symbol.reads, *symbol.writes):
                owner: Owner | None = scopes.owner_of[use]
                while owner is not None:
                    found.setdefault(owner, set()).add(self.of[symbol])
                    owner = scopes.parents[owner]
        return found

    def _assign_owner(self, owner: Owner, symbols: list[Symbol], around: set[str]) -> None:
        module_level = isinstance(owner, tree.Chunk) and not self.main_function
        taken = set(around)
        if module_level:
            taken |= self.module
        holders: dict[str, dict[str, list[Symbol]]] = {}  # by the name wanted and the name given
        for symbol in symbols:
            if symbol in self.facts.dropped and not symbol.reads and not symbol.writes:
                if symbol.declaration not in self.late:
                    continue  # declared and never used: it is not emitted
            alias = self.facts.paths.aliases.get(symbol)
            if alias is not None and alias[-1] == symbol.name and len(alias) == 1:
                self.imported[symbol] = (
                    symbol.name
                )  # `local string = string`: the import is the name
                continue
            wanted = python_name(symbol.name)
            found = free(wanted, taken)
            if self._can_share(symbol):
                others = holders.setdefault(wanted, {})
                fits = (name for name, having in others.items() if self._fits(symbol, having))
                found = found if found == wanted else next(fits, found)
                others.setdefault(found, []).append(symbol)
            self.of[symbol] = found
            taken.add(found)
        self.taken[owner] = taken
        if module_level:
            self.module |= taken

    def _can_share(self, symbol: Symbol) -> bool:
        """Whether other locals of its function could ever have its name too."""
        return (
            not symbol.captured
            and symbol.declaration is not None
            and not self.needs_annotation(symbol)
        )

    def _fits(self, symbol: Symbol, holders: list[Symbol]) -> bool:
        """Whether a name can serve one more local without those that have it noticing.

        They are in source order, and each is done before the next begins.
        """
        if symbol.is_param:
            return False
        if symbol.name == "_" and not any(each.reads or each.writes for each in (symbol, *holders)):
            return True
        last = holders[-1]
        return (
            annotation(self.facts.symbol_kind(last)) == annotation(self.facts.symbol_kind(symbol))
            and _last_use(last) <= _first_place(symbol)
            and not any(
                self._lives_at(holders, loop.span.start) for loop in self._loops_around(symbol)
            )
        )

    def _lives_at(self, holders: list[Symbol], position: int) -> bool:
        """Whether one of them is declared before a position and used after it: the start of a loop that comes back."""
        place = bisect_left(holders, position, key=_first_place)
        return place > 0 and _last_use(holders[place - 1]) >= position

    def _loops_around(self, symbol: Symbol) -> Iterator[tree.Node]:
        """The loops of its function that it is declared in."""
        parents = self.facts.scopes.index.parents
        around: tree.Node | None = symbol.loop
        while around is not None and around is not symbol.owner:
            if isinstance(around, LOOPS):
                yield around
            around = parents.get(around)


def _first_place(symbol: Symbol) -> int:
    return symbol.declaration.span.start if symbol.declaration else -1


def _last_use(symbol: Symbol) -> int:
    return max((use.span.start for use in (*symbol.reads, *symbol.writes)), default=-1)


def _recursive_in_loops(facts: Facts) -> set[Symbol]:
    """Local functions made in a loop that call themselves."""
    return {
        known.symbol
        for node, known in facts.functions.items()
        if known.symbol is not None
        and known.symbol.loop is not None
        and known.symbol in facts.scopes.free[node]
    }
