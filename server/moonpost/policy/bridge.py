"""Runs plain synchronous policy inside greenlets, so that it can wait for the event loop.

`start` runs a function to its end and returns its result; when the function waits on the way (`msys.ports.wait`), it
returns an awaitable instead. Greenlets are pooled: making one costs ten times as much as using one.
Knows nothing of callouts, messages or Lua.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from greenlet import getcurrent, greenlet

from moonpost.policy.limits import Limits, Watch
from msys.ports import PolicyLimit, set_waiter

IDLE_MAX = 256  # chosen: greenlets kept for the next callouts; each holds about 6 KB

Job = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(slots=True)
class _Waiting:
    """Sent to the event loop by a greenlet that cannot go on yet."""

    sleeper: greenlet  # the worker, or a Lua coroutine inside it
    awaitable: Awaitable[Any]


@dataclass(slots=True)
class _Failed:
    error: BaseException


class Bridge:
    """One pool of greenlets on one event loop thread."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._watch = Watch(self._limits)
        self._idle: list[greenlet] = []

    def start(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run `function(*args)` in a greenlet.

        Returns its result, or an awaitable of it when it has to wait. What it raises is raised here, or by the
        awaitable. PolicyLimit is raised when it uses more than its CPU or total time.
        """
        worker = self._idle.pop() if self._idle else self._new_worker()
        watch = self._watch
        watch.begin(0.0)
        try:
            answer = worker.switch((function, args))
        finally:
            used_s = watch.end()
        if answer.__class__ is _Waiting:
            return self._go_on(worker, answer, used_s)
        return self._finish(worker, answer)

    async def _go_on(self, worker: greenlet, waiting: _Waiting, used_s: float) -> Any:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.total_s
        watch = self._watch
        answer: Any = waiting
        while answer.__class__ is _Waiting:
            try:
                async with asyncio.timeout_at(deadline) as timer:
                    value = await answer.awaitable
                resume, argument = answer.sleeper.switch, value
            except TimeoutError as error:
                late = timer.expired()
                resume = answer.sleeper.throw
                argument = (
                    PolicyLimit(f"policy took longer than {self._limits.total_s:g} s in all")
                    if late
                    else error
                )
            except BaseException as error:
                resume, argument = answer.sleeper.throw, error
            watch.begin(used_s)
            try:
                answer = resume(argument)
            finally:
                used_s = watch.end()
        return self._finish(worker, answer)

    def _finish(self, worker: greenlet, answer: Any) -> Any:
        if len(self._idle) < IDLE_MAX:
            self._idle.append(worker)
        if answer.__class__ is _Failed:
            try:
                raise answer.error
            finally:
                del answer  # the traceback would keep itself alive
        return answer

    def _new_worker(self) -> greenlet:
        home = getcurrent()  # the event loop's greenlet

        def wait_here(awaitable: Awaitable[Any]) -> Any:
            return home.switch(_Waiting(getcurrent(), awaitable))

        def work(job: Job) -> None:
            set_waiter(wait_here)
            while True:
                function, args = job
                try:
                    answer = function(*args)
                except BaseException as error:
                    answer = _Failed(error)
                del (
                    function,
                    args,
                    job,
                )  # nothing of a finished callout stays alive in an idle worker
                job = home.switch(answer)
                answer = None

        worker = greenlet(work)
        # A greenlet starts with an empty context; its own copy lets each callout set its variables undisturbed.
        worker.gr_context = contextvars.copy_context()
        return worker
