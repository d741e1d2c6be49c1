"""What adaptive delivery knows: suspensions, blackholes, tuned options, ages of bindings.

Plain data and its JSON form. Times are seconds since the epoch, UTC. No clock, no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from moonpost.spool.record import QueueName

VERSION: Final = 1  # of the JSON form
SUSPENSION, BLACKHOLE = "suspension", "blackhole"


@dataclass(slots=True)
class Hold:
    """A queue that is suspended or blackholed until some time; `enabled` is False when an operator overrode it."""

    until: float
    since: float
    reason: str
    enabled: bool = True


@dataclass(slots=True)
class Tuned:
    """An option that an action changed: its value now, since when, and why."""

    value: float
    at: float
    reason: str


@dataclass(slots=True)
class PairState:
    """What is known of one queue."""

    holds: dict[str, Hold] = field(default_factory=dict)  # SUSPENSION, BLACKHOLE
    tuned: dict[str, Tuned] = field(default_factory=dict)  # option -> what an action made of it
    computed: dict[str, float] = field(default_factory=dict)  # option -> what a function gave last
    adjusted_at: float = 0.0  # an action tuned something
    refused_at: float = 0.0  # a rule fired
    relaxed_at: float = 0.0  # a tuned option went back a step
    delivered_at: float = 0.0

    @property
    def worth_keeping(self) -> bool:
        return bool(self.holds or self.tuned or self.computed)


@dataclass(slots=True)
class State:
    """Everything; what `store` writes."""

    pairs: dict[QueueName, PairState] = field(default_factory=dict)
    born: dict[str, float] = field(default_factory=dict)  # binding -> when its age was zero

    def pair(self, name: QueueName) -> PairState:
        """The state of a queue, made when there is none."""
        found = self.pairs.get(name)
        if found is None:
            found = self.pairs[name] = PairState()
        return found

    def held(self, name: QueueName, kind: str) -> bool:
        """Whether a suspension or blackhole is in force; what has run out is taken away by `engine.ended`."""
        found = self.pairs.get(name)
        hold = None if found is None else found.holds.get(kind)
        return hold is not None and hold.enabled

    def age_s(self, binding: str, now: float) -> float:
        """How long a binding has been sending, in seconds."""
        return max(0.0, now - self.born.get(binding, now))


def to_json(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "version": VERSION,
        "born": state.born,
        "pairs": [
            {"binding": name.binding, "domain": name.domain, **asdict(pair)}
            for name, pair in state.pairs.items()
            if pair.worth_keeping
        ],
    }


def from_json(text: Mapping[str, Any]) -> State:
    """The state that `to_json` wrote. ValueError, KeyError or TypeError when it is something else."""
    if text["version"] != VERSION:
        raise ValueError(f"version {text['version']!r}, and this moonpost reads version {VERSION}")
    state = State(born={str(name): float(at) for name, at in text["born"].items()})
    for row in text["pairs"]:
        pair = PairState(
            holds={kind: Hold(**hold) for kind, hold in row["holds"].items()},
            tuned={option: Tuned(**tuned) for option, tuned in row["tuned"].items()},
            computed={option: float(value) for option, value in row["computed"].items()},
            **{
                name: float(row[name])
                for name in ("adjusted_at", "refused_at", "relaxed_at", "delivered_at")
            },
        )
        state.pairs[QueueName(row["binding"], row["domain"])] = pair
    return state
