"""`msys.runInPool`, and running policy functions outside the callout that made them.

A function of policy always runs on the event loop, in a greenlet of its own; a pool limits how many of its
jobs run at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msys.arguments import check_function, check_integer, string_or_none, truth
from msys.catalog.binding import documented
from msys.lua import ABSENT, LuaError, pcall
from msys.lua.environment import Environment, enter
from msys.lua.errors import RuntimeFault
from msys.ports import Call, Ports, current, enter_call, wait

__all__ = ["detached", "pool_name", "runInPool"]

WORK_POOL = "CPU"  # where timers and other work without a pool of its own is counted


def pool_name(function: str, position: int, wanted: Any) -> str | None:
    """A pool by name (in any case) or by job class id, as the configuration spells it; None: no such pool.

    function, position: whose argument `wanted` is.
    """
    names = current().ports.pools.names()
    text = string_or_none(wanted)
    if isinstance(wanted, str) and text is not None:
        return next((name for name in names if name.lower() == text.lower()), None)
    number = check_integer(function, position, wanted)
    return names[number] if 0 <= number < len(names) else None


def detached(
    function: Callable[..., Any], what: str, at_end: Callable[[], None] | None = None
) -> Callable[[], Any]:
    """A job that calls `function` later, as policy of the generation that is running now.

    what: how the log names it. Errors are logged; what the job gives back is nothing.
    """
    made_in = current()
    ports, environment, script = made_in.ports, made_in.environment, made_in.script

    def job() -> None:
        call = Call(ports, environment, callout=what, script=script)
        _run(ports, environment, call, function, what)
        if at_end is not None:
            at_end()

    return job


def _run(
    ports: Ports, environment: Environment, call: Call, function: Callable[..., Any], what: str
) -> None:
    enter(environment)
    enter_call(call)
    try:
        done, *rest = pcall(function)
        if not done:
            ports.log.panic("scriptlet", f"{what}: {LuaError(rest[0] if rest else None)}")
    finally:
        for finish in call.at_end:
            finish()
        call.at_end.clear()


@documented(
    "msys.runInPool",
    assumed="an unknown pool raises; a completion function gets no arguments and runs after an error too",
)
def runInPool(
    pool: Any = ABSENT,
    closure: Any = ABSENT,
    mode_or_completion: Any = ABSENT,
    completion_mode: Any = ABSENT,
) -> Any:
    """Run a function in a pool, named or by job class id.

    Without a third argument (or false) the caller waits and gets what `pcall` gives: true and the
    results, or false and the error. true: the function starts after the present callout returned, and
    nothing comes back; errors are logged. A function: the same, and it is called afterwards, without
    arguments; the fourth argument is accepted, since both kinds of completion run on the event loop here.
    Source: lua.ref.msys.runinpool.
    """
    name = pool_name("runInPool", 1, pool)
    if name is None:
        raise RuntimeFault(f"runInPool: no such thread pool '{pool}'")
    job = check_function("runInPool", 2, closure)
    pools = current().ports.pools
    if not truth(mode_or_completion):
        leave = wait(pools.enter(name))
        try:
            return pcall(job)
        finally:
            leave()
    completion = None
    if mode_or_completion is not True:
        completion = check_function("runInPool", 3, mode_or_completion)
    later = detached(job, f"job in pool {name}")
    then = None if completion is None else detached(completion, f"completion of pool {name}")
    pools.spawn(name, (lambda: (later(), then())) if then else later, None)
    return ()
