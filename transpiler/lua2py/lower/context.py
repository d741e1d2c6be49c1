"""What lowering carries along: facts, names, what the module will import, where each Python node came from.

One Context per module. `prelude` collects statements that must stand before the one being lowered: the bodies of
functions that have no name, and values that Lua computes first.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from lua2py import tree
from lua2py.facts.kinds import Kind, annotation
from lua2py.facts.store import Facts, FunctionFacts
from lua2py.lower import build
from lua2py.lower.names import Names
from lua2py.lower.registry import EXPRESSIONS, STATEMENTS
from lua2py.naming import free, from_text
from lua2py.polish.expressions import Layout
from lua2py.scopes import Owner, Symbol
from lua2py.walk import nodes

What = str | list[str]

_CLASS = re.compile(r"%.|\[[^\]]*\]")  # of a Lua pattern: what stands for other characters
_CLASSES = {
    "a": "letters",
    "c": "control",
    "d": "digits",
    "l": "lower",
    "p": "punctuation",
    "s": "blanks",
    "u": "upper",
    "w": "word",
    "x": "hexadecimal",
}
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{2,}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a Python node came from, and how Lua names what it touches."""

    span: tree.Span
    what: What = ""


class Failed(Exception):
    """A mistake of ours, met at this place of the script; the cause says which."""

    def __init__(self, span: tree.Span) -> None:
        super().__init__()
        self.span = span


@dataclass(eq=False)
class Context:
    """Everything that lowering one chunk reads and collects."""

    facts: Facts
    names: Names
    std: str = "thr"
    layout: Layout = field(default_factory=Layout)
    origins: dict[ast.AST, Origin] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)  # from msys.lua
    helpers: dict[str, list[ast.Name]] = field(default_factory=dict)  # every use of each import
    roots: set[str] = field(default_factory=set)  # msys, json, thread
    typing: set[str] = field(default_factory=set)  # Any, Callable
    patterns: dict[str, str] = field(default_factory=dict)  # Lua pattern -> hoisted name
    owner: Owner = field(init=False)
    prelude: list[ast.stmt] = field(default_factory=list)
    entries: dict[tree.Field, ast.expr] = field(
        default_factory=dict
    )  # the value of each table field
    lowered: dict[tree.Stat, list[ast.stmt]] = field(
        default_factory=dict
    )  # what each statement became
    functions: dict[ast.FunctionDef, tree.Function] = field(default_factory=dict)
    blocks: dict[tree.Block, list[ast.stmt]] = field(default_factory=dict)
    annotated: dict[Owner, set[str]] = field(default_factory=dict)  # names whose type has been said
    loose_comments: list[str] = field(default_factory=list)  # of a chunk without statements
    branches: dict[tree.If, list[ast.If]] = field(default_factory=dict)
    first_statement: ast.stmt | None = None  # of the chunk, when something of ours stands before it
    uses_globals: bool = False
    module_name: str = ""  # the Python name of `module(...)`'s table
    after_module_call: int | None = None  # source offset after which globals are fields of it
    hint: str = ""  # what a nameless function or value might be called

    def __post_init__(self) -> None:
        self.owner = self.facts.scopes.chunk

    # --- the two questions lowering asks everywhere -------------------------------------------------------

    def value(self, node: tree.Expr) -> ast.expr:
        """An expression cut to one value."""
        return EXPRESSIONS[type(node)](self, node)

    def statement(self, node: tree.Stat) -> list[ast.stmt]:
        """A statement, with what has to stand before it."""
        outer, self.prelude = self.prelude, []
        try:
            lowered = STATEMENTS[type(node)](self, node)
        except Failed:
            raise
        except Exception as error:
            raise Failed(node.span) from error
        result = self.prelude + lowered
        self.prelude = outer
        self.lowered[node] = result
        for statement in result:
            self.origins.setdefault(statement, Origin(node.span))
        return result

    def kind(self, node: tree.Node) -> Kind:
        return self.facts.kind(node)

    # --- names ------------------------------------------------------------------------------------------

    def lua(self, name: str) -> ast.expr:
        """A name that generated modules import from `msys.lua`."""
        self.imports.add(name)
        made = build.name(name)
        self.helpers.setdefault(name, []).append(made)
        return made

    def settle_imports(self) -> dict[str, str]:
        """Helpers whose names the script uses for something else, and the names they are imported under."""
        taken = set(self.names.of.values()).union(*self.names.taken.values(), self.names.module)
        renamed = {name: free(f"lua_{name}", taken) for name in self.imports if name in taken}
        for name, other in renamed.items():
            for made in self.helpers.get(name, ()):
                made.id = other
        return renamed

    def root(self, name: str) -> ast.expr:
        """`msys` or another package that Lua reaches as a global."""
        self.roots.add(name)
        return build.name(name)

    def python_name(self, symbol: Symbol) -> str:
        return self.names.imported.get(symbol) or self.names.of[symbol]

    def fresh(self, wanted: str) -> str:
        return self.names.fresh(self.owner, wanted)

    def name_near(self, default: str) -> str:
        """A new name from what the value is for."""
        return self.fresh(from_text(self.hint, default) if self.hint else default)

    def known_function(self) -> FunctionFacts | None:
        """The function being lowered; None in the main block."""
        return self.facts.functions[self.owner] if isinstance(self.owner, tree.Function) else None

    def globals_table(self) -> ast.expr:
        """`G`, the table of all Lua globals."""
        self.uses_globals = True
        return build.name("G")

    # --- annotations --------------------------------------------------------------------------------------

    def annotation(self, kind: Kind) -> ast.expr:
        """The Python type of a kind, with what it needs imported."""
        return self.type_text(annotation(kind))

    def type_text(self, text: str) -> ast.expr:
        for word in ("Any", "Callable"):
            if word in text:
                self.typing.add(word)
        for word in ("Table", "Coroutine"):
            if word in text:
                self.imports.add(word)
        if "msys." in text:
            self.roots.add("msys")
        return build.parsed(text)

    # --- origins ------------------------------------------------------------------------------------------

    def mark(self, made: ast.expr, node: tree.Node, what: What = "") -> ast.expr:
        """Remember where a Python node came from."""
        self.origins[made] = Origin(node.span, what)
        return made

    def mark_statement(self, made: ast.stmt, node: tree.Node) -> None:
        self.origins[made] = Origin(node.span)

    def value_of_call(self, node: tree.Expr) -> ast.expr:
        """An expression that is computed for what it does; a call of a function without results stays one."""
        from lua2py.lower.expressions import calls

        if isinstance(node, tree.Call | tree.Invoke):
            return calls.make(self, node).value
        return self.value(node)

    def hides_base(self, name: tree.Name) -> bool:
        """Whether `module(...)` without package.seeall has taken a base function away."""
        after = self.after_module_call
        return after is not None and not self.facts.seeall and name.span.start >= after

    def describe(self, node: tree.Expr) -> str:
        """How Lua's error texts name an expression."""
        match node:
            case tree.Name(id=name):
                symbol = self.facts.scopes.of(node)
                if symbol.is_global:
                    return f"global '{name}'"
                return f"local '{name}'" if symbol.owner is self.owner else f"upvalue '{name}'"
            case tree.Index(key=tree.String(value=key)):
                return f"field '{key}'"
            case tree.Index():
                return "field '?'"
            case tree.Binary(op="and", left=tree.String() | tree.Number(), right=right):
                return self.describe(right)
            case tree.Paren(inner=inner) if not isinstance(inner, tree.Call | tree.Invoke):
                return self.describe(inner)
        return ""

    # --- values computed first ------------------------------------------------------------------------------

    def stored_first(self, value: ast.expr, wanted: str) -> ast.expr:
        """Compute a value before the statement that is being lowered."""
        if isinstance(value, ast.Constant):
            return value
        name = self.fresh(wanted)
        self.prelude.append(build.assign(build.stored(name), value))
        return build.name(name)

    # --- purity ---------------------------------------------------------------------------------------------

    def is_constant(self, node: tree.Expr) -> bool:
        """Whether an expression gives the same value whenever it is computed, whatever runs in between."""
        match node:
            case tree.Nil() | tree.Boolean() | tree.Number() | tree.String() | tree.Function():
                return True
            case tree.Name():
                symbol = self.facts.scopes.of(node)
                if symbol.is_global:
                    return self.facts.paths.of(node) is not None or symbol in self.facts.by_symbol
                return not symbol.writes or not symbol.captured
            case tree.Index():
                path = self.facts.paths.of(node)
                return path is not None and self.facts.paths.is_known(path)
        return False

    def is_harmless(self, node: tree.Expr) -> bool:
        """Whether computing an expression changes nothing that others could see."""
        for part in nodes(node):
            match part:
                case tree.Call() | tree.Invoke() if not self.facts.is_pure_call(part):
                    return False
                case tree.Function():
                    return True
        return True

    def pattern(self, text: str) -> ast.expr:
        """The hoisted `Pattern` of a literal Lua pattern."""
        if text not in self.patterns:
            near = self.hint or _spoken(text)
            name = "_" + (from_text(near, "pattern") if near else "pattern").strip("_").upper()
            self.patterns[text] = free(name, self.names.module)
            self.names.module.add(self.patterns[text])
        return build.name(self.patterns[text])


def _spoken(pattern: str) -> str:
    """A Lua pattern in words: those that it spells, or else the classes of characters that it looks for."""
    words = _WORD.findall(_CLASS.sub(" ", pattern))
    if not words:
        letters = [found[1].lower() for found in re.findall(r"%[a-zA-Z]", pattern)]
        words = list(dict.fromkeys(_CLASSES[letter] for letter in letters if letter in _CLASSES))
    return "_".join(words[:3])
