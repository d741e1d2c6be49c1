"""Why a helper stands in the Python where a plain operator could: what a writer of policy can do about speed.

Reads what lowering has made and what the facts know of the operands; changes nothing. Helpers that are simply what a
construct is (`print`, `table_of`) are not told.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from lua2py import tree
from lua2py.facts import kinds
from lua2py.facts.kinds import Kind
from lua2py.lower.context import Context
from lua2py.source import SourceFile
from lua2py.walk import nodes


@dataclass(frozen=True, slots=True)
class Fallback:
    """One helper: the expression it stands for, and why in one line."""

    span: tree.Span
    helper: str
    reason: str


# What plain Python needs of each operand, by helper, in words and as kinds.
_NUMBER = ("a number", kinds.NUMBER)
_WHOLE = ("a whole number", kinds.WHOLE)
_ORDERED = ("a number, or both strings", kinds.NUMBER)
_TEXT = ("a string or a number", kinds.SCALAR)
_TABLE = ("a table", kinds.TABLE | kinds.USERDATA)
NEEDS: dict[str, tuple[str, Kind]] = {
    **dict.fromkeys(("add", "sub", "mul", "div", "mod", "intdiv", "power", "neg"), _NUMBER),
    **dict.fromkeys(("band", "bor", "bxor", "shl", "shr", "bnot"), _WHOLE),
    **dict.fromkeys(("lt", "le", "gt", "ge"), _ORDERED),
    "eq": ("two strings or two numbers", kinds.STRING | kinds.NUMBER),
    "cstr": _TEXT,
    "concat": _TEXT,
    "index": _TABLE,
    "setindex": _TABLE,
    "nonnil": ("there", kinds.ANY.without(kinds.NIL)),
    "length": ("a string", kinds.STRING),
    "invoke": ("a table or an object of msys", kinds.USERDATA),
    "call_method": ("a table or an object of msys", kinds.USERDATA),
    "truthy": ("a boolean, or never false", kinds.BOOLEAN),
    "numeric_for": _NUMBER,
}
# Why a helper stays where all operands are what they should be.
OTHERWISE = {
    "mul": "the product may pass 2^53, where Lua's numbers are no whole numbers any more",
    "div": "the divisor may be zero: Lua answers inf or nan, Python raises",
    "mod": "the divisor may be zero, or an operand a fraction, which Lua rounds otherwise",
    "intdiv": "the divisor may be zero, or an operand a fraction",
    "power": "Lua's power is a float and never raises",
    "shl": "Lua shifts within 64 bits",
    "shr": "Lua shifts within 64 bits",
    "index": "the key may be of a kind that Python's dict does not keep apart (`1` and `true`)",
    "setindex": "the key may be nil, nan or a boolean, or the value nil where a metatable would see it",
    "length": "the table may have holes, or a length that a metatable gives",
    "eq": "one side may be a boolean, which Python takes for 0 or 1, or have a metatable with __eq",
    "concat": "a metatable may give the result",
    "cstr": "another helper gives it",
    "numeric_for": "the step may be a fraction or zero",
}  # fmt: skip
COUNTS = {
    "first": "one result is wanted",
    "adjust": "a fixed number of results is wanted",
    "values": "all results are wanted",
    "pack": "all results are wanted",
    "forward": "all results are passed on",
    "call": "all results are wanted",
}
_WORDS = (
    ("a number", kinds.NUMBER),
    ("a string", kinds.STRING),
    ("a boolean", kinds.BOOLEAN),
    ("a table", kinds.TABLE),
    ("a function", kinds.FUNCTION),
    ("an object of msys", kinds.USERDATA),
    ("a coroutine", kinds.THREAD),
    ("nil", kinds.NIL),
)
_MOST_TEXT = 40
_MOST_WORDS = 3
_STEPS = 3  # how far back the origin of a value is told: a line must stay a line


def fallbacks(ctx: Context, body: list[ast.stmt], source: SourceFile) -> list[Fallback]:
    """Every helper of a lowered module that stands for want of knowledge, in source order."""
    told = _Told(ctx, source)
    found = {
        fallback for call, origin in _helper_calls(ctx, body) for fallback in told.of(call, origin)
    }
    return sorted(found, key=lambda one: (one.span.start, one.span.end, one.helper))


def _helper_calls(ctx: Context, body: list[ast.stmt]) -> Iterator[tuple[ast.Call, tree.Span]]:
    """The calls of helpers, each with the nearest place of the script that it came from."""
    start = tree.Span(0, 0, 1, 1, 1, 1)
    pending: list[tuple[ast.AST, tree.Span]] = [(statement, start) for statement in body]
    while pending:
        node, around = pending.pop()
        if node in ctx.origins:
            around = ctx.origins[node].span
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            first = node.args[0] if node.args else node
            inner = first.value if isinstance(first, ast.Starred) else first
            marked = node in ctx.origins or inner not in ctx.origins
            yield node, around if marked else ctx.origins[inner].span
        pending += [(child, around) for child in ast.iter_child_nodes(node)]


class _Told:
    """Puts reasons into words, for one module."""

    def __init__(self, ctx: Context, source: SourceFile) -> None:
        self.ctx = ctx
        self.facts = ctx.facts
        self.text = source.text
        self.helpers = {made: name for name, uses in ctx.helpers.items() for made in uses}
        self.places: dict[tuple[int, int], tree.Node] = {}
        for node in nodes(ctx.facts.scopes.chunk):
            if isinstance(node, tree.Expr) or (node.span.start, node.span.end) not in self.places:
                self.places[node.span.start, node.span.end] = node

    def of(self, call: ast.Call, span: tree.Span) -> Iterator[Fallback]:
        helper = self.helpers.get(call.func) if isinstance(call.func, ast.Name) else None
        node = self.places.get((span.start, span.end))
        if helper in COUNTS and isinstance(node, tree.Call | tree.Invoke | tree.Vararg):
            reason = f"{COUNTS[helper]}, and {self.results(node)}"
        elif helper in NEEDS and node is not None:
            reason = self.operands_of(helper, node)
        else:
            return
        yield Fallback(span, str(helper), reason)

    def operands_of(self, helper: str, node: tree.Node) -> str:
        wanted, kind = NEEDS[helper]
        unsure = [one for one in operands(node, helper) if not self.facts.kind(one).within(kind)]
        if not unsure:
            return OTHERWISE.get(helper, f"an operand may not be {wanted}")
        told = [
            f"{self.quoted(one)} may be {self.words(one, kind)}{self.origin(one)}" for one in unsure
        ]
        return f"plain Python needs {wanted}: " + "; ".join(told)

    def quoted(self, node: tree.Node) -> str:
        text = " ".join(self.text[node.span.start : node.span.end].split())
        return f"`{text}`" if len(text) <= _MOST_TEXT else f"`{text[: _MOST_TEXT - 1]}…`"

    def words(self, node: tree.Expr, wanted: Kind) -> str:
        """What else than what is wanted a value may be."""
        kind = self.facts.kind(node)
        if kind.bits == kinds.ANY.bits:
            return "anything"
        found = [word for word, one in _WORDS if kind.without(wanted).meets(one)]
        if not 1 <= len(found) <= _MOST_WORDS:
            return "anything"
        return " or ".join([", ".join(found[:-1]), found[-1]] if found[1:] else found)

    # --- where a value comes from -------------------------------------------------------------------------

    def origin(self, node: tree.Expr, steps: int = _STEPS) -> str:
        """Where a value of too many kinds comes from, as the end of a sentence."""
        told = self._origin(node, steps) if steps else ""
        return f", {told}" if told else ""

    def _origin(self, node: tree.Expr, steps: int) -> str:
        match node:
            case tree.Name():
                return self.name(node, steps)
            case tree.Paren(inner=inner):
                return self._origin(inner, steps)
            case tree.Vararg():
                return "whatever callers pass"
            case tree.Call() | tree.Invoke():
                return self.results(node) if self.facts.kind(node).bits == kinds.ANY.bits else ""
            case tree.Index(object=object_):
                if self.facts.kind(node).bits == kinds.ANY.bits:
                    return f"a field: what {self.quoted(object_)} holds is not followed"
                return "where the key is absent"
            case tree.Binary(op="and" | "or", left=left, right=right):
                parts = [
                    one for one in (left, right) if self.facts.kind(one).bits == kinds.ANY.bits
                ]
                return self._origin(parts[0], steps - 1) if parts and steps > 1 else ""
        return ""

    def name(self, node: tree.Name, steps: int) -> str:
        scopes = self.facts.scopes
        symbol = scopes.of(node)
        if symbol.is_global:
            if symbol in self.facts.private:
                return "a global, nil until it is assigned"
            return "a global, which any file may assign"
        if symbol.is_param and isinstance(symbol.owner, tree.Function):
            return self.parameter(node, symbol.owner, steps)
        if symbol.captured and symbol.writes:
            line = symbol.writes[0].span.line
            return f"a local that functions share and that line {line} assigns"
        declared = scopes.index.parents.get(symbol.declaration) if symbol.declaration else None
        match declared:
            case tree.Local(names=names, values=values) if not symbol.writes:
                place = [param is symbol.declaration for param in names].index(True)
                if place < len(values):
                    value = values[place]
                    return f"which line {value.span.line} sets to {self.quoted(value)}{self.origin(value, steps - 1)}"
                return self._origin(values[-1], steps - 1) if values and steps > 1 else ""
            case tree.GenericFor(values=[value, *_]):
                return f"which {self.quoted(value)} gives"
        lines = sorted({write.span.line for write in symbol.writes})
        return f"assigned on line {', '.join(map(str, lines[:3]))}" if lines else ""

    def parameter(self, node: tree.Name, function: tree.Function, steps: int) -> str:
        known = self.facts.functions[function]
        name = f"`{function.name}`" if function.name else "a nameless function"
        if known.callout is not None:
            return f"an argument of {known.callout.name} that the documents give no kind"
        if not known.closed:
            return (
                f"a parameter of {name}, which may be called from where the compiler does not see"
            )
        if not known.calls:
            return f"a parameter of {name}, which nothing here calls"
        place = [param.id for param in function.params].index(node.id)
        for call in known.calls:
            if place >= len(call.args):
                return f"a parameter of {name}, which line {call.span.line} calls without it"
            given = call.args[place]
            if self.facts.kind(given).bits == self.facts.kind(node).bits:
                return (
                    f"a parameter of {name}, to which line {call.span.line} passes "
                    f"{self.quoted(given)}{self.origin(given, steps - 1)}"
                )
        return f"a parameter of {name}, whose calls pass different kinds"

    def results(self, node: tree.Expr) -> str:
        """Why the results of a call are not known."""
        if isinstance(node, tree.Vararg):
            return "only the run can tell how many `...` holds"
        if isinstance(node, tree.Invoke):
            if self.facts.kind(node.object).userdata_class:
                return f"the documents do not fix what {self.quoted(node)} gives"
            return f"what `:{node.name}` of {self.quoted(node.object)} is, only the run can tell"
        assert isinstance(node, tree.Call)
        if self.facts.paths.function(node.function) == "require":
            return "what another file returns is not followed"
        if self.facts.paths.function(node.function) is not None:
            return f"{self.quoted(node.function)} does not always give the same kinds or number of results"
        known = self.facts.callee(node)
        if known is None:
            return f"which function {self.quoted(node.function)} is, only the run can tell"
        if known.arity is None:
            return f"{self.quoted(node.function)} does not always give the same number of results"
        return f"{self.quoted(node.function)} returns different kinds"


def operands(node: tree.Node, helper: str) -> list[tree.Expr]:
    """The parts of an expression whose kinds decide about a helper."""
    match node:
        case tree.Binary(left=left, right=right) if helper != "cstr":
            return [left, right]
        case tree.Unary(operand=operand) if helper not in ("cstr", "truthy"):
            return [operand]
        case tree.Index(object=object_) if helper in ("index", "setindex"):
            return [object_]
        case tree.Invoke(object=object_) if helper in ("invoke", "call_method"):
            return [object_]
        case tree.If(tests=tests):
            return list(tests)
        case tree.While(test=test) | tree.Repeat(test=test):
            return [test]
        case tree.NumericFor(start=start, stop=stop, step=step):
            return [bound for bound in (start, stop, step) if bound is not None]
    return [node] if isinstance(node, tree.Expr) else []
