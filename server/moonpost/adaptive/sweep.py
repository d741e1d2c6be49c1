"""Sweep rules: what share of a queue's mail bounced or was complained about, and what to do when it is too much.

Pure. A rule is an `adaptive_sweep_rule` stanza or built in; both thresholds are per cent. Every rule whose threshold is
passed acts; a queue that is suspended stays suspended as long as the first of them said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from moonpost.adaptive.figures import ATTEMPTS, DELIVERIES
from moonpost.config.fallback import delivery_chain
from moonpost.config.node import Node
from msys.adaptive import Action, parse_action

LOW: Final = 5.0
HIGH: Final = 10.0
LOW_ACTION: Final = Action("throttle", "down")
HIGH_ACTION: Final = Action("suspend", 4 * 3600)


class BadSweepRule(ValueError):
    """A stanza that says nothing that can be done; the text names it."""


@dataclass(frozen=True, slots=True)
class SweepRule:
    """When the listed codes make up so many per cent, do so."""

    name: str
    codes: tuple[str, ...]  # `bc:10`, `fbl:abuse`
    low_threshold: float = LOW
    low_action: Action = LOW_ACTION
    high_threshold: float = HIGH
    high_action: Action = HIGH_ACTION

    @property
    def about_complaints(self) -> bool:
        return self.codes[0].startswith("fbl:")


BUILT_IN: Final = (
    SweepRule("default_bounce_rule", ("bc:10", "bc:24"), 3.0, high_threshold=10.0),
    SweepRule("default_fbl_rule", ("fbl:abuse",), 0.2, high_threshold=0.5),
)


@dataclass(frozen=True, slots=True)
class Share:
    """What a rule looks at: how many of how many."""

    count: int
    total: int

    @property
    def per_cent(self) -> float:
        return 100.0 * self.count / self.total if self.total else 0.0


def share_of(rule: SweepRule, bounces: Counter[str], complaints: Counter[str]) -> Share:
    """The figures that a rule is about."""
    counts, total = (complaints, DELIVERIES) if rule.about_complaints else (bounces, ATTEMPTS)
    return Share(sum(counts[code] for code in rule.codes), counts[total])


def due(rule: SweepRule, share: Share, fewest: int) -> tuple[Action, str] | None:
    """The action whose threshold is passed, and why. fewest: how much mail there must be for a rate to count."""
    if share.total < max(1, fewest):
        return None
    for threshold, action in (
        (rule.high_threshold, rule.high_action),
        (rule.low_threshold, rule.low_action),
    ):
        if share.per_cent >= threshold:
            what = "+".join(rule.codes)
            why = f"{what} {share.count}/{share.total} is {share.per_cent:.2f} %, {threshold:g} % allowed"
            return action, f"sweep rule {rule.name}: {why}"
    return None


def rules_for(root: Node, binding: str, domain: str) -> list[SweepRule]:
    """The sweep rules of a queue: the most specific of each name, and the built-in ones where none of their kind is.

    BadSweepRule when a stanza cannot be understood.
    """
    found: dict[str, SweepRule | None] = {}
    chain = list(delivery_chain(root, binding, domain))
    for at, scope in enumerate(chain):
        on = _enabled(chain[at:])
        for node in scope.named("adaptive_sweep_rule"):
            name = node.instance or ""
            if name not in found:  # of one name the most specific holds, even when it is disabled
                found[name] = read_rule(node) if on and node.get("enabled") is not False else None
    rules = [rule for rule in found.values() if rule is not None]
    if _enabled(chain):
        kinds = {rule.about_complaints for rule in rules}
        rules += [rule for rule in BUILT_IN if rule.about_complaints not in kinds]
    return rules


def _enabled(scopes: Sequence[Node]) -> bool:
    said = (scope.get("adaptive_sweep_rule_enabled") for scope in scopes)
    return next((bool(value) for value in said if value is not None), True)


def read_rule(node: Node) -> SweepRule | None:
    """One stanza; None when its codes are missing or of both kinds: such a rule is ignored, as in the original."""
    codes = tuple(code.lower() for code in node.get("codes") or ())
    kinds = {code.partition(":")[0] for code in codes}
    for code in codes:
        kind, _, what = code.partition(":")
        if kind not in ("bc", "fbl") or not what or (kind == "bc" and not what.isdigit()):
            raise BadSweepRule(f"`{code}` is neither bc:NUMBER nor fbl:CATEGORY")
    if len(kinds) != 1:
        return None
    low, high = node.get("low_threshold"), node.get("high_threshold")
    return SweepRule(
        node.instance or "",
        codes,
        LOW if low is None else float(low),
        _action(node, "low_action") or LOW_ACTION,
        HIGH if high is None else float(high),
        _action(node, "high_action") or HIGH_ACTION,
    )


def _action(node: Node, option: str) -> Action | None:
    words: Any = node.get(option)
    if words is None:
        return None
    action = parse_action(words[0], words[1]) if len(words) == 2 else None
    if action is None or action.name == "transcode":
        raise BadSweepRule(f"{option} = ( {' '.join(words)} ) is no action")
    return action


def all_rules(root: Node) -> Iterator[tuple[Node, SweepRule | BadSweepRule | None]]:
    """Every stanza, and what it is: a rule, why it is none, or None: it is ignored."""
    for _, node in root.walk():
        if node.key[0] == "adaptive_sweep_rule":
            try:
                yield node, read_rule(node)
            except BadSweepRule as bad:
                yield node, bad
