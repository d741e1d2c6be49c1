"""A tree, or a part of it, as text in file syntax."""

from __future__ import annotations

from collections.abc import Iterator

from moonpost.config.node import Node
from moonpost.config.values import quoted, show_value


def show(node: Node, *, recurse: bool) -> str:
    """The options of a scope and its inner scopes; without `recurse` those are `{ ... }`."""
    return "\n".join(_lines(node, recurse))


def _lines(node: Node, recurse: bool) -> Iterator[str]:
    for setting in node.settings.values():
        yield from show_value(setting.row.name, setting.row.type, setting.written).split("\n")
    for child in node.children.values():
        head = header(child)
        if not recurse:
            yield f"{head} {{ ... }}"
            continue
        yield f"{head} {{"
        yield from (f"\t{line}" for line in _lines(child, recurse))
        yield "}"


def header(node: Node) -> str:
    """`Listen ":25"`."""
    return node.row.name if node.instance is None else f"{node.row.name} {quoted(node.instance)}"
