"""Asking policy at one moment, and the words of the panic log when it fails.

Generators of the pure machine: they yield Run and Failed, and return a verdict. Knows the order of callouts from the
table, nothing of SMTP.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from moonpost.phases import verdicts
from moonpost.phases.actions import Failed, Run
from moonpost.phases.table import ARGUMENTS, Moment
from moonpost.phases.verdicts import Verdict
from moonpost.policy.interface import Generation, Outcome

Asking = Generator[Any, Any, Verdict | None]


def ask(
    generation: Generation,
    moment: Moment,
    vctx: Any,
    values: Mapping[str, Any],
    message: Any = None,
) -> Asking:
    """Run the callouts of a moment; None when nobody said anything. A moment nobody registered costs nothing."""
    asked = False
    decided_by = ""
    for callout in moment.callouts:
        if not generation.has(callout):
            continue
        if not asked:
            vctx.begin(moment.positive)
            asked = True
        outcome: Outcome = yield Run(callout, arguments(callout, values), message)
        if outcome.error is not None:
            yield Failed(outcome.error, callout)
            after = verdicts.AFTER_ERROR[moment.on_error]
            return after and after._replace(decided_by=outcome.error.where)
        decided_by = outcome.decided_by or decided_by
    return verdicts.of_context(vctx, moment, decided_by) if asked else None


def arguments(callout: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of a callout's documented arguments, in their order."""
    return tuple(values[name] for name in ARGUMENTS[callout])


def tell(
    generation: Generation, callout: str, values: Mapping[str, Any], message: Any = None
) -> Generator[Any, Any, Outcome | None]:
    """Run a hook that decides nothing: an error in it is logged, and that is all."""
    if not generation.has(callout):
        return None
    outcome: Outcome = yield Run(callout, arguments(callout, values), message)
    if outcome.error is not None:
        yield Failed(outcome.error, callout)
        return None
    return outcome


def panic_lines(failed: Failed, generation_number: int) -> list[tuple[str, str]]:
    """Module and text of the two lines that a failing callout leaves in the panic log."""
    error = failed.error
    source = f"scriptlet-{generation_number}"
    return [
        (source, f"{failed.callout} error: {error.text}"),
        (source, f"{error.module} error: {error.text}"),
    ]
