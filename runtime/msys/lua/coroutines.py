"""Coroutines as greenlets, so that `yield` crosses `pcall`, iterators, metamethods and library functions.

A coroutine runs in the context (environment, running call) of whoever resumes it. One that waits for the outside puts
its resumer to sleep with it, as any function call would.

No frame of a sleeping coroutine refers to its Coroutine or its greenlet: the collector does not see such frames, and
an abandoned coroutine would stay for ever. (One whose own Lua function refers to it does.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from greenlet import getcurrent, greenlet

from msys.lua.calls import call
from msys.lua.errors import LuaError, RuntimeFault
from msys.lua.explain import explain

SUSPENDED, RUNNING, NORMAL, DEAD = "suspended", "running", "normal", "dead"


class Coroutine:
    """A Lua thread."""

    __slots__ = ("__weakref__", "_greenlet", "locals", "status")

    lua_thread = True

    def __init__(self, function: Callable[..., Any]) -> None:
        self._greenlet: CoroutineGreenlet | None = CoroutineGreenlet(self, function)
        self.status = SUSPENDED
        self.locals: Any = None  # its `_TLS`, made when asked for

    def resume(self, *args: Any) -> tuple[Any, ...]:
        """What it yields or returns. Raises the error it died of, explained."""
        inner = self._greenlet
        if self.status != SUSPENDED or inner is None:
            raise LuaError(f"cannot resume {self.status} coroutine", positioned=True)
        here = getcurrent()
        outer = running()
        if outer is not None:
            outer.status = NORMAL
        inner.parent = here
        inner.gr_context = here.gr_context
        self.status = RUNNING
        try:
            result: tuple[Any, ...] = inner.switch(*args)
        except Exception as error:
            raise explain(error) from None
        finally:
            if outer is not None:
                outer.status = RUNNING
            if inner.dead:
                self.status = DEAD
                self._greenlet = None
            else:
                self.status = SUSPENDED
        return result


class CoroutineGreenlet(greenlet):  # type: ignore[misc]
    """The greenlet behind a Coroutine."""

    def __init__(self, coroutine: Coroutine, function: Callable[..., Any]) -> None:
        super().__init__(lambda *args: call(function, *args))
        self.coroutine = ref(coroutine)


def running() -> Coroutine | None:
    """The coroutine that runs; None outside of any."""
    here = getcurrent()
    return here.coroutine() if isinstance(here, CoroutineGreenlet) else None


def suspend(*values: Any) -> tuple[Any, ...]:
    """`coroutine.yield`: hand `values` to the resumer; returns what the next resume passes."""
    if running() is None:
        raise RuntimeFault("attempt to yield across metamethod/C-call boundary")
    passed = getcurrent().parent.switch(values)
    # greenlet makes one argument of `switch` bare, and others a tuple
    return passed if passed.__class__ is tuple else (passed,)
