"""Words of a `config` command to a place in the tree: `binding fast domain example.org retry_interval`.

An anonymous scope is its name alone, a named one its name and an instance; a module may leave its
instance out when it has one stanza.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moonpost.config.diagnostics import Place, did_you_mean
from moonpost.config.node import Node, Path
from moonpost.config.options import OptionRow, options, options_of
from moonpost.config.scopes import ANONYMOUS, GLOBAL, NAMED, SCOPES, ScopeRow, allowed_in


class Misaddressed(Exception):
    """A word that leads nowhere; the text is for the console."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a command points: scopes from the outside in (existing or to be made), then what follows."""

    steps: tuple[Node, ...]
    exists: bool
    rest: tuple[str, ...]

    @property
    def path(self) -> Path:
        return tuple(step.key for step in self.steps)

    @property
    def scope(self) -> ScopeRow:
        return self.steps[-1].row if self.steps else SCOPES[GLOBAL.lower()]


def locate(root: Node, words: Sequence[str], place: Place) -> Address:
    """Follow scope words as far as they go; the rest is an option and its value."""
    node: Node | None = root
    row = root.row
    steps: list[Node] = []
    at = 0
    while at < len(words):
        inner = SCOPES.get(words[at].lower())
        if inner is None or row.name not in inner.parents:
            break
        instance, at = _instance(node, inner, words, at + 1)
        node = None if node is None else _child(node, inner, instance)
        steps.append(node or Node(inner, instance, place))
        row = inner
    return Address(tuple(steps), node is not None, tuple(words[at:]))


def _instance(
    node: Node | None, row: ScopeRow, words: Sequence[str], at: int
) -> tuple[str | None, int]:
    """The instance name at `at`, if there is one, and where the words go on."""
    if row.naming == ANONYMOUS:
        return None, at
    if row.naming == NAMED:
        if at >= len(words):
            raise Misaddressed(f"{row.name} needs an instance name")
        return words[at], at + 1
    stanzas = node.named(row.name.lower()) if node is not None else []
    if at < len(words) and any(stanza.instance == words[at] for stanza in stanzas):
        return words[at], at + 1
    only = stanzas[0].instance if len(stanzas) == 1 else None
    return only, at


def _child(node: Node, row: ScopeRow, instance: str | None) -> Node | None:
    found = node.child(row.name.lower(), instance)
    if found is None and row.name in ("Domain", "Host") and instance is not None:
        wanted = instance.lower()
        inner = node.named(row.name.lower())
        return next((one for one in inner if (one.instance or "").lower() == wanted), None)
    return found


def option_at(address: Address) -> OptionRow:
    """The option that the first word after the scopes names; Misaddressed when there is none."""
    scope = address.scope
    if not address.rest:
        raise Misaddressed(f"an option name is missing after scope '{scope.name}'")
    word = address.rest[0]
    row = options().get(word.lower())
    if row is not None and scope.name.lower() in row.scopes:
        return row
    known = [*(one.name for one in options_of(scope.name.lower())), *allowed_in(scope.name)]
    guess = did_you_mean(word, known)
    text = f"'{word}' is not a valid option name in scope '{scope.name}'."
    raise Misaddressed(f"{text} {guess}" if guess else text)


def shown_path(steps: Sequence[Node]) -> str:
    """`Esmtp_Listener::Listen:\\:25:`: scope and instance in turn, colons in names escaped."""
    return "".join(f"{step.row.name}:{_escaped(step.instance)}:" for step in steps)


def _escaped(instance: str | None) -> str:
    return (instance or "").replace("\\", "\\\\").replace(":", "\\:")
