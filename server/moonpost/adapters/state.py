"""Where shared state is kept: in this process, or in Redis or Valkey when several processes share it."""

from __future__ import annotations

from collections.abc import Callable

from msys.ports import State
from msys.ports.memory_state import MemoryState


def state_for(url: str | None, now: Callable[[], float]) -> State:
    """The State port: `redis://host:port/db` (or `rediss`, `unix`), or None for this process alone.

    The redis package is needed only with a URL.
    """
    if not url:
        return MemoryState(now)
    from moonpost.adapters.redis_state import RedisState

    return RedisState(url, now)
