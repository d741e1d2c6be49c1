"""When to look at what again: many things to be woken, one timer.

Each thing has one wake-up at most, the earliest that was asked for; what it needs later it asks for when it is woken.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from msys.ports import Clock

K = TypeVar("K", bound=Hashable)


class Wakes(Generic[K]):
    """Calls `wake` for each thing when its time has come."""

    def __init__(self, clock: Clock, wake: Callable[[K], None]) -> None:
        self._clock, self._wake = clock, wake
        self._heap: list[tuple[float, int, K]] = []
        self._when: dict[K, float] = {}
        self._number = 0
        self._cancel: Callable[[], None] | None = None
        self._timer_at = 0.0
        self._stopped = False

    def at(self, thing: K, when: float) -> None:
        """Wake `thing` at this time, unless it will be woken earlier anyway."""
        if self._when.get(thing, when + 1) <= when:
            return
        self._when[thing] = when
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, thing))
        self._arm()

    def stop(self) -> None:
        """Wake nobody any more."""
        self._stopped = True
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _arm(self) -> None:
        if not self._heap or self._stopped:
            return
        when = self._heap[0][0]
        if self._cancel is not None:
            if self._timer_at <= when:
                return
            self._cancel()
        self._timer_at = when
        delay_s = max(0.0, when - self._clock.now())
        self._cancel = self._clock.call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._cancel = None
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            when, _, thing = heapq.heappop(self._heap)
            if self._when.get(thing) != when:
                continue  # an earlier wake-up took its place
            del self._when[thing]
            self._wake(thing)
        self._arm()
