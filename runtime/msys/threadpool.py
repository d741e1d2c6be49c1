"""`msys.threadpool`: the pools by name and job class id, and what they have done."""

from __future__ import annotations

from typing import Any

from msys.background import pool_name
from msys.catalog.binding import documented
from msys.lua import ABSENT, Userdata
from msys.ports import current

__all__ = ["ThreadPoolStatistics", "count", "find", "stat"]

FIGURES = (
    "invocations",
    "avg_concurrency",
    "saturation",
    "avg_wallclock_time_per_op",
    "queue_sz",
    "num_threads",
    "num_active_threads",
    "num_inactive_threads",
    "job_num_queued",
    "job_num_running",
)


class ThreadPoolStatistics(Userdata):
    """A summary of one pool; reads as a table, prints as a report. Saturation in percent, times in ms."""

    __slots__ = ("figures",)
    lua_type = "msys.threadpool:stat"
    lua_hidden = frozenset({"figures"})

    def __init__(self, figures: dict[str, Any]) -> None:
        self.figures = figures

    def __getitem__(self, key: Any) -> Any:
        return self.figures.get(key)

    def lua_tostring(self) -> str:
        f = self.figures
        return "\n".join(
            (
                f"{f['name']} thread pool: concurrency {f['num_threads']:g}",
                f"Total invocations: {f['invocations']:g}",
                f"Observed average concurrency: {f['avg_concurrency']:.2f}",
                f"Thread pool saturation: {f['saturation']:.2f}%",
                f"Average wallclock time per op: {f['avg_wallclock_time_per_op']:.2f}ms",
                f"Current thread count: {f['num_threads']:g}",
                f"[inactive threads] {f['num_inactive_threads']:g}",
            )
        )


def _chosen(function: str, threadpoolname: Any, jobclassID: Any) -> str | None:
    """The pool meant by either of two optional arguments; the first may be a name or an id."""
    for position, wanted in enumerate((threadpoolname, jobclassID), 1):
        if wanted is not ABSENT and wanted is not None:
            return pool_name(function, position, wanted)
    return None


@documented("msys.threadpool.count")
def count() -> int:
    """How many pools there are. Source: lua.ref.msys.threadpool.count."""
    return len(current().ports.pools.names())


@documented(
    "msys.threadpool.find", assumed="one argument, name or id; names in any case, given in capitals"
)
def find(threadpoolname: Any = ABSENT, jobclassID: Any = ABSENT) -> int | str | None:
    """The job class id of a pool's name, or the name (in capitals) of an id; nil when there is none.

    Source: lua.ref.msys.threadpool.find.
    """
    name = _chosen("find", threadpoolname, jobclassID)
    if name is None:
        return None
    if isinstance(threadpoolname, str):
        return list(current().ports.pools.names()).index(name)
    return name.upper()


@documented("msys.threadpool.stat", assumed="saturation in percent, time per job in milliseconds")
def stat(threadpoolname: Any = ABSENT, jobclassID: Any = ABSENT) -> ThreadPoolStatistics | None:
    """What a pool (by name or id) has done; nil for an unknown one. Source: lua.ref.msys.threadpool.stat."""
    name = _chosen("stat", threadpoolname, jobclassID)
    if name is None:
        return None
    found = current().ports.pools.stats(name)
    figures: dict[str, Any] = {key: found.get(key, 0) for key in FIGURES}
    return ThreadPoolStatistics({"name": name, **figures})
