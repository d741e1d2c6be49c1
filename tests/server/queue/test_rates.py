"""Failure rates: per cent of recent attempts, nothing below a hundred of them."""

from __future__ import annotations

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.queue.journal import Attempt, Everybody, Silence
from moonpost.queue.rates import Rates
from moonpost.queue.schedule import OUT_OF_TIME
from moonpost.spool.record import QueueName, Record

Q = QueueName("default", "b.test")
ONE = Record("1", "a@a.test", "b@b.test", "b.test", 0.0, 0.0)
GOOD = Outcome(Fate.DELIVERED, 250, "250 ok", Stage.CONFIRMATION)
BAD = Outcome(Fate.DEFERRED, 450, "450 no", Stage.AFTER_RCPT)


def test_the_rate_counts_what_happened_lately() -> None:
    rates = Rates()
    everybody = Everybody(rates, Silence())
    for n in range(99):
        everybody.delivered(ONE, Attempt(float(n), "", ""), GOOD)
    assert rates.failure_rate(Q, 3600, 100.0) == 0
    everybody.deferred(ONE, Attempt(100.0, "", ""), BAD)
    assert rates.failure_rate(Q, 3600, 100.0) == 1
    for n in range(300):
        everybody.deferred(ONE, Attempt(5000.0 + n, "", ""), BAD)
    assert rates.failure_rate(Q, 600, 5300.0) == 100
    assert rates.failure_rate(Q, 86_400, 5300.0) == 100 * 301 / 400
    assert rates.failure_rate(QueueName("x", "y"), 60, 0.0) == 0


def test_an_expiry_is_no_attempt_of_its_own() -> None:
    rates = Rates()
    expired = Outcome(Fate.FAILED, 554, OUT_OF_TIME, Stage.AFTER_RCPT)
    rates.deferred(ONE, Attempt(0.0, "", ""), BAD)
    rates.failed(ONE, Attempt(0.0, "", ""), expired)
    tally = rates.tallies[Q]
    assert (tally.deferred, tally.failed, tally.buckets[-1].attempts) == (1, 1, 1)


def test_a_day_is_kept() -> None:
    rates = Rates()
    for minute in range(3000):
        rates.delivered(ONE, Attempt(minute * 60.0, "", ""), GOOD)
    assert len(rates.tallies[Q].buckets) == 1441
