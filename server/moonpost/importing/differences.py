"""Where a script does what moonpost does otherwise than Momentum, from `differences.toml`.

Tells what the text shows: names of the standard library, and keys such as `__gc`. What no text shows is in
docs/differences.md alone.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lua2py import tree
from lua2py.check.subject import Subject

DIFFERS, KNOW = "differs", "know"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of the table."""

    name: str
    says: str
    weight: str
    instead: str = ""
    globals: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    example: str = ""
    here: str = ""  # what the example prints here; empty: that changes from run to run


@cache
def differences() -> dict[str, Difference]:
    """Every row by name, in the order of the table."""
    text = files(__package__).joinpath("differences.toml").read_text(encoding="utf-8")
    found = {}
    for name, row in tomllib.loads(text).items():
        globals, keys = tuple(row.pop("globals", ())), tuple(row.pop("keys", ()))
        found[name] = Difference(name, **row, globals=globals, keys=keys)
        if found[name].weight not in (DIFFERS, KNOW):
            raise ValueError(f"differences.toml: {name}: weight {found[name].weight!r}")
    return found


def touched(subject: Subject) -> list[tuple[str, int]]:
    """Name of the difference and line, in source order."""
    by_global = {path: row.name for row in differences().values() for path in row.globals}
    by_key = {key: row.name for row in differences().values() for key in row.keys}
    found = []
    for node in subject.nodes:
        for word, rows in ((_standard(subject, node), by_global), (_key(node), by_key)):
            if word in rows:
                found.append((node.span.start, rows[word], node.span.line))
    return [(name, line) for _, name, line in sorted(found)]


def _standard(subject: Subject, node: tree.Node) -> str:
    """`setfenv` or `string.dump`, when it is the global of that name that stands here and nobody sets it."""
    words: list[str] = []
    while isinstance(node, tree.Index) and isinstance(node.key, tree.String):
        words.append(node.key.value)
        node = node.object
    if not isinstance(node, tree.Name):
        return ""
    symbol = subject.scopes.of(node)
    return ".".join([node.id, *reversed(words)]) if symbol.is_global and not symbol.writes else ""


def _key(node: tree.Node) -> str:
    key = node.key if isinstance(node, tree.Index | tree.Field) else None
    return key.value if isinstance(key, tree.String) else ""
