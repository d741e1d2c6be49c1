"""Coroutines as greenlets, so that `yield` crosses `pcall`, iterators, metamethods and library functions.

A coroutine runs in the context (environment, running call) of whoever resumes it. One that waits for the outside puts
its resumer to sleep with it, as any function call would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from msys.lua.calls import call
from msys.lua.errors import LuaError, RuntimeFault
from msys.lua.explain import explain

SUSPENDED, RUNNING, NORMAL, DEAD = "suspended", "running", "normal", "dead"


class Coroutine:
    """A Lua thread."""

    __slots__ = ("_function", "_greenlet", "_resumer", "locals", "status")

    lua_thread = True

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._greenlet: CoroutineGreenlet | None = CoroutineGreenlet(self)
        self._resumer: greenlet | None = None
        self.status = SUSPENDED
        self.locals: Any = None  # its `_TLS`, made when asked for

    def run(self, *args: Any) -> tuple[Any, ...]:
        """The body of the greenlet."""
        return call(self._function, *args)

    def resume(self, *args: Any) -> tuple[Any, ...]:
        """What it yields or returns. Raises the error it died of, explained."""
        inner = self._greenlet
        if self.status != SUSPENDED or inner is None:
            raise LuaError(f"cannot resume {self.status} coroutine", positioned=True)
        here = getcurrent()
        outer = here.coroutine if isinstance(here, CoroutineGreenlet) else None
        if outer is not None:
            outer.status = NORMAL
        inner.parent = here
        inner.gr_context = here.gr_context
        self._resumer = here
        self.status = RUNNING
        try:
            result = inner.switch(*args)
        except Exception as error:
            self.status = DEAD
            raise explain(error) from None
        finally:
            self._resumer = None
            if outer is not None:
                outer.status = RUNNING
            if inner.dead:
                self.status = DEAD
                self._greenlet = None
            elif self.status == RUNNING:
                self.status = SUSPENDED
        return result  # type: ignore[no-any-return]

    def suspend(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Hand `values` to the resumer; returns what the next resume passes."""
        resumer = self._resumer
        assert resumer is not None  # only the running coroutine suspends itself
        return packed(resumer.switch(values))


class CoroutineGreenlet(greenlet):  # type: ignore[misc]
    """The greenlet behind a Coroutine."""

    def __init__(self, coroutine: Coroutine) -> None:
        super().__init__(coroutine.run)
        self.coroutine = coroutine


def packed(passed: Any) -> tuple[Any, ...]:
    """What greenlet makes of the arguments of `switch`: one bare, others a tuple."""
    return passed if passed.__class__ is tuple else (passed,)


def running() -> Coroutine | None:
    """The coroutine that runs; None outside of any."""
    here = getcurrent()
    return here.coroutine if isinstance(here, CoroutineGreenlet) else None


def suspend(*values: Any) -> tuple[Any, ...]:
    """`coroutine.yield`."""
    here = running()
    if here is None:
        raise RuntimeFault("attempt to yield across metamethod/C-call boundary")
    return here.suspend(values)
