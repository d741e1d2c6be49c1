"""Rules about modules: what is registered, under which name, and how it is declared."""

from __future__ import annotations

from collections.abc import Iterator

from lua2py import tree
from lua2py.check import known
from lua2py.check.subject import Module, Subject
from lua2py.diagnostics import Diagnostic
from lua2py.suggest import nearest
from msys.catalog import callouts


def modules(subject: Subject) -> Iterator[Diagnostic]:
    """L403 a slip in a callout's name, L404 nothing usable, L405 another name than the script's."""
    called = _called_members(subject)
    for module in subject.modules:
        yield from _slips(subject, module, called)
        # Any C module may offer hooks; their names are `<scope>_<hook>`.
        perhaps = any(
            "_" in key and _is_function(subject, value)
            for key, (_, value) in module.members.items()
        )
        usable = any(key in known.hooks() for key in module.members)
        if module.complete and not usable and not perhaps:
            name = module.name.value if module.name else "?"
            yield subject.found("L404", module.call.function, name=name)
        wanted = subject.script_name
        if wanted and module.name and module.name.value != wanted:
            yield subject.found("L405", module.name, name=module.name.value, script=wanted)


def _slips(subject: Subject, module: Module, called: set[str]) -> Iterator[Diagnostic]:
    for key, (place, value) in module.members.items():
        if key in known.hooks() or key in called or not _is_function(subject, value):
            continue
        meant = nearest(key, callouts())
        if meant and meant in module.members:
            continue  # a helper beside the callout it is named after
        if meant or key.startswith("validate_"):
            help = (
                f"did you mean `{meant}`?"
                if meant
                else "the callouts: "
                + ", ".join(name for name in callouts() if name.startswith("validate_"))
            )
            yield subject.found("L403", _key(place), name=key, help=help)


def _is_function(subject: Subject, value: tree.Expr | None) -> bool:
    return value is not None and isinstance(subject.definition(value), tree.Function)


def _key(place: tree.Node) -> tree.Node:
    """Where the name itself is written."""
    key = place.key if isinstance(place, tree.Index | tree.Field) else None
    return key if key is not None else place


def _called_members(subject: Subject) -> set[str]:
    """Keys under which this script calls something itself: helpers, not callouts."""
    found = set()
    for node in subject.nodes:
        if isinstance(node, tree.Invoke):
            found.add(node.name)
        elif isinstance(node, tree.Call) and isinstance(node.function, tree.Index):
            key = node.function.key
            if isinstance(key, tree.String):
                found.add(key.value)
    return found


def without_self(subject: Subject) -> Iterator[Diagnostic]:
    """L407: a callout declared without `self`: every parameter is one place off."""
    for hook in subject.hooks:
        params = hook.function.params
        if params and params[0].id in hook.callout.arguments and not hook.function.method:
            yield subject.found("L407", params[0], name=hook.callout.name, param=params[0].id)


def never_passed(subject: Subject) -> Iterator[Diagnostic]:
    """L411: a callout uses a parameter beyond those that the server passes: it is always nil."""
    for hook in subject.hooks:
        passed = hook.callout.arguments
        params = hook.function.params[1 + len(passed) :]
        used = [param for param in params if subject.scopes.of(param).reads]
        if used and hook.callout.name in callouts():
            names = ", ".join(["self", *passed])
            yield subject.found(
                "L411", used[0], name=hook.callout.name, param=used[0].id, passed=names
            )


def defined_twice(subject: Subject) -> Iterator[Diagnostic]:
    """L409: a callout defined again: only the last one runs."""
    for (_, key), stored in subject.members.items():
        if key in callouts():
            at_top = [
                place
                for place, value in stored
                if isinstance(value, tree.Function) and subject.enclosing[place] is subject.chunk
            ]
            for place in at_top[:-1]:
                line = at_top[-1].span.line
                yield subject.found("L409", _key(place), name=key, line=line)


def undeclared_globals(subject: Subject) -> Iterator[Diagnostic]:
    """L406: a function sets a global that no main chunk line declares: usually a forgotten `local`."""
    scopes = subject.scopes
    if "setfenv" in scopes.globals:
        return
    said: set[str] = set()
    for node in subject.nodes:
        targets = node.targets if isinstance(node, tree.Assign) else []
        if isinstance(node, tree.FunctionStat):
            targets = [node.target]
        new = [
            name
            for name in targets
            if isinstance(name, tree.Name) and _is_undeclared(subject, name)
        ]
        names = [name.id for name in new if name.id not in said]
        if names:
            said.update(names)
            yield subject.found("L406", new[0], names=", ".join(f"`{name}`" for name in names))


def _is_undeclared(subject: Subject, name: tree.Name) -> bool:
    symbol = subject.scopes.of(name)
    return symbol.is_global and not any(
        subject.scopes.owner_of[write] is subject.chunk for write in symbol.writes
    )
