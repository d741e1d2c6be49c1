"""What running a callout costs beside the callout itself, in processor time per callout.

Modules whose callouts answer at once run through the real generation, runner and greenlet; the same functions called
directly are taken off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from accept import policy_of_nothing
from report import Row, interleave

from moonpost.policy.interface import Outcome, PolicyState
from msys.accept import Accept
from msys.message import Message
from msys.testing.fakes import fake_ports
from msys.vctx import ValidationContext

CALLOUT = "validate_data"
TURNS = 5000
ADDED_US = 4.0  # the target: per callout that does not suspend


def machinery(rounds: int) -> list[Row]:
    """One phase with three modules."""
    return asyncio.run(_machinery(rounds))


async def _machinery(rounds: int) -> list[Row]:
    generation = policy_of_nothing(fake_ports()).current()
    modules = [registration.table for registration in generation.environment.registrations]
    functions = [module[CALLOUT] for module in modules]
    message, accept, vctx = Message(content=b"A: b\r\n\r\n"), Accept(), ValidationContext()
    state = PolicyState(accept=accept, vctx=vctx)
    arguments = (message, accept, vctx)

    def through() -> None:
        outcome = generation.run(CALLOUT, state, arguments, message)
        if not isinstance(outcome, Outcome) or outcome.ran != len(modules):
            raise SystemExit(f"{len(modules)} callouts should have run: {outcome}")

    def direct() -> None:
        for module, function in zip(modules, functions, strict=True):
            function(module, message, accept, vctx)

    found = interleave(
        {"ours": lambda: _turn_us(through), "direct": lambda: _turn_us(direct)}, rounds
    )
    added = [
        (one - other) / len(modules)
        for one, other in zip(found["ours"], found["direct"], strict=True)
    ]
    note = f"{min(added):.2f} to {max(added):.2f} us"
    return [
        Row(
            "machinery", "added per callout, three in a phase", median(added), "us",
            "a direct call", rounds=rounds, target=ADDED_US, note=note,
        )
    ]  # fmt: skip


def _turn_us(work: Callable[[], Any]) -> float:
    began = time.process_time()
    for _ in range(TURNS):
        work()
    return (time.process_time() - began) * 1e6 / TURNS


if __name__ == "__main__":
    from report import table

    print(table(machinery(9)))
