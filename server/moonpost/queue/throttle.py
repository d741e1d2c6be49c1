"""Rate limits of one queue. Pure: the time comes in as an argument."""

from __future__ import annotations

ENOUGH = 1 - 1e-9  # an event is allowed from here on; less than 1 by what adding fractions loses

SHORTEST_S = 0.001  # chosen: a clock that counts from 1970 cannot tell much less apart


class Throttle:
    """So many events in so many seconds; a bucket that refills steadily."""

    def __init__(self, count: float, seconds: float) -> None:
        self.rate = (count, seconds)
        self._level = count
        self._seen_at: float | None = None

    def peek_s(self, now: float) -> float:
        """How long until something is allowed again; nothing is counted."""
        count, seconds = self.rate
        if self._seen_at is not None:
            self._level = min(count, self._level + max(0.0, now - self._seen_at) * count / seconds)
        self._seen_at = now
        if self._level >= ENOUGH:
            return 0.0
        return max((1 - self._level) * seconds / count, SHORTEST_S)

    def spend(self, now: float, events: int = 1) -> None:
        """Count events, whether they are allowed or not."""
        self.peek_s(now)
        self._level -= events

    def wait_s(self, now: float, events: int = 1) -> float:
        """How long until something is allowed again; 0: now, and the events have been counted.

        Events that belong together (the recipients of one letter) may overdraw the bucket; what follows waits longer.
        """
        wait_s = self.peek_s(now)
        if wait_s == 0.0:
            self._level -= events
        return wait_s
