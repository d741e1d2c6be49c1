"""The last steps of every copy before the spool, on every path into the queue.

SMTP reception, mail made by policy, HTTP injection and bounces all end here, one copy at a time: the binding is set,
final validation signs or refuses, the enqueue hook may take the message over. Pure: yields actions, returns what to do.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from moonpost.phases import replies, verdicts
from moonpost.phases.actions import Failed, Run
from moonpost.phases.asking import arguments, ask, tell
from moonpost.phases.table import FINAL, GENERATED, OVER_HTTP, SET_BINDING
from moonpost.phases.verdicts import Verdict
from moonpost.policy.interface import Generation, Outcome
from msys import constants
from msys.message import Message


class Fate(Enum):
    """What is to be done with a copy."""

    KEEP = auto()
    DROP = auto()  # policy discarded it; it counts as accepted
    TAKEN = auto()  # the enqueue hook owns it now; it counts as accepted
    REFUSE = auto()  # by the verdict: 5xx
    DEFER = auto()  # by the verdict: 4xx


@dataclass(frozen=True, slots=True)
class Judged:
    """The fate of one copy, and the words when it is not kept."""

    fate: Fate
    verdict: Verdict | None = None


KEPT = Judged(Fate.KEEP)
TAKEN = Judged(Fate.TAKEN)

# What core_final_validation2 answers -> the verdict when the script set no code itself.
AFTER_HOOK = {
    constants.EC_HOOK_DONE: Verdict(550, "5.7.1 refused by policy"),
    constants.EC_HOOK_RETRY: Verdict(451, "4.7.1 try again later"),
}
NO_BINDING = Verdict(451, replies.NO_BINDING, module="default_binding")


def of_verdict(verdict: Verdict) -> Judged:
    """The fate that a code means."""
    if not verdict.refuses:
        return Judged(Fate.KEEP, verdict)
    return Judged(Fate.DEFER if verdict.temporary else Fate.REFUSE, verdict)


def enqueue(
    generation: Generation,
    message: Message,
    accept: Any,
    vctx: Any,
    now: float,
    *,
    default_binding: str = "",
) -> Generator[Any, Any, Judged]:
    """Set the binding, validate for the last time, and ask whether anybody takes the copy over.

    accept, vctx: of the session, or those of mail that came over none. default_binding: "none" defers a copy that
    nobody gave a binding.
    """
    values = {"msg": message, "accept": accept, "vctx": vctx, "now": int(now)}
    before = message.binding_name
    verdict = yield from ask(generation, SET_BINDING, vctx, values, message)
    if verdict is not None and verdict.refuses:
        return of_verdict(verdict)
    if message.binding_name != before:
        yield from tell(generation, "core_post_validate_set_binding", values, message)
    if default_binding == "none" and message.binding_name in (None, "default"):
        return of_verdict(NO_BINDING)
    verdict = yield from _final(generation, vctx, values, message)
    if verdict is not None and verdict.refuses:
        return of_verdict(verdict)
    outcome = yield from tell(generation, "core_ec_message_enqueue", values, message)
    taken = outcome is not None and any(
        answer not in (None, False, constants.EC_MESSAGE_ENQUEUE_HOOK_CONT)
        for answer in outcome.results
    )
    return TAKEN if taken else KEPT


def enqueue_generated(
    generation: Generation, message: Message, accept: Any, vctx: Any, now: float
) -> Generator[Any, Any, Judged]:
    """The same for mail that policy or a bounce made: its own two hooks run first."""
    values = {"msg": message, "accept": accept, "vctx": vctx}
    verdict = yield from ask(generation, GENERATED, vctx, values, message)
    if verdict is not None and verdict.refuses:
        return of_verdict(verdict)
    return (yield from enqueue(generation, message, accept, vctx, now))


def enqueue_over_http(
    generation: Generation,
    message: Message,
    accept: Any,
    vctx: Any,
    now: float,
    *,
    default_binding: str = "",
) -> Generator[Any, Any, Judged]:
    """The same for mail that came over HTTP: one callout of its own stands for all those of SMTP."""
    values = {"msg": message, "accept": accept, "vctx": vctx}
    verdict = yield from ask(generation, OVER_HTTP, vctx, values, message)
    if verdict is not None and verdict.refuses:
        return of_verdict(verdict)
    if message.discarded is not None:
        return Judged(Fate.DROP)
    return (
        yield from enqueue(generation, message, accept, vctx, now, default_binding=default_binding)
    )


def log_reception(
    generation: Generation, message: Message, accept: Any, now: float, note: str
) -> Generator[Any, Any, None]:
    """core_log_reception_v1, for a copy that is in the spool."""
    values = {
        "accept": accept,
        "msg": message,
        "now": int(now),
        "note": note,
        "note_len": len(note),
    }
    yield from tell(generation, "core_log_reception_v1", values, message)


def _final(
    generation: Generation, vctx: Any, values: dict[str, Any], message: Message
) -> Generator[Any, Any, Verdict | None]:
    asked = False
    for callout in FINAL.callouts:
        if not generation.has(callout):
            continue
        if not asked:
            vctx.begin(FINAL.positive)
            asked = True
        outcome: Outcome = yield Run(callout, arguments(callout, values), message)
        if outcome.error is not None:
            yield Failed(outcome.error, callout)
            after = verdicts.AFTER_ERROR[FINAL.on_error]
            return after and after._replace(decided_by=outcome.error.where)
        for answer in outcome.results:
            if answer in AFTER_HOOK and not isinstance(answer, bool):
                said = verdicts.of_context(vctx, FINAL)
                return said if said is not None and said.refuses else AFTER_HOOK[answer]
    return None
