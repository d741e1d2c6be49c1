"""How long each callout took, in this process: what metrics and `moonpost top` show.

Counting only. Times are wall time, waiting included, in seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# chosen: from a callout that only looks at a header to the limit of its total time
BOUNDS_S: Final = (0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0)


@dataclass(slots=True)
class Spread:
    """Times of one callout: how many, their sum, the longest, and how many up to each bound and beyond the last."""

    count: int = 0
    total_s: float = 0.0
    longest_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total_s += seconds
        if seconds > self.longest_s:
            self.longest_s = seconds
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1


class Timings:
    """By callout; callouts are those of the catalogue, so there are never many."""

    def __init__(self) -> None:
        self._spreads: dict[str, Spread] = {}

    def add(self, callout: str, seconds: float) -> None:
        spread = self._spreads.get(callout)
        if spread is None:
            spread = self._spreads[callout] = Spread()
        spread.add(seconds)

    def all(self) -> Mapping[str, Spread]:
        """A copy of the table; safe to walk in another thread."""
        return dict(self._spreads)


TIMINGS: Final = Timings()  # of this process, as policy's time limit is
