"""When to try a message again, and when to give it up.

Pure functions of the attempt history and the time now: no clock, no queue, no I/O. With the defaults (1200 s doubled up
to 43200 s, life time 86400 s) the attempts fall at 0, 1200, 3600, 8400, 18000, 37200 and 75600 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

AUTO: Final = "auto"
NONE: Final = "none"

OUT_OF_TIME = "554 5.4.7 [internal] exceeded max time without delivery"
OUT_OF_RETRIES = "554 5.4.7 [internal] exceeded max retries without delivery"
NOT_ATTEMPTED = "554 5.4.5 [internal] Delivery not attempted (message expired)"

DOUBLINGS = 60  # after so many, any interval is longer than any life time


@dataclass(frozen=True, slots=True)
class RetryRules:
    """The options of one queue that decide about retries. Seconds."""

    retry_interval: float = 1200
    max_retry_interval: float = 43200
    max_retries: int | str = AUTO  # AUTO, NONE or a number
    message_expiration: float = 86400
    never_retry: bool = False
    never_attempt_expired_messages: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt; `text` is what the logs and the notice say."""

    text: str


def retry_delay_s(failures: int, rules: RetryRules) -> float:
    """How long to wait after the n-th failure: doubled each time, up to the cap."""
    doublings = min(max(failures - 1, 0), DOUBLINGS)
    return float(min(rules.retry_interval * 2**doublings, rules.max_retry_interval))


def most_retries(rules: RetryRules) -> int | None:
    """How many retries are allowed; None: only time counts."""
    if rules.max_retries == NONE:
        return None
    if rules.max_retries != AUTO:
        return int(rules.max_retries)
    # As many as fit into the life time: those that still double, then equal ones.
    left_s, retries = rules.message_expiration, 0
    while True:
        delay_s = max(retry_delay_s(retries + 1, rules), 1.0)
        if retries >= DOUBLINGS or delay_s >= rules.max_retry_interval:
            return retries + max(0, ceil(left_s / delay_s) - 1)
        left_s -= delay_s
        if left_s <= 0:
            return retries
        retries += 1


def after_failure(
    now: float, created_at: float, attempts: int, rules: RetryRules
) -> float | GiveUp:
    """When to try next. attempts: how often it was tried, the failure just seen included."""
    if rules.never_retry:
        return GiveUp(OUT_OF_RETRIES)
    if now - created_at >= rules.message_expiration:
        return GiveUp(OUT_OF_TIME)
    allowed = most_retries(rules)
    if allowed is not None and attempts > allowed:
        return GiveUp(OUT_OF_RETRIES)
    return now + retry_delay_s(attempts, rules)


def before_attempt(now: float, created_at: float, rules: RetryRules) -> GiveUp | None:
    """Whether an overdue message is tried at all: by default it is, once more."""
    if rules.never_attempt_expired_messages and now - created_at >= rules.message_expiration:
        return GiveUp(NOT_ATTEMPTED)
    return None


def warning_due(
    now: float, created_at: float, warned: int, interval_s: float, most_s: float
) -> bool:
    """Whether the sender is to be told (again) that the mail is late.

    The first warning after `interval_s`, then after twice that, and so on; most_s caps the wait between two, 0: no cap.
    """
    due_at = created_at
    for number in range(warned + 1):
        wait_s = interval_s * 2 ** min(number, 60)
        due_at += min(wait_s, most_s) if most_s > 0 else wait_s
    return now >= due_at
