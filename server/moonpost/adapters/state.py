"""Where shared state is kept: in this process, or in Redis or Valkey when several share it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msys.ports import State
from msys.ports.memory_state import MemoryState


async def _nothing() -> None:
    pass


def state_for(
    url: str | None, now: Callable[[], float]
) -> tuple[State, Callable[[], Awaitable[None]]]:
    """The State port, and how to close it. url: `redis://host:port/db` (or `rediss`, `unix`); None: in this process.

    The redis package is needed only with a URL.
    """
    if not url:
        return MemoryState(now), _nothing
    from moonpost.adapters.redis_state import RedisState

    state = RedisState(url, now)
    return state, state.close
