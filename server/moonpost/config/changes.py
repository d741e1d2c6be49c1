"""What differs between two trees: kept as a tree of its own, for the file of local changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from moonpost.config.addressing import shown_path
from moonpost.config.node import Node, Setting
from moonpost.config.tree import Value, Word


def difference(old: Node, new: Node) -> tuple[Node, list[str]]:
    """The settings of `new` that `old` has not got, and what `old` has and `new` has not, in words."""
    lost: list[str] = []
    return _difference(old, new, (), lost), lost


def _difference(old: Node | None, new: Node, steps: Sequence[Node], lost: list[str]) -> Node:
    before = old.settings if old else {}
    settings = {
        key: _absolute(setting)
        for key, setting in new.settings.items()
        if key not in before or before[key].value != setting.value
    }
    where = shown_path(steps)
    lost += [
        f"{setting.row.name} unset in scope '{where}'"
        for key, setting in before.items()
        if key not in new.settings
    ]
    children: dict[tuple[str, str | None], Node] = {}
    for key, child in new.children.items():
        inner = _difference(old.children.get(key) if old else None, child, (*steps, child), lost)
        if inner.settings or inner.children or (old is None or key not in old.children):
            children[key] = inner
    return replace(new, settings=settings, children=children)


def _absolute(setting: Setting) -> Setting:
    """A path as it is meant: the file of local changes may lie in another folder."""
    if setting.row.type != "path" or not isinstance(setting.value, str):
        return setting
    written = setting.written
    return replace(
        setting, written=Value("scalar", (Word(setting.value, written.place),), written.place)
    )
