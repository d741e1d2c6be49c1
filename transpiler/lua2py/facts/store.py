"""What the passes learn about a chunk, in tables beside its tree.

Filled by `functions` and `infer`, read by lowering. Nothing here decides how Python looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lua2py import tree
from lua2py.facts import library
from lua2py.facts.kinds import ANY, NOTHING, STRING, Kind, Site
from lua2py.facts.paths import Paths
from lua2py.scopes import Scopes, Symbol
from msys.catalog import Callout

AnyCall = tree.Call | tree.Invoke


@dataclass(frozen=True, slots=True)
class Siblings:
    """What the other files of a generation do to things that all files share."""

    globals: frozenset[str] = frozenset()  # names that another file reads or writes
    written: frozenset[str] = frozenset()  # names that another file writes
    metamethods: frozenset[str] = frozenset()  # `__index`, `__eq` ... that another file mentions
    dynamic: bool = False  # another file uses `_G`, `setfenv`, `loadstring` or `module`


@dataclass(eq=False, slots=True)
class FunctionFacts:
    """One function of the chunk."""

    node: tree.Function
    symbol: Symbol | None = None  # the name it is bound to for good
    closed: bool = False  # every use of it is a call that this file makes by that name
    calls: list[tree.Call] = field(default_factory=list)  # of a closed function
    exact: bool = False  # no call passes more than it takes
    fewest: int = 0  # arguments that every call passes
    callout: Callout | None = None
    returns: list[tree.Return] = field(default_factory=list)
    again: set[tree.Return] = field(default_factory=set)  # that call it again, in a loop
    falls_off: bool = False  # its end can be reached
    listed: bool = False  # some call wants however many results there are
    arity: int | None = None  # how many results every call gives; None: differs
    given: int | None = (
        None  # an anonymous one: how many arguments the library function it goes to will pass
    )
    lent: list[tree.Call] = field(default_factory=list)  # library calls that it is given to
    params: list[Kind] = field(default_factory=list)
    results: list[Kind] = field(default_factory=list)  # when arity is known

    @property
    def is_seen(self) -> bool:
        """Whether every call of it is known: this file's own, or of a library function that says what it passes."""
        return (
            bool(self.lent) and self.symbol is None or self.closed and bool(self.calls or self.lent)
        )


@dataclass(eq=False, slots=True)
class Match:
    """Names that the captures of one match are given to: all nil, or none, as long as all hold what it gave."""

    names: tuple[Symbol, ...]
    intact: Symbol  # stands among the kinds of the moment for that long


@dataclass(slots=True)
class Facts:
    """Everything known about one chunk."""

    scopes: Scopes
    paths: Paths
    siblings: Siblings
    functions: dict[tree.Function, FunctionFacts] = field(default_factory=dict)
    by_symbol: dict[Symbol, FunctionFacts] = field(default_factory=dict)
    kinds: dict[tree.Node, Kind] = field(
        default_factory=dict
    )  # of each expression and each declared name
    symbols: dict[Symbol, Kind] = field(default_factory=dict)  # over all assignments
    methods: dict[tree.Invoke, tuple[Kind, ...]] = field(
        default_factory=dict
    )  # results, where the class is known
    metamethods: frozenset[str] = frozenset()
    private: set[Symbol] = field(default_factory=set)  # globals of this file alone
    module_call: tree.Stat | None = None  # `module("name", package.seeall)`
    seeall: bool = False
    dropped: set[Symbol] = field(default_factory=set)  # declared bare, and assigned before any use
    first_writes: dict[tree.Expr, tree.Param] = field(
        default_factory=dict
    )  # ... by this, which declares it
    arg_symbols: dict[tree.Function, Symbol] = field(
        default_factory=dict
    )  # where 5.0's `arg` table is used
    mates: dict[Symbol, Match] = field(default_factory=dict)  # of each name of a match, the match
    lists: set[tree.Node] = field(default_factory=set)  # constructors of Python's own lists
    sites: dict[tuple[tree.Node, int], Site] = field(default_factory=dict)  # where tables are made
    early: set[Symbol] = field(
        default_factory=set
    )  # private globals that the main block assigns before any use

    def kind(self, node: tree.Node) -> Kind:
        """The kind of an expression's first value; of a declared name, over its first assignment."""
        found = self.kinds.get(node, ANY)
        return found if found != NOTHING else ANY

    def symbol_kind(self, symbol: Symbol) -> Kind:
        """The kind over every assignment of a name."""
        found = self.symbols.get(symbol, ANY)
        return found if found != NOTHING else ANY

    def mentions(self, *names: str) -> bool:
        """Whether any file of the generation so much as names one of these metamethods."""
        return any(name in self.metamethods or name in self.siblings.metamethods for name in names)

    def is_pure_call(self, node: AnyCall) -> bool:
        """Whether a call runs nothing of the script's, changes no table and waits for nobody."""
        name = self.library_name(node)
        return name in library.FUNCTIONS and library.FUNCTIONS[name].pure

    def library_name(self, node: AnyCall) -> str:
        """The documented function that a call is known to reach, or empty."""
        if isinstance(node, tree.Call):
            return self.paths.function(node.function) or ""
        return f"string.{node.name}" if self.kind(node.object).within(STRING) else ""

    def callee(self, call: tree.Expr) -> FunctionFacts | None:
        """The function of this chunk that a call surely reaches."""
        if isinstance(call, tree.Call) and isinstance(call.function, tree.Name):
            return self.by_symbol.get(self.scopes.of(call.function))
        return None
