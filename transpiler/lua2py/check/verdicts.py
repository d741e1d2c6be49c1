"""Rules about how callouts end: with a verdict on every way through."""

from __future__ import annotations

from collections.abc import Iterator

from lua2py import tree
from lua2py.check.subject import Hook, Subject
from lua2py.diagnostics import Diagnostic
from lua2py.walk import nodes

# Values that are certainly no verdict, and how a message names them.
NOT_A_VERDICT: dict[type[tree.Expr], str] = {
    tree.Nil: "nil",
    tree.Boolean: "a boolean",
    tree.String: "a string",
    tree.TableConstructor: "a table",
    tree.Function: "a function",
}
# Here a callout is not called again.
NEVER_AGAIN = ("data_spool", "data_spool_each_rcpt", "set_binding")


def verdicts(subject: Subject) -> Iterator[Diagnostic]:
    """L401 an end without a verdict, L402 something else, L410 AGAIN where it can't be; L408 for init."""
    for hook in subject.hooks:
        if hook.callout.answers == "verdict":
            yield from _verdict(subject, hook)
        elif hook.callout.name == "init":
            yield from _true(subject, hook)


def _verdict(subject: Subject, hook: Hook) -> Iterator[Diagnostic]:
    name, function = hook.callout.name, hook.function
    if not ends(subject, function.body):
        yield subject.found("L401", _end(subject, function), name=name)
    for statement in returns(function):
        if not statement.values:
            yield subject.found("L401", statement, name=name)
            continue
        value = statement.values[0]
        if type(value) in NOT_A_VERDICT:
            yield subject.found("L402", value, name=name, given=NOT_A_VERDICT[type(value)])
        elif (
            subject.path(value) == "msys.core.VALIDATE_AGAIN" and hook.callout.phase in NEVER_AGAIN
        ):
            yield subject.found("L410", value, name=name)


def _true(subject: Subject, hook: Hook) -> Iterator[Diagnostic]:
    function = hook.function
    if not ends(subject, function.body):
        yield subject.found("L408", _end(subject, function), name="init")
    for statement in returns(function):
        value = statement.values[0] if statement.values else None
        plain = value is None or isinstance(value, (tree.Number, *NOT_A_VERDICT))
        if plain and not (isinstance(value, tree.Boolean) and value.value):
            yield subject.found("L408", statement, name="init")


def _end(subject: Subject, function: tree.Function) -> tree.Span:
    """The `end` of a function."""
    return subject.source.span(function.span.end - len("end"), function.span.end)


def returns(function: tree.Function) -> list[tree.Return]:
    """The return statements of a function itself, in source order."""
    inside = nodes(function.body, into_functions=False)
    return [node for node in inside if isinstance(node, tree.Return)]


def ends(subject: Subject, block: tree.Block) -> bool:
    """Whether no way leads past the last statement of a block."""
    return any(_ends(subject, statement) for statement in block.body)


def _ends(subject: Subject, node: tree.Stat) -> bool:
    if isinstance(node, tree.Return | tree.Break):
        return True
    if isinstance(node, tree.Do):
        return ends(subject, node.body)
    if isinstance(node, tree.If):
        whole = len(node.blocks) > len(node.tests)
        return whole and all(ends(subject, block) for block in node.blocks)
    if isinstance(node, tree.While):
        return _always(node.test) and not _breaks(node.body)
    if isinstance(node, tree.Repeat):
        return ends(subject, node.body) and not _breaks(node.body)
    if isinstance(node, tree.CallStat) and isinstance(node.call, tree.Call):
        return subject.scopes.is_global(node.call.function, "error")
    return False


def _always(test: tree.Expr) -> bool:
    return isinstance(test, tree.Number | tree.String) or (
        isinstance(test, tree.Boolean) and test.value
    )


def _breaks(body: tree.Block) -> bool:
    """Whether a `break` leaves the loop of this body."""
    stack: list[tree.Node] = list(body.body)
    while stack:
        node = stack.pop()
        if isinstance(node, tree.Break):
            return True
        if isinstance(node, tree.Do):
            stack.extend(node.body.body)
        elif isinstance(node, tree.If):
            stack.extend(statement for block in node.blocks for statement in block.body)
    return False
