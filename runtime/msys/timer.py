"""`msys.timer`: functions that run later, once or again and again.

A timer made while a generation is prepared starts when the generation becomes current; one made by a
running callout starts at once. The server stops all of a generation's timers when the next one takes over.
A timer keeps running although no variable holds it, which is kinder than Momentum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msys.arguments import bad_argument, check_function, check_number, check_string
from msys.background import WORK_POOL, detached
from msys.catalog.binding import documented
from msys.lua import ABSENT, Userdata, environment
from msys.ports import current

__all__ = ["Timer", "after", "at", "every"]

PREPARING = ("", "init", "rsrc_setup")  # callouts that run before their generation is current


class Timer(Userdata):
    """One timer. `delay_s` says how long to wait for the first call and, with `repeats`, each later one."""

    __slots__ = (
        "_cancel",
        "_delay_s",
        "_job",
        "_label",
        "_ports",
        "_repeats",
        "_running",
        "_stopped",
    )
    lua_type = "msys.timer:timer"
    lua_hidden = frozenset({"arm", "disarm"})

    def __init__(
        self, delay_s: Callable[[], float], closure: Any, label: str | None, repeats: bool
    ) -> None:
        self._ports = current().ports
        self._delay_s = delay_s
        self._label = label
        self._repeats = repeats
        self._job = detached(closure, f"timer {label or ''}".rstrip(), self._ended)
        self._cancel: Callable[[], None] | None = None
        self._stopped = self._running = False

    def start(self) -> None:
        """Arm it again: the full interval from now."""
        self._stopped = False
        self.arm()

    def stop(self) -> None:
        """No call any more until `start`; a call that is running goes on to its end."""
        self._stopped = True
        self.disarm()

    def name(self) -> str | None:
        """The label it was made with; nil without one."""
        return self._label

    def arm(self) -> None:
        """For the server: the generation is current. A timer that policy stopped stays so."""
        self.disarm()
        if not self._stopped:
            self._cancel = self._ports.clock.call_later(max(self._delay_s(), 0), self._due)

    def disarm(self) -> None:
        """For the server: the generation is over."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _due(self) -> None:
        self._cancel = None
        if self._repeats:
            self.arm()
        if not self._running:  # a call that takes longer than the interval: this turn is left out
            self._running = True
            self._ports.pools.spawn(WORK_POOL, self._job, None)

    def _ended(self) -> None:
        self._running = False


def _made(timer: Timer) -> Timer:
    environment().timers.append(timer)
    if current().callout not in PREPARING:
        timer.arm()
    return timer


def _seconds(function: str, value: Any) -> float:
    seconds = float(check_number(function, 1, value))
    if seconds != seconds:
        raise bad_argument(function, 1, "a number of seconds expected, got nan")
    return seconds


def _label(function: str, name: Any) -> str | None:
    return None if name is ABSENT or name is None else check_string(function, 3, name)


@documented("msys.timer.after", assumed="fractions count; start() runs it again, delta from then")
def after(delta: float, closure: Any, name: Any = ABSENT) -> Timer:
    """Call `closure` once, without arguments, `delta` seconds from now. Errors are logged.

    Source: lua.ref.msys.timer.after.
    """
    seconds = _seconds("after", delta)
    function = check_function("after", 2, closure)
    return _made(Timer(lambda: seconds, function, _label("after", name), repeats=False))


@documented("msys.timer.at", assumed="Unix seconds; a moment that has passed is now")
def at(number: float, closure: Any, name: Any = ABSENT) -> Timer:
    """Call `closure` once, at this moment in Unix seconds; at once when it has passed.

    Source: lua.ref.msys.timer.at.
    """
    moment = _seconds("at", number)
    function = check_function("at", 2, closure)
    clock = current().ports.clock
    return _made(Timer(lambda: moment - clock.now(), function, _label("at", name), repeats=False))


@documented("msys.timer.every", assumed="calls never overlap; missed turns are left out")
def every(interval: float, closure: Any, name: Any = ABSENT) -> Timer:
    """Call `closure` after each `interval` seconds until the timer is stopped; calls never overlap.

    Source: lua.ref.msys.timer.every.
    """
    seconds = _seconds("every", interval)
    if seconds <= 0:
        raise bad_argument("every", 1, "a positive number of seconds expected")
    function = check_function("every", 2, closure)
    return _made(Timer(lambda: seconds, function, _label("every", name), repeats=True))
