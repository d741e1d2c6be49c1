"""Running policy functions in a test: an environment, fakes around it, a call that is current.

    with policy(message=msg) as here:
        assert msys.dnsLookup("example.test") == (None, "NXDOMAIN")
        here.ports.clock.advance(60)

Nothing waits, unless real ports are given: then awaitables run on a private event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from msys import ports as msys_ports
from msys.lua.environment import Environment, enter
from msys.lua.environment import _current as _environment
from msys.ports import Call, Ports, enter_call, set_waiter
from msys.testing.fakes import FakePorts, fake_ports

T = TypeVar("T")


@dataclass(slots=True)
class Policy:
    """The running call of a test and what is around it."""

    ports: FakePorts
    environment: Environment
    call: Call

    def end_call(self) -> None:
        """What happens when a callout returns: held locks go, spawned jobs run."""
        for finish in self.call.at_end:
            finish()
        self.call.at_end.clear()
        self.ports.pools.run_spawned()
        self.enter()

    def enter(self) -> None:
        """Make this call the running one again, after another one was."""
        enter(self.environment)
        enter_call(self.call)


@contextmanager
def policy(
    callout: str = "validate_data",
    *,
    phase: str = "data",
    ports: FakePorts | None = None,
    environment: Environment | None = None,
    accept: Any = None,
    vctx: Any = None,
    message: Any = None,
) -> Iterator[Policy]:
    """A running call with fakes; jobs that run on the way keep to their own context."""
    around = ports or fake_ports()
    here = environment or Environment()
    call = Call(around, here, callout, phase, "test", accept, vctx, message)
    # What follows in the same context must not find this call: a pool would wait for its end.
    before_call, before_environment = (
        msys_ports._call.set(call),
        _environment.set(here),
    )
    try:
        yield Policy(around, here, call)
    finally:
        _environment.reset(before_environment)
        msys_ports._call.reset(before_call)


def run_policy(
    function: Callable[[], T], ports: Ports, environment: Environment | None = None
) -> T:
    """Run `function` with these ports; what it waits for runs on an event loop of its own."""
    here = environment or Environment()
    with asyncio.Runner() as runner:

        async def answer(value: Awaitable[Any]) -> Any:
            return await value

        def inside() -> T:
            enter(here)
            enter_call(Call(ports, here, "validate_data", "data", "test"))
            set_waiter(lambda value: runner.run(answer(value)))
            return function()

        return contextvars.copy_context().run(inside)
