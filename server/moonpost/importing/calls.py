"""Which documented functions a script uses, and where. Pure: a script with its names bound in, places out."""

from __future__ import annotations

from collections.abc import Iterator

from lua2py import tree
from lua2py.check import known
from lua2py.check.names import paths
from lua2py.check.subject import Subject

# What a variable holds that is called so, where the text does not prove it: parameters of helper functions.
CALLED_SO = {
    "ac": "ac",
    "accept": "ac",
    "message": "msg",
    "msg": "msg",
    "msgpart": "msgpart",
    "part": "msgpart",
    "vctx": "vctx",
}


def uses(subject: Subject) -> list[tuple[str, int]]:
    """Name as in the catalogue and line of every place that calls a function, or names one without calling it."""
    found = [*_functions(subject), *_methods(subject), *_properties(subject)]
    return [(name, span.line) for name, span in sorted(found, key=lambda one: one[1].start)]


def _functions(subject: Subject) -> Iterator[tuple[str, tree.Span]]:
    called: set[tree.Expr] = set()
    names: set[str] = set()
    for call in subject.calls():
        path = subject.path(call.function)
        if "." in path and not subject.is_own(path):
            called.add(call.function)
            names.add(path)
            yield path, call.function.span
    for node, path in paths(subject):
        # `local match = msys.pcre.match` counts where match is called
        if path in known.functions() and node not in called and path not in names:
            yield path, node.span


def _methods(subject: Subject) -> Iterator[tuple[str, tree.Span]]:
    for node in subject.nodes:
        if isinstance(node, tree.Invoke):
            receiver = subject.receiver(node.object)
            if receiver:
                yield f"{receiver}:{node.name}", node.name_span
            elif isinstance(node.object, tree.Name):
                likely = CALLED_SO.get(node.object.id, "")
                if node.name in known.methods().get(likely, ()):
                    yield f"{likely}:{node.name}", node.name_span


def _properties(subject: Subject) -> Iterator[tuple[str, tree.Span]]:
    for node in subject.nodes:
        if isinstance(node, tree.Index) and isinstance(node.key, tree.String):
            if subject.receiver(node.object) == "msg" and known.rows(f"msg.{node.key.value}"):
                yield f"msg.{node.key.value}", node.key.span
