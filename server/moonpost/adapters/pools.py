"""Job pools: threads for blocking Python work, greenlets for policy functions, places to limit both.

Policy never runs in a thread: a pool's concurrency limits how many of its policy jobs run at the same time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, TypeVar

from moonpost.config.model import BUILT_IN_POOLS
from msys.ports import Clock, Log, PortError, current

T = TypeVar("T")


@dataclass(slots=True)
class _Pool:
    name: str
    size: int
    running: int = 0
    invocations: int = 0
    busy_s: float = 0.0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    threads: ThreadPoolExecutor | None = None


class LoopPools:
    """The Pools port on one event loop.

    start: runs a function as policy and answers its result, or an awaitable of it (`Bridge.start`).
    sizes: concurrency by name; the built-in pools are there without it.
    """

    def __init__(
        self,
        start: Callable[..., Any],
        clock: Clock,
        log: Log,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        self._start = start
        self._clock = clock
        self._log = log
        self._began = clock.monotonic()
        self._pools = {
            name: _Pool(name, size) for name, size in {**BUILT_IN_POOLS, **(sizes or {})}.items()
        }
        self._tasks: set[asyncio.Task[Any]] = set()

    def names(self) -> Sequence[str]:
        return list(self._pools)

    def stats(self, name: str) -> Mapping[str, float]:
        pool = self._pools[name]
        elapsed_s = max(self._clock.monotonic() - self._began, 1e-9)
        concurrency = pool.busy_s / elapsed_s
        return {
            "invocations": pool.invocations,
            "avg_concurrency": concurrency,
            "saturation": 100 * concurrency / max(pool.size, 1),
            "avg_wallclock_time_per_op": 1000 * pool.busy_s / max(pool.invocations, 1),
            "queue_sz": len(pool.waiting),
            "num_threads": pool.size,
            "num_active_threads": pool.running,
            "num_inactive_threads": max(pool.size - pool.running, 0),
            "job_num_queued": len(pool.waiting),
            "job_num_running": pool.running,
        }

    def enter(self, pool: str) -> Callable[[], None] | Awaitable[Callable[[], None]]:
        found = self._found(pool)
        if found.size == 0 or found.running < found.size:
            return self._admit(found)
        return self._queue(found)

    def run(self, pool: str, job: Callable[[], T]) -> T | Awaitable[T]:
        found = self._found(pool)
        if found.size == 0:
            leave = self._admit(found)
            try:
                return job()
            finally:
                leave()
        return self._in_thread(found, job)

    def spawn(self, pool: str, job: Callable[[], Any], done: Callable[[Any], None] | None) -> None:
        found = self._found(pool)
        loop = asyncio.get_running_loop()

        def begin() -> None:
            task = loop.create_task(self._run_policy(found, job, done))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        try:
            # The job must not start before the callout that asked for it has returned.
            current().at_end.append(begin)
        except LookupError:
            begin()

    async def close(self) -> None:
        """Let spawned jobs end and threads go."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool in self._pools.values():
            if pool.threads is not None:
                pool.threads.shutdown(wait=False, cancel_futures=True)

    def _found(self, name: str) -> _Pool:
        found = self._pools.get(name)
        if found is None:
            raise PortError("UNDEFINED", f"no such thread pool '{name}'")
        return found

    def _admit(self, pool: _Pool) -> Callable[[], None]:
        pool.running += 1
        pool.invocations += 1
        began = self._clock.monotonic()

        def leave() -> None:
            pool.running -= 1
            pool.busy_s += self._clock.monotonic() - began
            _wake(pool)

        return leave

    async def _queue(self, pool: _Pool) -> Callable[[], None]:
        while pool.running >= pool.size:
            turn = asyncio.get_running_loop().create_future()
            pool.waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                _wake(pool)  # whoever woke this one meant somebody to come
                raise
        return self._admit(pool)

    async def _enter(self, pool: _Pool) -> Callable[[], None]:
        entered = self.enter(pool.name)
        return await entered if isinstance(entered, Awaitable) else entered

    async def _in_thread(self, pool: _Pool, job: Callable[[], T]) -> T:
        leave = await self._enter(pool)
        try:
            if pool.threads is None:
                pool.threads = ThreadPoolExecutor(pool.size, f"pool-{pool.name}")
            return await asyncio.get_running_loop().run_in_executor(pool.threads, job)
        finally:
            leave()

    async def _run_policy(
        self, pool: _Pool, job: Callable[[], Any], done: Callable[[Any], None] | None
    ) -> None:
        leave = await self._enter(pool)
        answer: Any = None
        try:
            answer = self._start(job)
            if isawaitable(answer):
                answer = await answer
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a limit of policy is no Exception
            self._log.panic("scriptlet", f"job in pool {pool.name}: {error}")
        finally:
            leave()
        if done is not None:
            done(answer)


def _wake(pool: _Pool) -> None:
    """Let the next one in, when there is a place."""
    while pool.waiting and pool.running < pool.size:
        turn = pool.waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return
