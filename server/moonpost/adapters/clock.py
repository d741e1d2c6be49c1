"""Time, from the operating system and the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class LoopClock:
    """The Clock port on the running event loop."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(max(seconds, 0))

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        return asyncio.get_running_loop().call_later(max(seconds, 0), function).cancel
