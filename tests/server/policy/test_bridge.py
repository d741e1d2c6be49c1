"""Waiting from plain functions, overlapping, cancelling, and being stopped."""

from __future__ import annotations

import asyncio
import contextvars
import re
from typing import Any

import pytest

from moonpost.policy.bridge import Bridge
from moonpost.policy.limits import Limits, PolicyLimit
from msys.ports import wait


def test_a_function_that_does_not_wait_returns_at_once() -> None:
    assert Bridge().start(lambda a, b: a + b, 1, 2) == 3


def test_a_function_that_raises_raises_here_and_the_worker_goes_on() -> None:
    bridge = Bridge()
    with pytest.raises(KeyError):
        bridge.start({}.__getitem__, "x")
    assert bridge.start(lambda: 7) == 7


def test_waiting_crosses_calls_and_five_hundred_overlap() -> None:
    async def scenario() -> list[int]:
        bridge = Bridge()

        def policy(number: int) -> int:
            return sorted([3, number], key=lambda n: wait(asyncio.sleep(0.01, n)))[0]

        return list(await asyncio.gather(*(bridge.start(policy, n) for n in range(500))))

    assert asyncio.run(scenario()) == [min(3, n) for n in range(500)]


def test_what_the_awaitable_raises_is_raised_where_policy_waits() -> None:
    async def no() -> None:
        raise OSError("no route")

    async def scenario() -> Any:
        def policy() -> str:
            try:
                wait(no())
            except OSError as error:
                return str(error)
            return ""

        return await Bridge().start(policy)

    assert asyncio.run(scenario()) == "no route"


def test_cancelling_reaches_the_waiting_line_and_except_exception_does_not_hide_it() -> None:
    seen: list[str] = []

    async def scenario() -> None:
        def policy() -> None:
            try:
                wait(asyncio.sleep(60))
            except Exception:
                seen.append("hidden")
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        task = asyncio.ensure_future(Bridge().start(policy))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert seen == ["cancelled"]


def test_context_variables_of_overlapping_callouts_do_not_meet() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    async def scenario() -> list[int]:
        bridge = Bridge()

        def policy(number: int) -> int:
            variable.set(number)
            wait(asyncio.sleep(0.001))
            return variable.get()

        return list(await asyncio.gather(*(bridge.start(policy, n) for n in range(20))))

    assert asyncio.run(scenario()) == list(range(20))


def endless() -> None:
    while True:
        try:
            while True:
                pass
        except Exception:
            continue


def catastrophic() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


@pytest.mark.parametrize("policy", [endless, catastrophic])
def test_a_runaway_is_stopped_and_the_next_callout_runs(policy: Any) -> None:
    bridge = Bridge(Limits(cpu_s=0.2))
    with pytest.raises(PolicyLimit, match="computed for longer than"):
        bridge.start(policy)
    assert bridge.start(lambda: 1) == 1


def test_waiting_too_long_in_all_is_stopped() -> None:
    async def scenario() -> None:
        await Bridge(Limits(total_s=0.05)).start(lambda: wait(asyncio.sleep(60)))

    with pytest.raises(PolicyLimit, match="longer than"):
        asyncio.run(scenario())
