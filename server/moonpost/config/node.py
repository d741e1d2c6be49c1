"""A checked configuration as a tree of scopes with typed settings.

Never changed once built: a change makes a copy of the path from the root, so that readers of the old
tree are not disturbed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moonpost.config.diagnostics import Place
from moonpost.config.options import OptionRow
from moonpost.config.scopes import ScopeRow
from moonpost.config.tree import Value

Key = tuple[str, str | None]  # scope name in lower case, instance name as written
Path = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """An option that is set: the typed value, and the words it was written with."""

    row: OptionRow
    value: Any
    written: Value


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Node:
    """One scope; every stanza of the same name and instance is merged into it. Compared by identity."""

    row: ScopeRow
    instance: str | None
    place: Place
    settings: dict[str, Setting] = field(default_factory=dict)
    children: dict[Key, Node] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return (self.row.name.lower(), self.instance)

    def named(self, scope: str) -> list[Node]:
        """Children of one kind, in file order."""
        return [node for (name, _), node in self.children.items() if name == scope]

    def child(self, scope: str, instance: str | None = None) -> Node | None:
        return self.children.get((scope, instance))

    def get(self, option: str) -> Any:
        """The value set here, or None."""
        setting = self.settings.get(option)
        return None if setting is None else setting.value

    def at(self, path: Sequence[Key]) -> Node | None:
        node: Node | None = self
        for key in path:
            if node is None:
                return None
            node = node.children.get(key)
        return node

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """This node and all below it, with their paths."""
        yield path, self
        for key, node in self.children.items():
            yield from node.walk((*path, key))


def with_setting(root: Node, path: Sequence[Node], key: str, setting: Setting | None) -> Node:
    """A copy of `root` with one option set, or unset by None.

    path: the scopes from the root's child down, as they are or as they are to be made.
    """
    if not path:
        settings = {name: old for name, old in root.settings.items() if name != key}
        if setting is not None:
            # In its old place when it had one: `config show` keeps the order of the file.
            settings = dict(root.settings) | {key: setting}
        return replace(root, settings=settings)
    step, *rest = path
    child = root.children.get(step.key, step)
    changed = with_setting(child, rest, key, setting)
    return replace(root, children=dict(root.children) | {step.key: changed})


def without_scope(root: Node, path: Sequence[Key]) -> Node:
    """A copy of `root` where the scope at `path` is empty."""
    key, *rest = path
    child = root.children[key]
    changed = without_scope(child, rest) if rest else replace(child, settings={}, children={})
    return replace(root, children=dict(root.children) | {key: changed})
