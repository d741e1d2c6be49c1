"""Dotted names that mean one known thing in every run: `string.format`, `msys.core.VALIDATE_CONT`.

A global that no file assigns, a field below it, or a local that is declared as one of those and never assigned
again. Everything else is looked up when the program runs.
"""

from __future__ import annotations

from lua2py import tree
from lua2py.facts import catalogue, library
from lua2py.scopes import Scopes, Symbol
from lua2py.tree import Call, Expr, Index, Name, String

Path = tuple[str, ...]

_ROOTS = library.LIBRARIES | library.BASE | catalogue.ROOTS


def known_packages() -> frozenset[str]:
    """What `require` finds without a file."""
    return frozenset(catalogue.loadable() | library.LIBRARIES)


class Paths:
    """Answers for one chunk."""

    def __init__(self, scopes: Scopes, shared_writes: frozenset[str] = frozenset()) -> None:
        self.scopes = scopes
        self.written: set[Path] = {(name,) for name in shared_writes}
        self.aliases: dict[Symbol, Path] = {}
        self.replaced = {
            name for name, symbol in scopes.globals.items() if symbol.writes
        } | shared_writes
        self._collect()

    def of(self, node: Expr) -> Path | None:
        """The path an expression spells, or None when it isn't fixed."""
        match node:
            case Name():
                symbol = self.scopes.of(node)
                if symbol.is_global:
                    return (
                        (node.id,) if node.id in _ROOTS and node.id not in self.replaced else None
                    )
                return self.aliases.get(symbol)
            case Index(object=object_, key=String(value=key)):
                path = self.of(object_)
                if path is None or (*path, key) in self.written:
                    return None
                return (*path, key)
            case Call():
                return self.required(node)
        return None

    def required(self, node: Expr) -> Path | None:
        """The package that `require("msys.core")` means."""
        name = self.required_name(node)
        if name is None or name not in known_packages():
            return None
        path = tuple(name.split("."))
        return path if path[0] not in self.replaced else None

    def required_name(self, node: Expr) -> str | None:
        """What a call of the standard `require` asks for, when that is a literal."""
        match node:
            case Call(function=Name(id="require") as function, args=[String(value=name)]):
                symbol = self.scopes.of(function)
                if symbol.is_global and "require" not in self.replaced:
                    return name
        return None

    def function(self, node: Expr) -> str | None:
        """The name of the documented function that an expression is: `string.format`, `msys.pcre.match`."""
        path = self.of(node)
        if path is None:
            return None
        name = ".".join(path)
        return name if name in library.FUNCTIONS or catalogue.is_function(name) else None

    def is_known(self, path: Path) -> bool:
        """Whether Python can spell it: a function or a constant, not a package as a value."""
        name = ".".join(path)
        return (
            name in library.FUNCTIONS
            or name in library.CONSTANTS
            or catalogue.is_function(name)
            or catalogue.is_constant(name)
        )

    def is_package(self, path: Path) -> bool:
        return (
            len(path) == 1
            and path[0] in library.LIBRARIES
            or ".".join(path) in catalogue.packages()
        )

    # --- finding aliases ----------------------------------------------------------------------------------

    def _collect(self) -> None:
        index = self.scopes.index
        for assigned in index.of(tree.Assign):
            for target in assigned.targets:
                self._note_write(target)
        for stated in index.of(tree.FunctionStat):
            self._note_write(stated.target)
        for declared in index.of(tree.Local):
            for param, value in zip(declared.names, declared.values, strict=False):
                symbol = self.scopes.of(param)
                if not symbol.writes:
                    self._note_alias(symbol, value)

    def _note_alias(self, symbol: Symbol, value: Expr) -> None:
        path = self.of(value)
        if path is None:
            return
        if not self.is_package(path):
            if self.is_known(path):
                self.aliases[symbol] = path
        elif all(self._leads_to_known(read, path) for read in symbol.reads):
            self.aliases[symbol] = path

    def _is_stored(self, place: Index) -> bool:
        """Whether a field is what a statement stores into."""
        match self.scopes.index.parents[place]:
            case tree.Assign(targets=targets):
                return place in targets
            case tree.FunctionStat(target=target):
                return place is target
        return False

    def _note_write(self, target: Expr) -> None:
        match target:
            case Index(object=object_, key=String(value=key)):
                path = self.of(object_)
                if path is not None:
                    self.written.add((*path, key))

    def _leads_to_known(self, read: tree.Node, path: Path) -> bool:
        """Whether a use of a package goes on to a name of it that is known."""
        parents = self.scopes.index.parents
        parent = parents[read]
        match parent:
            case Index(object=object_, key=String(value=key)) if object_ is read:
                longer = (*path, key)
                if longer in self.written or self._is_stored(parent):
                    return False
                return self.is_known(longer) or (
                    self.is_package(longer) and self._leads_to_known(parent, longer)
                )
        return False
