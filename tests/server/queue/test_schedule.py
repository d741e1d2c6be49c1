"""When mail is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonpost.queue.schedule import (
    NOT_ATTEMPTED,
    OUT_OF_RETRIES,
    OUT_OF_TIME,
    GiveUp,
    RetryRules,
    after_failure,
    before_attempt,
    most_retries,
    retry_delay_s,
    warning_due,
)


def attempts(rules: RetryRules, seconds_per_attempt: float = 0.0) -> tuple[list[float], str]:
    """When a message that always fails is tried, and the last word."""
    times, now = [], 0.0
    while True:
        times.append(now)
        now += seconds_per_attempt
        answer = after_failure(now, 0.0, len(times), rules)
        if isinstance(answer, GiveUp):
            return times, answer.text
        now = answer


def test_the_default_ladder() -> None:
    times, text = attempts(RetryRules())
    assert times == [0, 1200, 3600, 8400, 18000, 37200, 75600]
    assert text == OUT_OF_RETRIES


def test_without_a_limit_only_time_counts() -> None:
    times, text = attempts(RetryRules(max_retries="none"))
    assert times == [0, 1200, 3600, 8400, 18000, 37200, 75600, 118800]
    assert text == OUT_OF_TIME


@pytest.mark.parametrize(("most", "tries"), [(0, 1), (1, 2), (3, 4), ("2", 3)])
def test_a_number_is_that_many_retries(most: int | str, tries: int) -> None:
    times, text = attempts(RetryRules(max_retries=most))
    assert len(times) == tries and text == OUT_OF_RETRIES


def test_never_retry_fails_at_once() -> None:
    assert attempts(RetryRules(never_retry=True)) == ([0], OUT_OF_RETRIES)


def test_life_time_ends_a_message_that_may_still_be_retried() -> None:
    times, text = attempts(RetryRules(max_retries=50, message_expiration=4000))
    assert times == [0, 1200, 3600, 8400] and text == OUT_OF_TIME


def test_flushes_use_retries_up() -> None:
    assert most_retries(RetryRules()) == 6
    assert isinstance(after_failure(10.0, 0.0, 7, RetryRules()), GiveUp)
    assert after_failure(10.0, 0.0, 6, RetryRules()) == 10.0 + 38400


def test_overdue_mail_is_tried_once_more_unless_forbidden() -> None:
    assert before_attempt(90_000, 0, RetryRules()) is None
    rules = RetryRules(never_attempt_expired_messages=True)
    assert before_attempt(90_000, 0, rules) == GiveUp(NOT_ATTEMPTED)
    assert before_attempt(80_000, 0, rules) is None


@given(st.integers(1, 5000), st.integers(1, 50_000), st.integers(1, 200_000))
def test_as_many_retries_as_fit_are_counted_right(interval: int, most: int, life: int) -> None:
    rules = RetryRules(interval, most, "auto", life)
    elapsed, fitting = 0.0, 0
    while (elapsed := elapsed + max(retry_delay_s(fitting + 1, rules), 1)) < life:
        fitting += 1
        if fitting > 3000:
            return
    assert most_retries(rules) == fitting


@pytest.mark.parametrize(
    ("warned", "most", "at"), [(0, 0, 3600), (1, 0, 10800), (2, 0, 25200), (2, 5000, 13600)]
)
def test_warnings_come_less_and_less_often(warned: int, most: float, at: float) -> None:
    assert not warning_due(at - 1, 0, warned, 3600, most)
    assert warning_due(at, 0, warned, 3600, most)


@given(
    st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 1e6),
    st.sampled_from(["auto", "none"]) | st.integers(0, 100), st.floats(1, 1e7),
)  # fmt: skip
def test_a_message_always_ends_and_never_waits_too_long(
    attempts: int, interval: float, most: float, retries: int | str, life: float
) -> None:
    rules = RetryRules(interval, most, retries, life)
    answer = after_failure(life / 2, 0.0, attempts, rules)
    assert isinstance(answer, GiveUp) or life / 2 <= answer <= life / 2 + most
    assert isinstance(after_failure(life, 0.0, attempts, rules), GiveUp)
    assert 0 <= retry_delay_s(attempts, rules) <= most
