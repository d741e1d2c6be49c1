"""Days of delivery in seconds: when mail is tried, given up and reported, against tables made from the contract.

The tables are computed here, from the sentences of the contract, not by the code that is tested.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testkit.simulated import World, world

HOUR, DAY = 3600, 86_400
TIME_OVER = "554 5.4.7 [internal] exceeded max time without delivery"
RETRIES_OVER = "554 5.4.7 [internal] exceeded max retries without delivery"
NOT_TRIED = "554 5.4.5 [internal] Delivery not attempted (message expired)"


def run(test: Callable[[World], Awaitable[None]], host: Any = None, **options: Any) -> None:
    async def main() -> None:
        async with world(host or (lambda *_: "250 ok"), **options) as made:
            await test(made)

    asyncio.run(main())


def later(_: float, __: str, recipient: str) -> str:
    """A host that takes connections and no mail."""
    return "450 later" if recipient else "220 hello"


def ladder(
    interval: float = 1200, most: float = 43_200, life: float = DAY, retries: int | str = "auto"
) -> tuple[list[float], str]:
    """The n-th failure waits interval * 2^(n-1), at most `most`; attempts and the last word.

    auto: as many retries as fall before the end of life. none: tried until a failure comes after it. n: at most n.
    """
    times = [0.0]
    while True:
        wait = min(interval * 2 ** (len(times) - 1), most)
        at = times[-1] + wait
        if retries == "none":
            if times[-1] >= life:
                return times, TIME_OVER
        elif times[-1] >= life:
            return times, TIME_OVER
        elif retries == "auto" and at >= life or retries != "auto" and len(times) > int(retries):
            return times, RETRIES_OVER
        times.append(at)


LADDERS: dict[str, dict[str, Any]] = {
    "default": {},
    "patient": {"life": 7 * DAY},
    "hasty": {"interval": 60, "most": 600, "life": 4 * HOUR},
    "steady": {"interval": 900, "most": 900, "life": 2 * DAY},
    "counted": {"retries": 3},
    "once": {"retries": 0},
    "by time": {"retries": "none"},
    "by time, patient": {"retries": "none", "life": 5 * DAY, "most": 6 * HOUR},
    "counted beyond life": {"retries": 50, "life": 10_000},
    "odd": {"interval": 777, "most": 5000, "life": 33_333},
}
OPTION = {
    "interval": "retry_interval", "most": "max_retry_interval", "life": "message_expiration",
    "retries": "max_retries",
}  # fmt: skip


def test_the_table_of_the_contract_is_ours() -> None:
    assert ladder() == ([0, 1200, 3600, 8400, 18_000, 37_200, 75_600], RETRIES_OVER)


def test_ten_queues_keep_their_own_rhythm_for_a_week() -> None:
    domains = {f"d{n}.test": LADDERS[name] for n, name in enumerate(LADDERS)}
    options = {
        f"{domain}:{OPTION[name]}": value
        for domain, rules in domains.items()
        for name, value in rules.items()
    }

    async def test(made: World) -> None:
        for domain in domains:
            await made.accept(f"x@{domain}")
        await made.until(8 * DAY)
        for domain, rules in domains.items():
            times, text = ladder(**rules)
            assert made.attempts(f"x@{domain}") == times, (domain, rules)
            assert made.end(f"x@{domain}") == (times[-1], "P", text), (domain, rules)
        assert made.spool.count() == 0

    run(test, later, **options)


def test_mail_that_comes_at_any_time_has_its_own_clock() -> None:
    async def test(made: World) -> None:
        for n in range(24):
            await made.until(n * HOUR + n)
            await made.accept(f"x{n}@b.test")
        await made.until(3 * DAY)
        times, _ = ladder()
        for n in range(24):
            assert made.attempts(f"x{n}@b.test") == [at + n * HOUR + n for at in times]

    run(test, later)


def test_senders_are_warned_less_and_less_often_and_told_the_end() -> None:
    async def test(made: World) -> None:
        await made.accept("x@b.test")
        await made.until(2 * DAY)
        # due at 3600, 10800, 25200, 54000; told at the first failure from then on
        expected = [(3600.0, "delayed"), (18_000.0, "delayed"), (37_200.0, "delayed")]
        expected += [(75_600.0, "failed")]
        assert [(at, kind) for at, kind, _ in made.warned] == expected

    run(test, later, generate_delay_dsn=True)


def test_a_host_that_comes_back_gets_everything_in_the_order_it_is_due() -> None:
    def host(now: float, _: str, recipient: str) -> str:
        return "220 hello" if not recipient or now >= 5 * HOUR else "450 later"

    async def test(made: World) -> None:
        for n in range(50):
            await made.accept(f"x{n}@b.test")
            await made.until(n * 60)
        await made.until(DAY)
        for n in range(50):
            begun = max(0, n - 1) * 60
            first = next(at for at in ladder()[0] if at + begun >= 5 * HOUR)
            assert made.end(f"x{n}@b.test")[:2] == (first + begun, "D")
        assert made.spool.count() == 0

    run(test, host)


@pytest.mark.parametrize(("count", "seconds"), [(10, 60), (1, 1), (100, 3600), (3, 0.5)])
def test_a_rate_lets_a_burst_through_and_then_one_each_interval(count: int, seconds: float) -> None:
    total = count * 3

    async def test(made: World) -> None:
        for n in range(total):
            await made.accept(f"x{n}@b.test")
        await made.until(seconds * 4)
        sent = [at for at, _ in made.letters]
        step = seconds / count
        assert len(sent) == total
        table = [0.0] * count + [(n + 1) * step for n in range(total - count)]
        assert sent == pytest.approx(table, abs=1e-3)
        for begin in sent:  # in no window more than the burst and what came in meanwhile
            assert sum(begin <= at < begin + seconds - 1e-3 for at in sent) <= 2 * count

    run(
        test, outbound_throttle_messages=f"{count}/{seconds}", max_outbound_connections=1,
        idle_timeout=seconds,
    )  # fmt: skip


def test_domains_share_the_rate_of_the_scope_that_sets_it() -> None:
    async def test(made: World) -> None:
        for n in range(20):
            await made.accept(f"x@d{n % 4}.test")
        await made.until(HOUR)
        sent = sorted(at for at, _ in made.letters)
        assert sent == pytest.approx([0.0] * 5 + [(n + 1) * 12.0 for n in range(15)], abs=1e-3)

    run(
        test, outbound_throttle_messages="5/60", scope_of=lambda *_: "global", idle_timeout=60,
        max_outbound_connections=1,
    )  # fmt: skip


def test_connections_are_opened_at_their_rate() -> None:
    async def test(made: World) -> None:
        for n in range(12):
            await made.accept(f"x{n}@b.test")
        await made.until(HOUR)
        opened = [at for at, _ in made.calls]
        assert opened == pytest.approx([0.0] * 2 + [(n + 1) * 30.0 for n in range(10)], abs=1e-3)

    run(
        test, outbound_throttle_connections="2/60", max_deliveries_per_connection=1,
        max_outbound_connections=1,
    )  # fmt: skip


def test_a_suspension_holds_mail_and_its_end_lets_it_go() -> None:
    async def test(made: World) -> None:
        await made.accept("early@b.test")
        await made.until(2 * HOUR)  # tried at 0, 1200, 3600
        made.options["suspend_delivery"] = True
        made.manager.refresh()
        await made.accept("late@b.test")
        await made.until(12 * HOUR)
        assert made.attempts("early@b.test") == [0, 1200, 3600]
        assert made.attempts("late@b.test") == []
        made.options["suspend_delivery"] = False
        made.manager.refresh()
        await made.until(3 * DAY)
        # Tried at once, then on from where the waits had come to; life is over meanwhile.
        assert made.attempts("early@b.test") == [0, 1200, 3600, 43_200, 52_800, 72_000, 110_400]
        assert made.end("early@b.test") == (110_400, "P", TIME_OVER)
        begin = 12 * HOUR
        assert made.attempts("late@b.test") == [begin + at for at in ladder()[0]]
        assert made.end("late@b.test") == (begin + 75_600, "P", TIME_OVER)

    run(test, later)


@pytest.mark.parametrize("tried", [True, False])
def test_mail_that_is_overdue_after_a_suspension_is_tried_once_more_or_not_at_all(
    tried: bool,
) -> None:
    async def test(made: World) -> None:
        await made.accept("x@b.test")
        await made.until(2 * DAY)
        made.options["suspend_delivery"] = False
        made.manager.refresh()
        await made.until(3 * DAY)
        if tried:
            assert made.attempts("x@b.test") == [2 * DAY]
            assert made.end("x@b.test") == (2 * DAY, "P", TIME_OVER)
        else:
            assert made.attempts("x@b.test") == []
            assert made.end("x@b.test") == (2 * DAY, "P", NOT_TRIED)

    run(test, later, suspend_delivery=True, never_attempt_expired_messages=not tried)


def test_a_dead_host_is_called_no_more_often_than_it_may() -> None:
    async def test(made: World) -> None:
        for n in range(100):
            await made.accept(f"x{n}@b.test")
        await made.until(6 * HOUR)
        times = [at for at, _ in made.calls]
        assert len(times) <= 6 * HOUR / 120 + 1
        assert all(two - one >= 120 for one, two in itertools.pairwise(times))

    run(test, lambda *_: "421 refused", max_recipients_per_batch=1)


def test_a_dead_host_is_passed_over_while_another_lives() -> None:
    async def test(made: World) -> None:
        for n in range(24):
            await made.until(n * 100)
            await made.accept(f"x{n}@b.test")
        assert len([kind for _, kind, *_ in made.told if kind == "D"]) == 24
        dead = [at for at, address in made.calls if address == "192.0.2.1"]
        assert all(two - one >= 120 for one, two in itertools.pairwise(dead))
        assert len(dead) == 12, "every second message tries the better host again"

    run(
        test, lambda _, address, __: "421 no" if address == "192.0.2.1" else "250 ok",
        routes=["192.0.2.1", "192.0.2.2"],
    )  # fmt: skip


def test_a_domain_out_of_reach_is_delayed_whole() -> None:
    words = "421 4.4.0 [internal] no MXs for this domain could be reached at this time"

    async def test(made: World) -> None:
        for n in range(20):
            await made.accept(f"x{n}@b.test")
        await made.until(899)
        before = {whom for _, kind, whom, text in made.told if text == words}
        await made.until(1200)
        after = {whom for _, kind, whom, text in made.told if text == words}
        assert not before and len(after) >= 10

    run(test, lambda *_: "421 refused", max_recipients_per_batch=1)


def test_a_name_that_is_not_there_is_given_up_after_ten_lookups() -> None:
    async def test(made: World) -> None:
        await made.accept("x@gone.test")
        await made.until(DAY)
        waits = [60 * 2**n for n in range(9)]
        at = [float(sum(min(wait, 600) for wait in waits[:n])) for n in range(10)]
        assert made.attempts("x@gone.test") == at[:9]
        assert made.end("x@gone.test") == (at[9], "P", "554 5.4.4 [internal] Domain Lookup Failed")

    run(
        test,
        routes=(),
        retry_interval=60,
        max_retry_interval=600,
        dns={("b.test", "A"): ["192.0.2.1"]},
    )


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(0, DAY), st.integers(0, 4)), min_size=1, max_size=25),
    st.lists(st.sampled_from(["250 ok", "450 later", "550 never", "421 gone"]), min_size=4, max_size=12),
)  # fmt: skip
def test_whatever_happens_every_message_ends_in_time_and_none_is_tried_too_early(
    mail: list[tuple[int, int]], weather: list[str]
) -> None:
    """The weather changes every two hours; a 421 is a host that cannot be reached."""

    def host(now: float, _: str, recipient: str) -> str:
        reply = weather[int(now // (2 * HOUR)) % len(weather)]
        return reply if recipient or reply.startswith("421") else "220 hello"

    async def test(made: World) -> None:
        for number, (at, domain) in enumerate(sorted(mail)):
            await made.until(at)
            await made.accept(f"x{number}@d{domain}.test")
        await made.until(4 * DAY)
        assert made.spool.count() == 0
        for number, (begun, domain) in enumerate(sorted(mail)):
            whom = f"x{number}@d{domain}.test"
            tried = made.attempts(whom)
            ended, _kind, _ = made.end(whom)
            assert ended <= begun + DAY + 43_200 + 900
            assert len(tried) <= 7
            for count, (one, two) in enumerate(itertools.pairwise(tried)):
                assert two - one >= min(1200 * 2**count, 43_200), "sooner than the retry interval"

    run(test, host)
