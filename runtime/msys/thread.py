"""`thread`: mutexes as values. A mutex belongs to the policy call that locked it."""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_integer
from msys.catalog.binding import documented
from msys.locks import Lock
from msys.lua import ABSENT, Userdata
from msys.lua.errors import RuntimeFault
from msys.ports import current

__all__ = ["MUTEX_ERRORCHECK", "MUTEX_NORMAL", "MUTEX_RECURSIVE", "Mutex", "mutex"]

MUTEX_NORMAL = 0
MUTEX_RECURSIVE = 1
MUTEX_ERRORCHECK = 2


class Mutex(Userdata):
    """What `thread.mutex` makes."""

    __slots__ = ("_lock", "_recursive")
    lua_type = "thread:mutex"

    def __init__(self, kind: int) -> None:
        self._lock = Lock("a mutex")
        self._recursive = kind == MUTEX_RECURSIVE

    def lock(self) -> bool:
        """Take it, waiting while another call has it; true. Twice raises unless it is recursive."""
        return self.trylock() or self._wait()

    def _wait(self) -> bool:
        if self._lock.owner is current():
            raise RuntimeFault("failed to lock mutex: this call has locked it already")
        self._lock.acquire()
        return True

    def trylock(self) -> bool:
        """Take it if that needs no waiting; whether it was taken."""
        if self._lock.owner is None:
            self._lock.acquire()
            return True
        if self._recursive and self._lock.owner is current():
            self._lock.depth += 1
            return True
        return False

    def unlock(self) -> bool:
        """Give it back; true. Raises when this call does not have it."""
        if self._lock.owner is not current():
            raise RuntimeFault("failed to unlock mutex")
        if self._lock.depth > 1:
            self._lock.depth -= 1
        else:
            self._lock.release()
        return True


@documented(
    "thread.mutex",
    assumed="a default mutex checks errors as an error-checking one does; methods return true",
)
def mutex(type: Any = ABSENT) -> Mutex:
    """A new mutex with `lock`, `trylock` and `unlock`.

    type: `thread.MUTEX_NORMAL` (default, also for nil), `thread.MUTEX_RECURSIVE` or
    `thread.MUTEX_ERRORCHECK`. Where Momentum would dead-lock, locking twice raises.
    Source: lua.ref.thread.mutex.
    """
    kind = MUTEX_NORMAL if type is ABSENT or type is None else check_integer("mutex", 1, type)
    if kind not in (MUTEX_NORMAL, MUTEX_RECURSIVE, MUTEX_ERRORCHECK):
        raise bad_argument("mutex", 1, "one of thread.MUTEX_… expected")
    return Mutex(kind)
