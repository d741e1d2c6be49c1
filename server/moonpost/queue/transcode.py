"""Answers of receiving hosts that count as another answer: `response_transcode_pattern` and `_replace`.

Pure. What comes out decides about retry, log line and bounce class, as if the host had said it.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from moonpost.outbound.answers import Fate, Outcome
from msys.lua.bytestr import to_bytes, to_str
from msys.pcre_engine import BadPattern, expand, matches
from msys.ports import PolicyLimit

log = logging.getLogger("moonpost.queue")

INTERNAL = "[internal]"
FATES = {"4": Fate.DEFERRED, "5": Fate.FAILED}  # first digit -> what it means for the mail
_CODE = re.compile(r"[45][0-5]\d\b")


@dataclass(frozen=True, slots=True)
class Transcode:
    """A pattern (PCRE, searched) and the whole answer in its place; `$0` is the match, `$1` its first group."""

    pattern: str
    replace: str


def transcoding(pattern: str, replace: str) -> Transcode | None:
    """The rule of two options; None unless both are set."""
    return Transcode(pattern, replace) if pattern and replace else None


def transcoded(outcome: Outcome, rule: Transcode | None) -> Outcome:
    """The outcome as the rule has it.

    Permanent failures that we decided ourselves stay; so does an answer whose replacement is no 4xx or 5xx reply, since
    no rule can make a host have taken mail.
    """
    ours = outcome.fate is Fate.FAILED and INTERNAL in outcome.text
    if rule is None or outcome.fate is Fate.DELIVERED or ours:
        return outcome
    try:
        found = next(matches(to_bytes(outcome.text), rule.pattern), None)
    except (BadPattern, PolicyLimit) as error:
        log.error("response_transcode_pattern not used answer=%r reason=%s", outcome.text, error)
        return outcome
    if found is None:
        return outcome
    text = to_str(expand(to_bytes(rule.replace))(found))
    if not _CODE.match(text):
        log.error(
            "response_transcode_replace not used answer=%r replacement=%r: not a 4xx or 5xx reply",
            outcome.text, text,
        )  # fmt: skip
        return outcome
    return outcome._replace(fate=FATES[text[0]], code=int(text[:3]), text=text)
