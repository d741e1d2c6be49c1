"""Rules about what functions are given and what their results mean."""

from __future__ import annotations

from collections.abc import Iterator

from lua2py import tree
from lua2py.check import known
from lua2py.check.subject import Subject
from lua2py.diagnostics import Diagnostic
from msys.catalog import Row

# Rows whose parameter list is narrower than their pages: the fewest and the most arguments.
WIDER: dict[str, tuple[int, int | None]] = {
    "msys.config": (1, None),  # the words of a console command
    "msys.bounce.classify_smtp_response": (1, 2),  # the sample gives no domain
    "msys.pcre.replace": (3, 4),  # a limit
    "msys.pcre.split": (2, 3),  # a limit
}
# Taken from the running callout when left out.
INFERRED = frozenset(("msg", "ctx", "vctx", "accept", "hdr"))
# Numbers 0 and 1 that read like an answer to a question.
ZERO_OR_ONE = frozenset(
    ("msg:context_exists", "vctx:exists", "msg:is_mcmt", "msys.rfc3464.send_mdn")
)


def called_name(subject: Subject, call: tree.Call | tree.Invoke) -> str:
    """The catalogue's name of what a call runs, or empty."""
    if isinstance(call, tree.Call):
        return subject.path(call.function)
    receiver = subject.receiver(call.object)
    return f"{receiver}:{call.name}" if receiver else ""


def wrong_count(subject: Subject) -> Iterator[Diagnostic]:
    """L304: too few arguments. L313: more than the function takes."""
    for node in subject.nodes:
        if not isinstance(node, tree.Call | tree.Invoke):
            continue
        name = called_name(subject, node)
        forms = known.rows(name)
        if not forms:
            continue
        limits = [_limits(row) for row in forms]
        given = len(node.args)
        opens = given and isinstance(node.args[-1], tree.Call | tree.Invoke | tree.Vararg)
        least, most = min(low for low, _ in limits), [high for _, high in limits]
        if given < least and not opens:
            yield _counted(subject, "L304", node, name, forms, given)
        elif None not in most and given - bool(opens) > max(high or 0 for high in most):
            yield _counted(subject, "L313", node, name, forms, given)


def _limits(row: Row) -> tuple[int, int | None]:
    """The fewest and the most arguments of one form."""
    if row.name in WIDER:
        return WIDER[row.name]
    needed = row.params[: row.required]
    return (0 if INFERRED.issuperset(needed) else row.required), row.most


def _counted(
    subject: Subject,
    code: str,
    node: tree.Call | tree.Invoke,
    name: str,
    forms: tuple[Row, ...],
    given: int,
) -> Diagnostic:
    shown = " or ".join(f"{name}({', '.join(row.params)})" for row in forms)
    return subject.found(code, node, name=name, given=given, form=shown)


def numbers_as_truth(subject: Subject) -> Iterator[Diagnostic]:
    """L311: 0 is true in Lua, so a 0-or-1 answer is always true."""
    for test in _tests(subject):
        inner = test.inner if isinstance(test, tree.Paren) else test
        if isinstance(inner, tree.Call | tree.Invoke):
            name = called_name(subject, inner)
            if name in ZERO_OR_ONE:
                yield subject.found("L311", inner, name=name)


def _tests(subject: Subject) -> Iterator[tree.Expr]:
    """Every expression whose truth is asked, through `not`, `and` and `or`."""
    for node in subject.nodes:
        if isinstance(node, tree.If):
            tests = list(node.tests)
        elif isinstance(node, tree.While | tree.Repeat):
            tests = [node.test]
        elif isinstance(node, tree.Unary) and node.op == "not":
            tests = [node.operand]
        else:
            continue
        while tests:
            test = tests.pop()
            if isinstance(test, tree.Binary) and test.op in ("and", "or"):
                tests += [test.left, test.right]
            else:
                yield test


def strings_of_callouts(subject: Subject) -> Iterator[Diagnostic]:
    """L312: the `str` of a callout is an object: it equals no string."""
    objects = {
        subject.scopes.of(param)
        for hook in subject.hooks
        for param, argument in zip(hook.function.params[1:], hook.callout.arguments, strict=False)
        if argument == "str" and not subject.scopes.of(param).writes
    }
    for node in subject.nodes:
        if isinstance(node, tree.Binary) and node.op in ("==", "~="):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                if (
                    isinstance(side, tree.Name)
                    and subject.scopes.of(side) in objects
                    and isinstance(other, tree.String)
                ):
                    yield subject.found("L312", node, name=side.id)
