"""`msys.sleep`, `lock`, `unlock`, `asyncOk`: waiting that lets other sessions go on."""

from __future__ import annotations

from msys.arguments import check_number, check_string
from msys.catalog.binding import documented
from msys.locks import named
from msys.lua.errors import RuntimeFault
from msys.ports import current, wait

__all__ = ["asyncOk", "lock", "sleep", "unlock"]


@documented("msys.asyncOk", assumed="false where suspension is impossible")
def asyncOk() -> bool:
    """Whether the running call may wait without holding up others. Source: lua.ref.msys.asyncOk."""
    return current().can_wait


@documented("msys.sleep", assumed="0 or less yields once; returns nothing")
def sleep(duration_in_seconds: float) -> None:
    """Hold this session only, for so many seconds (fractions count); 0 or less yields once.

    Source: lua.ref.msys.sleep.
    """
    wait(current().ports.clock.sleep(max(float(check_number("sleep", 1, duration_in_seconds)), 0)))


@documented(
    "msys.lock",
    assumed="the owner is the running call; locking again raises; a lock left behind is released and logged "
    "when the callout ends",
)
def lock(mutexname: str) -> None:
    """Take the process-wide lock of this name, waiting while another session holds it.

    It is kept over calls that wait. Taking it twice raises. Source: lua.ref.msys.lock.
    """
    name = check_string("lock", 1, mutexname)
    found = named(name)
    if found.owner is current():
        raise RuntimeFault(f"lock: '{name}' is already locked by this call")
    found.acquire()


@documented("msys.unlock", assumed="a lock that this call does not hold raises")
def unlock(mutexname: str) -> None:
    """Release a lock that this call took with `msys.lock`; any other raises. Source: lua.ref.msys.unlock."""
    name = check_string("unlock", 1, mutexname)
    found = named(name)
    if found.owner is not current():
        raise RuntimeFault(f"unlock: '{name}' is not locked by this call")
    found.release()
