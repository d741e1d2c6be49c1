"""Counts of everything that happens to mail, with few labels: what metrics are made of.

Told of events by name and facts, as the event log is. A label's values are bounded: the first domains and bindings get
their own, all later ones are counted as `other`, for as long as the process lives, so that a counter never goes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

OTHER: Final = "other"
MOST_DOMAINS: Final = (
    50  # chosen: 50 domains x 20 bindings x 4 counters is what a Prometheus takes without a thought
)
MOST_BINDINGS: Final = 20
MAIL: Final = ("received", "delivered", "deferred", "failed")

Labels = tuple[str, ...]


class Bounded:
    """The first so many values as they are, and `other` for the rest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


class Tallies:
    """Counters by name of the event and labels."""

    def __init__(self, domains: int = MOST_DOMAINS, bindings: int = MOST_BINDINGS) -> None:
        self.counts: dict[str, Counter[Labels]] = {}
        self._domain, self._binding = Bounded(domains), Bounded(bindings)
        self._word = Bounded(100)  # phases, callouts, actions: few, but told by others
        self._labels: Mapping[str, Callable[[Mapping[str, Any]], Labels]] = {
            **dict.fromkeys(MAIL, self._mail),
            "reject": lambda facts: (self._words(facts, "phase"), _class_of(facts)),
            "discarded": lambda facts: (self._words(facts, "phase"),),
            "policy_error": lambda facts: (
                self._words(facts, "callout"),
                self._words(facts, "kind"),
            ),
            "adaptive": lambda facts: (self._words(facts, "action"),),
            "reload": lambda _facts: (),
            "reload_refused": lambda _facts: (),
        }

    def see(self, event: str, facts: Mapping[str, Any]) -> None:
        """One event of the event log."""
        labels = self._labels.get(event)
        if labels is not None:
            counter = self.counts.get(event)
            if counter is None:
                counter = self.counts[event] = Counter()
            counter[labels(facts)] += 1

    def _mail(self, facts: Mapping[str, Any]) -> Labels:
        return (
            self._binding(str(facts.get("binding") or "default")),
            self._domain(str(facts.get("domain") or "")),
        )

    def _words(self, facts: Mapping[str, Any], name: str) -> str:
        return self._word(str(facts.get(name) or "none"))


def _class_of(facts: Mapping[str, Any]) -> str:
    """`4xx`, `5xx`: the class of a reply."""
    return f"{str(facts.get('code') or 0)[0]}xx"
