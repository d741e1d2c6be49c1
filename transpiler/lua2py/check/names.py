"""Rules about names: `msys` functions, constants and methods that don't exist, and globals that are slips."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lua2py import tree
from lua2py.check import known
from lua2py.check.subject import Subject
from lua2py.diagnostics import Diagnostic
from lua2py.suggest import nearest

CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*\Z")
SHORT = 4  # names up to here are too alike by nature to speak of slips

_STANDARD = """
_G _VERSION _TLS _OSTLS arg assert buffer collectgarbage coroutine debug dofile error gcinfo getfenv getmetatable io
ipairs load loadfile loadstring math module newproxy next os package pairs pcall print rawequal rawget rawset require
select setfenv setmetatable string table tonumber tostring type unpack xpcall
"""
STANDARD = frozenset(_STANDARD.split())


def paths(subject: Subject) -> Iterator[tuple[tree.Expr, str]]:
    """Every use of a dotted name under a known root, the longest form of each."""
    inner = {node.object for node in subject.nodes if isinstance(node, tree.Index)}
    for node in subject.nodes:
        if isinstance(node, tree.Index) and node not in inner:
            longest: tree.Expr = node
            while isinstance(longest, tree.Index):
                if path := subject.path(longest):
                    yield longest, path
                    break
                longest = longest.object


def unknown_names(subject: Subject) -> Iterator[Diagnostic]:
    """L301 and L309: a slip in a documented name. L302: a name that nobody documents."""
    for node, path in paths(subject):
        if subject.is_own(path) or _is_known(path):
            continue
        package, name = _split(path)
        span = _written(subject, node, f"{package}.{name}")
        meant = nearest(name, known.members(package)) or _elsewhere(name)
        if not meant:
            yield subject.found("L302", span, name=f"{package}.{name}")
            continue
        whole = meant if "." in meant else f"{package}.{meant}"
        code = "L309" if CONSTANT.match(name) else "L301"
        yield subject.found(code, span, name=f"{package}.{name}", meant=whole)


def _written(subject: Subject, node: tree.Expr, path: str) -> tree.Span:
    """Where in a dotted name the last word of path stands."""
    inner = node
    while isinstance(inner, tree.Index):
        if subject.path(inner) == path:
            return inner.key.span
        inner = inner.object
    return node.span


def _is_known(path: str) -> bool:
    if path in known.functions() or path in known.constants() or path in known.packages():
        return True
    parts = path.split(".")
    prefixes = (".".join(parts[:count]) for count in range(1, len(parts)))
    return any(prefix in known.functions() for prefix in prefixes)


def _split(path: str) -> tuple[str, str]:
    """The longest package that a path begins with, and the first name after it."""
    parts = path.split(".")
    count = max(n for n in range(1, len(parts)) if ".".join(parts[:n]) in known.packages())
    return ".".join(parts[:count]), parts[count]


def _elsewhere(name: str) -> str:
    """A function or constant of exactly this name in one other package."""
    found = [one for one in known.functions() | known.constants() if one.endswith("." + name)]
    return found[0] if len(found) == 1 else ""


def unknown_methods(subject: Subject) -> Iterator[Diagnostic]:
    """L303: a slip in a method's name. L302: a method that nobody documents."""
    extended = any(path == "msys.getClassMetaTable" for _, path in paths(subject))
    for node in subject.nodes:
        if not isinstance(node, tree.Invoke) or extended:
            continue
        receiver = subject.receiver(node.object)
        if not receiver or node.name in known.methods()[receiver]:
            continue
        meant = nearest(node.name, known.methods()[receiver])
        name = f"{receiver}:{node.name}"
        if meant:
            yield subject.found("L303", node.name_span, name=name, meant=f"{receiver}:{meant}")
        else:
            yield subject.found("L302", node.name_span, name=name)


def bare_constants(subject: Subject) -> Iterator[Diagnostic]:
    """L308: a constant of `msys` without its package."""
    for name, symbol in subject.scopes.globals.items():
        if name in known.bare_constants() and not symbol.writes:
            for read in symbol.reads:
                yield subject.found("L308", read, name=name, meant=known.bare_constants()[name])


def misspelled_globals(subject: Subject) -> Iterator[Diagnostic]:
    """L310: a global that is set nowhere here and is one slip away from a name that is."""
    scopes = subject.scopes
    for name, symbol in scopes.globals.items():
        if (
            symbol.writes
            or len(name) <= SHORT
            or name in STANDARD | known.roots() | known.bare_constants().keys()
            or any(path.partition(".")[0] == name for path in subject.own_paths)
        ):
            continue
        written = {other for other, one in scopes.globals.items() if one.writes}
        meant = nearest(name, {one.name for one in scopes.locals} | written | STANDARD)
        if name.startswith(meant) or meant.startswith(name):
            continue  # `domains` is no slip for `domain`
        for read in symbol.reads:
            yield subject.found("L310", read, name=name, meant=meant)


def not_provided(subject: Subject, provided: frozenset[str]) -> Iterator[Diagnostic]:
    """L306: in the catalogue, and not there when the script runs here. L307: there, and deprecated."""
    uses: list[tuple[tree.Span, str]] = [(node.span, path) for node, path in paths(subject)]
    for node in subject.nodes:
        if isinstance(node, tree.Invoke) and (receiver := subject.receiver(node.object)):
            uses.append((node.name_span, f"{receiver}:{node.name}"))
    for span, name in uses:
        rows = known.rows(name)
        if rows and name not in provided:
            yield subject.found("L306", span, name=name)
        elif any(row.deprecated for row in rows):
            yield subject.found("L307", span, name=name)
