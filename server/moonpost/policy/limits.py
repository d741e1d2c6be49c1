"""Stops policy that does not stop itself.

A timer that counts only this process's CPU time ticks ten times a second of work. Its handler runs between two
bytecodes of the main thread, and inside `re` while a pattern matches, so an endless loop and a catastrophic pattern
both meet it. It raises PolicyLimit there: a BaseException, which Lua's pcall does not catch.
"""

from __future__ import annotations

import atexit
import signal
import threading
import time
from dataclasses import dataclass
from types import FrameType

from msys.ports import PolicyLimit

TICK_S = 0.1  # chosen: how late a limit may be noticed, against ten signals per second of CPU


@dataclass(frozen=True, slots=True)
class Limits:
    """cpu_s: time one callout may compute; total_s: time it may take, waiting included."""

    cpu_s: float = 2.0
    total_s: float = 300.0


class Watch:
    """Knows whether policy is running now, and for how long."""

    _active: Watch | None = (
        None  # the process has one timer; the watch that began last owns the ticks
    )
    _armed = False

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._stop_at = 0.0  # time.perf_counter() value; 0: no policy is running
        self._began_at = 0.0
        self._used_s = 0.0
        if not Watch._armed and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGVTALRM, Watch._tick)
            signal.setitimer(signal.ITIMER_VIRTUAL, TICK_S, TICK_S)
            # A tick after the interpreter took its handlers back would end the process.
            atexit.register(signal.setitimer, signal.ITIMER_VIRTUAL, 0)
            Watch._armed = True

    def begin(self, used_s: float) -> None:
        """Policy takes over, having used `used_s` before."""
        self._used_s = used_s
        self._began_at = time.perf_counter()
        self._stop_at = self._began_at + self._limits.cpu_s - used_s
        Watch._active = self

    def end(self) -> float:
        """Policy gave control back; returns the seconds it used so far."""
        self._stop_at = 0.0
        return self._used_s + time.perf_counter() - self._began_at

    @staticmethod
    def _tick(_signal: int, _frame: FrameType | None) -> None:
        watch = Watch._active
        if watch is not None and 0.0 < watch._stop_at < time.perf_counter():
            watch._stop_at = 0.0  # once: the handlers that clean up must be able to run
            raise PolicyLimit(f"policy computed for longer than {watch._limits.cpu_s:g} s")
