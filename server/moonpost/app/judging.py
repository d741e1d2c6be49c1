"""Runs the last steps of a message that comes over no SMTP session: what policy is asked, and what it decided.

The pure steps are in `moonpost.phases.enqueue`; mail that policy makes and mail that comes over HTTP are judged here.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from moonpost.app.events import EventStream
from moonpost.phases.actions import Failed, Run
from moonpost.phases.asking import panic_lines
from moonpost.phases.enqueue import Judged
from moonpost.policy.interface import Generation, Outcome, PolicyState
from msys.message import Message
from msys.ports import Log


async def judged_by(
    steps: Generator[Any, Any, Judged],
    generation: Generation,
    state: PolicyState,
    message: Message,
    log: Log,
    events: EventStream | None,
) -> Judged:
    """What the steps come to; a failing callout is logged where it happens."""
    value: Any = None
    while True:
        try:
            action = steps.send(value)
        except StopIteration as end:
            judged: Judged = end.value
            return judged
        value = None
        if isinstance(action, Run):
            value = generation.run(action.callout, state, action.args, action.message)
            if not isinstance(value, Outcome):
                value = await value
        elif isinstance(action, Failed):
            for module, text in panic_lines(action, generation.number):
                log.panic(module, text)
            if events is not None:
                events.policy_failed_for(message, generation.number, action.callout, action.error)
