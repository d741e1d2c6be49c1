"""A value that may be nil where nil raises an error.

Speaks only of results that are nil for ordinary mail (a header that isn't there, text without the `@`), used with
no test before. A test of the name counts wherever it stands, since what it decided may be kept under another name;
so does one of what the function was given: `if text:find("@")` may well be why the pattern that follows matches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lua2py import tree
from lua2py.check.subject import Subject
from lua2py.diagnostics import Diagnostic
from lua2py.facts import patterns
from lua2py.facts.kinds import NIL, STRING
from lua2py.scopes import Symbol
from lua2py.walk import nodes

AnyCall = tree.Call | tree.Invoke

# Functions whose first result is nil for input that any message can bring -> when that is.
WHEN = {
    "string.match": "the pattern does not match",
    "string.find": "the pattern is not found",
    "tonumber": "the text is no number",
    "os.getenv": "the variable is not set",
    "io.open": "the file cannot be opened",
    "msys.readfile": "the file cannot be read",
    "msys.dnsLookup": "the lookup finds nothing or fails",
    "msys.pcre.match": "the expression does not match",
    "msys.db.fetch_row": "the query gives no row",
}
# Methods that give a list -> when one of its entries is nil.
WHEN_ENTRY = {
    "header": "the message has no such header",
    "address_header": "the message has no such header",
}
ENTRY_RECEIVERS = ("msg", "msgpart")

# Functions that want a string or table first.
STRICT = frozenset(
    [
        *(f"string.{name}" for name in "byte find format gmatch gsub len lower match".split()),
        *(f"string.{name}" for name in "rep reverse sub upper".split()),
        *(f"table.{name}" for name in "concat getn insert maxn remove sort".split()),
        "ipairs",
        "pairs",
    ]
)
# Functions whose first result is a string.
TEXT = frozenset(
    f"string.{name}" for name in "format gsub lower match rep reverse sub upper".split()
)
ARITHMETIC = frozenset("+ - * / % ^".split())
ORDER = frozenset("< <= > >=".split())
SHOWN = 40  # characters of the value in the message: chosen, so that a line holds it


def nil_where_it_fails(subject: Subject) -> Iterator[Diagnostic]:
    """L314."""
    told: set[tree.Expr] = set()
    tests = _Tests(subject)
    for value, fails in _uses(subject):
        origin = _origin(subject, value)
        if origin is None or value in told or not _can_be_nil(subject, value):
            continue
        if tests.before(value, origin):
            continue
        told.add(value)
        yield subject.found(
            "L314", value, shown=_shown(subject, value), when=origin.when, fails=fails
        )


def _uses(subject: Subject) -> Iterator[tuple[tree.Expr, str]]:
    """Every expression that must not be nil where it stands, and what raises the error."""
    for node in subject.nodes:
        match node:
            case tree.Index(object=value):
                yield value, "indexing it"
            case tree.Invoke(object=value, name=name):
                yield value, f"calling its method `{name}`"
            case tree.Binary(op=op, left=left, right=right) if op in ARITHMETIC:
                yield from ((left, "arithmetic"), (right, "arithmetic"))
            case tree.Binary(op="..", left=left, right=right):
                yield from ((left, "joining it with `..`"), (right, "joining it with `..`"))
            case tree.Binary(op=op, left=left, right=right) if op in ORDER:
                yield from ((left, f"comparing it by `{op}`"), (right, f"comparing it by `{op}`"))
            case tree.Unary(op="-" | "#" as op, operand=value):
                yield value, f"`{op}`"
            case tree.Call(function=function, args=[value, *_]):
                name = subject.facts.paths.function(function) or _base(subject, function)
                if name in STRICT:
                    yield value, f"`{name}`"


def _base(subject: Subject, function: tree.Expr) -> str:
    """The name of an iterator of the base library, which has no path."""
    known = isinstance(function, tree.Name) and subject.scopes.of(function).is_global
    return function.id if known and isinstance(function, tree.Name) else ""


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a value comes from. names: of it, and of the other captures; given: what it was made from."""

    when: str
    names: frozenset[Symbol]
    given: frozenset[Symbol]


def _origin(subject: Subject, value: tree.Expr) -> _Origin | None:
    """Where a value comes from, when it can be nil there."""
    names: frozenset[Symbol] = frozenset()
    if isinstance(value, tree.Name):
        symbol = subject.scopes.of(value)
        declared = _declared_with(subject, symbol)
        if declared is None or symbol.owner is not subject.enclosing[value]:
            return None  # inside another function nobody knows what was tested outside
        statement, value = declared
        names = frozenset(map(subject.scopes.of, statement.names))
    while isinstance(value, tree.Paren):
        value = value.inner
    if isinstance(value, tree.Index):
        return _entry(subject, value, names)
    when = WHEN.get(_library_name(subject, value), "")
    if not when or not isinstance(value, AnyCall) or _always_matches(value):
        return None
    asked = [value.object, *value.args] if isinstance(value, tree.Invoke) else value.args
    return _Origin(when, names, frozenset().union(*(_names(subject, one) for one in asked)))


def _entry(subject: Subject, value: tree.Index, names: frozenset[Symbol]) -> _Origin | None:
    """`msg:header("Subject")[1]`, the list named or not."""
    listed = subject.definition(value.object)
    if not isinstance(listed, tree.Invoke) or not isinstance(value.key, tree.Number):
        return None
    if len(listed.args) != 1 or subject.receiver(listed.object) not in ENTRY_RECEIVERS:
        return None
    when = WHEN_ENTRY.get(listed.name, "")
    given = _names(subject, value.object) - _names(subject, listed.object)
    return _Origin(when, names, given) if when else None


def _library_name(subject: Subject, call: tree.Expr) -> str:
    """The documented function that a call reaches if it raises no error."""
    if isinstance(call, tree.Invoke) and _is_text(subject, call.object):
        return f"string.{call.name}"
    return subject.facts.library_name(call) if isinstance(call, AnyCall) else ""


def _is_text(subject: Subject, node: tree.Expr) -> bool:
    """Whether a value with methods can only be a string."""
    if subject.facts.kind(node).within(STRING | NIL):
        return True
    value = subject.definition(node)
    return isinstance(value, AnyCall) and _library_name(subject, value) in TEXT


def _declared_with(subject: Subject, symbol: Symbol) -> tuple[tree.Local, tree.Expr] | None:
    """The statement that declares a local and its value there, if that is all it ever gets; of captures, the match."""
    declared = symbol.declaration
    statement = subject.facts.scopes.index.parents.get(declared) if declared else None
    if declared is None or symbol.writes or not isinstance(statement, tree.Local):
        return None
    place = statement.names.index(declared)
    if place < len(statement.values):
        return statement, statement.values[place]
    last = statement.values[-1] if statement.values else None
    if last is not None and _library_name(subject, last) == "string.match":
        return statement, last
    return None


def _always_matches(call: AnyCall) -> bool:
    args = [call.object, *call.args] if isinstance(call, tree.Invoke) else call.args
    return (
        len(args) == 2
        and isinstance(args[1], tree.String)
        and patterns.always_matches(args[1].value)
    )


def _can_be_nil(subject: Subject, value: tree.Expr) -> bool:
    """Whether the tests on the way here leave nil possible."""
    kind = subject.facts.kinds.get(value)
    if kind is None or not kind.bits:
        return False
    return kind.meets(NIL) or not isinstance(value, tree.Name)


class _Tests:
    """Where each name is tested, and where more is asked of it than whether it is there."""

    def __init__(self, subject: Subject) -> None:
        self.tested: dict[Symbol, list[int]] = defaultdict(list)
        self.asked: dict[Symbol, list[int]] = defaultdict(list)
        for node in subject.nodes:
            match node:
                case tree.If(tests=tests):
                    pass
                case tree.While(test=test) | tree.Repeat(test=test):
                    tests = [test]
                case tree.Binary(op="and" | "or", left=test):
                    tests = [test]
                case tree.Call(function=function, args=[test, *_]) if (
                    subject.facts.paths.function(function) == "assert"
                ):
                    tests = [test]
                case _:
                    continue
            for test in tests:
                for name in _names(subject, test):
                    self.tested[name].append(test.span.start)
                for name in _asked_about(subject, test):
                    self.asked[name].append(test.span.start)

    def before(self, value: tree.Expr, origin: _Origin) -> bool:
        """Whether a test above a use may be why it is safe."""
        places = [place for name in origin.names for place in self.tested[name]]
        places += [place for name in origin.given for place in self.asked[name]]
        return any(place < value.span.start for place in places)


def _asked_about(subject: Subject, test: tree.Expr) -> frozenset[Symbol]:
    match test:
        case tree.Name():
            return frozenset()
        case tree.Paren(inner=inner) | tree.Unary(op="not", operand=inner):
            return _asked_about(subject, inner)
        case tree.Binary(op="and" | "or", left=left, right=right):
            return _asked_about(subject, left) | _asked_about(subject, right)
        case tree.Binary(op="==" | "~=", left=tree.Name(), right=tree.Nil()):
            return frozenset()
    return _names(subject, test)


def _names(subject: Subject, node: tree.Expr) -> frozenset[Symbol]:
    return frozenset(subject.scopes.of(one) for one in nodes(node) if isinstance(one, tree.Name))


def _shown(subject: Subject, value: tree.Expr) -> str:
    """The value as the script writes it, on one line."""
    text = " ".join(subject.source.text[value.span.start : value.span.end].split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
