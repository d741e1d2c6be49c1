"""From what policy said to one answer.

A moment ends in no verdict (go on as if nobody had been asked) or in one. Pure tables and folds; who asks, and what the
machine does with the answer, is elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from moonpost.phases import replies
from moonpost.phases.table import Moment, OnError
from msys.vctx import ValidationContext


class Verdict(NamedTuple):
    """A reply that policy decided on."""

    code: int
    text: str
    close: bool = False  # hang up after the reply
    pause_s: float = 0.0  # hold the reply this long
    module: str = "scriptlet"  # who decided, for the reject log
    decided_by: str = ""
    failed: bool = False  # a module failed; it did not decide

    @property
    def refuses(self) -> bool:
        return not 200 <= self.code < 300

    @property
    def temporary(self) -> bool:
        return self.refuses and self.code < 500

    def reply(self, hostname: str) -> bytes:
        if self.failed and self.close:
            return replies.policy_failed(hostname)
        return replies.reply(self.code, self.text)


# What a module that failed means, by what the moment says of errors.
AFTER_ERROR = {
    OnError.CLOSE: Verdict(421, replies.POLICY_FAILED, close=True, failed=True),
    OnError.DEFER: Verdict(451, replies.DEFERRED, failed=True),
    OnError.LOG: None,
}


def of_context(vctx: ValidationContext, moment: Moment, decided_by: str = "") -> Verdict | None:
    """What the modules of a moment left in the validation context; None when they left it alone.

    decided_by: the deciding line when the runner knows it; else it is what the context noted.
    """
    code, note = vctx.code, vctx.note
    if code == moment.positive and not note and not vctx.disconnect_flag and not vctx.tarpit_s:
        return None
    if not 200 <= code < 300 and not 400 <= code < 600:
        code = 451  # a script may write vctx.code; this is no final answer
    return Verdict(
        code,
        note or replies.BARE_CODE.get(code // 100, ""),
        close=vctx.disconnect_flag,
        pause_s=vctx.tarpit_s,
        decided_by=decided_by or deciding_line(vctx),
    )


def deciding_line(vctx: ValidationContext) -> str:
    """`file:line` of the policy that decided last in this moment, or empty."""
    file, line = vctx.changed_at or ("", 0)
    return f"{file}:{line}" if file else ""


class FanOut(Enum):
    """What one reception comes to after each recipient was judged."""

    ACCEPT = auto()  # all stay, or those that were dropped silently
    ACCEPT_AND_BOUNCE = auto()  # the refused ones get a bounce
    REFUSE = auto()  # nobody is left that was not refused
    DEFER = auto()  # the whole transaction is put off


# (any 4xx, any 5xx, anybody not refused) -> what it comes to. A 4xx beats everything: the sender will come again with
# all of them, so copies that were accepted must not be kept.
FAN_OUT = {
    (False, False, True): FanOut.ACCEPT,
    (False, True, True): FanOut.ACCEPT_AND_BOUNCE,
    (False, True, False): FanOut.REFUSE,
    (True, False, False): FanOut.DEFER,
    (True, False, True): FanOut.DEFER,
    (True, True, False): FanOut.DEFER,
    (True, True, True): FanOut.DEFER,
    (False, False, False): FanOut.ACCEPT,  # every copy discarded
}


def fold(judged: Sequence[Verdict | None]) -> tuple[FanOut, Verdict | None]:
    """One answer for several recipients, and the verdict whose words it uses: the first that decided."""
    refused = [verdict for verdict in judged if verdict is not None and verdict.refuses]
    temporary = [verdict for verdict in refused if verdict.temporary]
    permanent = len(refused) > len(temporary)
    outcome = FAN_OUT[bool(temporary), permanent, len(refused) < len(judged)]
    if outcome is FanOut.DEFER:
        return outcome, temporary[0]
    if outcome is FanOut.REFUSE:
        return outcome, refused[0]
    spoken = [verdict for verdict in judged if verdict is not None and not verdict.refuses]
    return outcome, spoken[0] if spoken else None
