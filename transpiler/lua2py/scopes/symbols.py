"""What scopes knows of a chunk: its symbols, and who uses them where.

Facts of the text alone: where a symbol is declared, read, written and called, which functions capture it,
whether each turn of a loop makes a new one. Knows nothing of kinds, of msys, or of Python.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lua2py import tree
from lua2py.walk import Index

Owner = tree.Function | tree.Chunk

LOCAL, PARAM, LOOP, ARG, GLOBAL = "local", "param", "loop", "arg", "global"


@dataclass(eq=False, slots=True)
class Symbol:
    """A local, parameter, loop variable or global, or the `arg` that vararg functions have unasked.

    owner: the function that declares it; None for a global. loop: the innermost loop in the owner whose every
    turn declares it anew. shadows: the symbol of the same name that it hides.
    """

    name: str
    kind: str
    owner: Owner | None
    declaration: tree.Param | None
    block: tree.Block | None = None
    loop: tree.Stat | None = None
    shadows: Symbol | None = None
    reads: list[tree.Name] = field(default_factory=list)
    writes: list[tree.Name] = field(default_factory=list)  # assignments after the declaration
    callees: set[tree.Name] = field(default_factory=set)  # reads that are what a call calls
    captured_by: set[tree.Function] = field(default_factory=set)

    @property
    def is_global(self) -> bool:
        return self.owner is None

    @property
    def is_param(self) -> bool:
        return self.kind == PARAM

    @property
    def captured(self) -> bool:
        """Whether a function inside its owner uses it: an upvalue."""
        return bool(self.captured_by)

    @property
    def fresh_each_turn(self) -> bool:
        """Whether closures of different turns of a loop must see different variables."""
        return self.captured and self.loop is not None

    @property
    def only_called(self) -> bool:
        return all(read in self.callees for read in self.reads)


@dataclass(eq=False, slots=True)
class Scopes:
    """The result for one chunk."""

    chunk: tree.Chunk
    index: Index
    symbols: dict[tree.Node, Symbol] = field(default_factory=dict)  # by Name and Param
    locals: list[Symbol] = field(default_factory=list)  # in order of declaration
    globals: dict[str, Symbol] = field(default_factory=dict)
    functions: list[tree.Function] = field(default_factory=list)  # outermost first, in source order
    parents: dict[Owner, Owner | None] = field(default_factory=dict)
    owner_of: dict[tree.Node, Owner] = field(default_factory=dict)  # of each Name
    loop_of: dict[tree.Node, tree.Stat | None] = field(default_factory=dict)  # around each Name
    args: dict[tree.Function, Symbol] = field(default_factory=dict)  # the `arg` of vararg functions
    written: dict[Owner, dict[Symbol, None]] = field(default_factory=dict)  # what its text assigns
    spreading: set[Owner] = field(default_factory=set)  # functions whose own text has `...`
    free: dict[Owner, set[Symbol]] = field(default_factory=dict)  # locals of outer functions in use
    loops: dict[tree.Function, tree.Stat | None] = field(default_factory=dict)  # it is made in

    def of(self, node: tree.Name | tree.Param) -> Symbol:
        return self.symbols[node]

    def is_global(self, node: tree.Expr, name: str = "") -> bool:
        """Whether node is a use of a global (of that name)."""
        return (
            isinstance(node, tree.Name)
            and self.symbols[node].is_global
            and (not name or node.id == name)
        )

    @property
    def globals_read(self) -> set[str]:
        return {name for name, symbol in self.globals.items() if symbol.reads}

    @property
    def globals_written(self) -> set[str]:
        return {name for name, symbol in self.globals.items() if symbol.writes}

    def of_function(self, owner: Owner) -> list[Symbol]:
        """The symbols a function declares itself."""
        return [symbol for symbol in self.locals if symbol.owner is owner]
