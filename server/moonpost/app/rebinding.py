"""`rebind`: policy chooses the binding of mail that waits, as it does for mail that comes in."""

from __future__ import annotations

from collections.abc import Callable

from moonpost.app.delivery_hooks import message_of
from moonpost.policy.interface import Outcome, Policy, PolicyState
from moonpost.queue.console import Rebind
from moonpost.queue.keeper import DEFAULT_BINDING
from moonpost.spool.record import Record
from msys.ports import Log

CALLOUT = "validate_set_binding"


def rebinder(policy: Policy, log: Log, group_of: Callable[[str], str]) -> Rebind:
    """Runs set_binding of the current generation. When it fails, the message keeps its binding, and that is told."""

    async def rebind(record: Record, content: bytes) -> tuple[str, str]:
        generation = policy.current()
        message = message_of(record, content)
        message.binding_name = message.binding_group_name = None
        generation.hold()
        try:
            answer = generation.run(CALLOUT, PolicyState(), (message,), message)
            ran = answer if isinstance(answer, Outcome) else await answer
        finally:
            generation.release()
        if ran.error is not None:
            log.panic(
                "scriptlet", f"{CALLOUT} error: {ran.error.text}; {record.id} keeps its binding"
            )
            return record.binding, record.binding_group
        binding = message.binding_name or DEFAULT_BINDING
        return binding, message.binding_group_name or group_of(binding)

    return rebind
