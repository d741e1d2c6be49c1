"""The rule about phases: a function used in a callout where its row doesn't allow it.

Followed from each callout through the helper functions of the script. Hooks outside the SMTP session are left
alone: the rows say nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from lua2py import tree
from lua2py.check import known
from lua2py.check.arguments import called_name
from lua2py.check.subject import Hook, Subject
from lua2py.diagnostics import Diagnostic
from lua2py.walk import children
from msys.catalog import PHASE_ANY

# The phases in which rows are taken at their word, and what else a row may say to allow them. The reason for
# the last one: signing and the like look at the finished message, where all that data callouts do still works.
ALLOWS: dict[str, frozenset[str]] = {
    "connect": frozenset(),
    "ehlo": frozenset(),
    "mailfrom": frozenset(),
    "rcptto": frozenset(),
    "rcptto_list": frozenset({"rcptto"}),
    "rcptto_list_final": frozenset({"rcptto", "data"}),
    "data": frozenset(),
    "data_spool": frozenset(),
    "data_spool_each_rcpt": frozenset(),
    "set_binding": frozenset(),
    "core_final_validation": frozenset({"data_spool_each_rcpt", "set_binding"}),
}
# Phases in rows that name no callout; such rows are not checked.
VAGUE = frozenset({"SMPP", "adaptive", "before data_validate"})
# The list ties these to phases, but text alone, or the message's context, is there in every phase.
ANYWHERE = frozenset(
    (
        "msys.parseRFC2822Addresses",
        "msg:context_get",
        "msg:context_set",
        "msg:context_exists",
        "msg:context_exists_and_get",
        "msg:context_delete",
        "msg:makeBoundary",
    )
)
# Where published scripts use a function besides the phases of its row.
ATTESTED: dict[str, frozenset[str]] = {
    "vctx:tarpit": frozenset({"ehlo", "mailfrom", "rcptto", "rcptto_list", "data"}),
    "msg:routing_domain": frozenset({"set_binding"}),
    "msg:build": frozenset({"rcptto"}),
    "msg:discard": frozenset({"rcptto"}),
    "msg:get_delivery_method": frozenset({"set_binding"}),
}
# Without an argument these only read, which works wherever there is a message.
GETTERS = frozenset({"msg:binding", "msg:binding_group"})
# Functions given to these run at another time, in another phase.
LATER = ("msys.timer.", "msys.registerControl", "msys.registerAuth", "msys.httpsrv.")

Place = tree.Call | tree.Invoke


def wrong_phase(subject: Subject) -> Iterator[Diagnostic]:
    """L305, once for each place, with the callouts that reach it."""
    reached: dict[Place, list[tuple[Hook, list[str]]]] = {}
    for hook in subject.hooks:
        if hook.callout.phase in ALLOWS:
            for place, via in _reached(subject, hook.function):
                reached.setdefault(place, []).append((hook, via))
    for place, hooks in sorted(reached.items(), key=lambda item: item[0].span.start):
        allowed = _allowed(subject, place)
        bad = [(hook, via) for hook, via in hooks if allowed and not _fits(hook, allowed)]
        if bad:
            via = next((via for _, via in bad if via), [])
            yield subject.found(
                "L305",
                place.name_span if isinstance(place, tree.Invoke) else place.function,
                name=called_name(subject, place),
                callouts=", ".join(dict.fromkeys(hook.callout.name for hook, _ in bad)),
                phases=", ".join(sorted(allowed)),
                via=f" (through {' and '.join(via)})" if via else "",
            )


def _fits(hook: Hook, allowed: frozenset[str]) -> bool:
    phase = hook.callout.phase
    return phase in allowed or bool(ALLOWS[phase] & allowed)


def _allowed(subject: Subject, place: Place) -> frozenset[str]:
    """The phases of a call's rows together; empty when it may be anywhere."""
    name = called_name(subject, place)
    rows = known.rows(name)
    if not rows or name in ANYWHERE or (name in GETTERS and not place.args):
        return frozenset()
    if any(not row.phases or PHASE_ANY in row.phases or row.phases & VAGUE for row in rows):
        return frozenset()
    return ATTESTED.get(name, frozenset()).union(*(row.phases for row in rows))


def _reached(subject: Subject, start: tree.Function) -> Iterator[tuple[Place, list[str]]]:
    """Every call that running a function may make, with the helpers on the way."""
    seen = {start}
    queue: list[tuple[tree.Function, list[str]]] = [(start, [])]
    while queue:
        function, via = queue.pop(0)
        for node in _inside(subject, function):
            if not isinstance(node, tree.Call | tree.Invoke):
                continue
            yield node, via
            for helper in _run_by(subject, node):
                if helper not in seen:
                    seen.add(helper)
                    queue.append((helper, [*via, helper.name or "a function"]))


def _inside(subject: Subject, function: tree.Function) -> Iterator[tree.Node]:
    """What a function does, with the functions it makes, but for those that run later."""
    stack: list[tree.Node] = [function.body]
    while stack:
        node = stack.pop()
        yield node
        below = list(children(node))
        if isinstance(node, tree.Call) and subject.path(node.function).startswith(LATER):
            below = [child for child in below if not isinstance(child, tree.Function)]
        stack.extend(reversed(below))


def _run_by(subject: Subject, call: Place) -> Iterator[tree.Function]:
    """The functions of this script that a call runs itself or is handed by name (`pcall(helper, msg)`)."""
    if callee := subject.callee(call):
        yield callee
    if isinstance(call, tree.Call) and subject.path(call.function).startswith(LATER):
        return
    for arg in call.args:
        value = subject.definition(arg) if isinstance(arg, tree.Name) else None
        if isinstance(value, tree.Function):
            yield value
