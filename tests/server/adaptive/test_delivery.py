"""Adaptive delivery between a queue and a receiving host that misbehaves, over days of simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from moonpost.adaptive.console import AdaptiveConsole
from moonpost.adaptive.driver import AdaptiveDelivery, Surroundings
from moonpost.adaptive.engine import Change
from moonpost.adaptive.state import State
from moonpost.adaptive.sweep import BUILT_IN
from moonpost.queue.options import Option
from moonpost.spool.record import QueueName
from moonpost.testing.sink import Sink
from msys.adaptive import DomainRules, rules_of
from msys.bounce_codes import SMTP_RULES, match
from msys.lua import Table
from msys.lua.environment import Environment
from msys.testing.fakes import FakeClock
from testkit.delivery import Line, line

B = QueueName("default", "b.test")
HOUR = 3600.0
ALL: tuple[list[str], list[str]] = ([], [])
DEFAULTS = {
    "adaptive_enabled": True, "adaptive_adjustment_interval": 60, "adaptive_attempt_threshold": 10,
    "adaptive_positive_adjustment_interval": 3600, "adaptive_fbl_volume_threshold": 10,
}  # fmt: skip


def table(value: Any) -> Any:
    """Python values as Lua would have made them."""
    if isinstance(value, dict):
        return Table({key: table(item) for key, item in value.items()})
    if isinstance(value, list):
        return Table(enumerate(map(table, value), 1))
    return value


class Bench:
    """The line with adaptive delivery in it, a clock that is moved by hand, and what was told."""

    def __init__(self, rules: dict[str, Any], state: State | None = None, **options: Any) -> None:
        environment = Environment()
        environment.rules.append((table(rules), "augment"))
        self.rules: dict[str, DomainRules] = rules_of(environment)
        self.clock = FakeClock()
        self.state = state or State()
        self.told: list[Change] = []
        self.complaints: list[str] = []
        self.options = DEFAULTS | options
        self.made: Line
        self.adaptive: AdaptiveDelivery

    def make(self, option: Option) -> AdaptiveDelivery:
        def evaluate(function: Any, *numbers: float | None) -> float | None:
            found = function(*numbers, 0)
            return None if found is None else float(found)

        self.adaptive = AdaptiveDelivery(
            Surroundings(
                option=option,
                rules=lambda: self.rules,
                sweep_rules=lambda _name: BUILT_IN,
                classify=lambda text, domain: match(SMTP_RULES, text, domain),
                now=self.clock.now,
                tell=self.told.append,
                complain=self.complaints.append,
                evaluate=evaluate,
            ),
            self.state,
        )
        return self.adaptive

    async def pass_time(self, seconds: float) -> None:
        """Minute by minute, as the server's timer does, and let the queue work in between."""
        for _ in range(int(seconds // 60)):
            self.clock.advance(60)
            self.adaptive.tick()
            await self.settled()

    async def settled(self) -> None:
        """Return when nobody is at work: what is held is being sent or written down."""
        await asyncio.sleep(0)
        await self.made.until(
            lambda: (
                not any(
                    queue.held or queue.refilling for queue in self.made.manager.queues.values()
                )
                or self.made.manager.options(self.made.manager.queues[B]).suspended
            )
        )

    def told_of(self, *actions: str) -> list[str]:
        return [change.text for change in self.told if change.action in actions]


Test = Callable[[Bench, Sink], Awaitable[None]]


def run(test: Test, tmp_path: Path, sink: Sink, bench: Bench) -> None:
    async def main() -> None:
        async with (
            sink as host,
            line(
                tmp_path, host.port, clock=bench.clock, adaptive=bench.make, **bench.options
            ) as made,
        ):
            bench.made = made
            await test(bench, host)

    asyncio.run(main())


def rule(code: str, *action: str, trigger: str = "1") -> dict[str, Any]:
    return {"b.test": {"responses": [{"code": code, "trigger": trigger, "action": list(action)}]}}


def test_a_suspended_queue_waits_and_goes_on(tmp_path: Path) -> None:
    sink = Sink(answers={"MAIL": "421 4.7.0 [TS01] not now"})

    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send("a@b.test", "b@b.test")
        assert await bench.made.events(2) == "TT"
        await bench.settled()
        assert bench.told_of("suspend") == ["suspension for 14400 s: 421 4.7.0 [TS01] not now"]
        assert bench.adaptive.suspends(*B) and not bench.adaptive.suspends("default", "other.test")
        asked = len(sink.commands)
        del sink.answers["MAIL"]
        await bench.made.send("c@b.test", "d@other.test")  # another domain is not concerned
        await bench.made.until(lambda: bench.made.journal.kinds().count("D") == 1)
        await bench.pass_time(4 * HOUR - 120)
        assert [one.recipients for one in sink.received] == [["d@other.test"]]
        assert not any("b.test" in line for line in sink.commands[asked:])
        await bench.pass_time(180)
        await bench.made.until(lambda: bench.made.journal.kinds().count("D") == 4)
        assert bench.made.spool.count() == 0
        assert bench.told_of("resume") == ["suspension over after 14400 s"]

    run(test, tmp_path, sink, Bench(rule("^421 4\\.7\\.0 \\[TS01\\]", "suspend", "4 hours")))


def test_an_operator_ends_a_suspension_and_begins_it_again(tmp_path: Path) -> None:
    sink = Sink(answers={"MAIL": "421 no"})

    async def test(bench: Bench, sink: Sink) -> None:
        console = AdaptiveConsole(bench.adaptive)
        await bench.made.send("a@b.test")
        await bench.made.events(1)
        await bench.settled()
        (row,) = console.suspensions(ALL)
        assert (row["domain"], row["ttl"], row["enable"], row["reason"]) == (
            "b.test",
            3600,
            1,
            "421 no",
        )
        del sink.answers["MAIL"]
        dry = console.override(ALL, enable=False, ttl_s=None, dry_run=True)
        assert dry == [B] and console.suspensions(ALL)[0]["enable"] == 1
        await bench.pass_time(1260)
        assert sink.received == []
        assert console.override((["x"], []), enable=False, ttl_s=None, dry_run=False) == []
        console.override(([], ["b.test"]), enable=False, ttl_s=None, dry_run=False)
        await bench.made.until(lambda: bench.made.spool.count() == 0)
        assert console.suspensions(ALL)[0]["enable"] == 0
        console.override(ALL, enable=True, ttl_s=None, dry_run=False)
        await bench.made.send("b@b.test")
        assert bench.made.manager.options(bench.made.manager.queues[B]).suspended
        console.override(ALL, enable=False, ttl_s=30, dry_run=False)
        await bench.pass_time(60)
        await bench.made.until(lambda: bench.made.spool.count() == 0)
        assert console.suspensions(ALL) == []

    run(test, tmp_path, sink, Bench(rule("^421 ", "suspend", "1 hours")))


def test_a_suspension_survives_a_restart(tmp_path: Path) -> None:
    bench = Bench(rule("^421 ", "suspend", "1 hours"))

    async def before(bench: Bench, sink: Sink) -> None:
        await bench.made.send("a@b.test")
        await bench.made.events(1)
        await bench.settled()

    run(before, tmp_path, Sink(answers={"MAIL": "421 no"}), bench)
    again = Bench({}, bench.state)
    again.clock.advance(1300)

    async def after(bench: Bench, sink: Sink) -> None:
        await bench.made.until(lambda: B in bench.made.manager.queues)
        await bench.pass_time(1800)
        assert sink.received == [] and sink.connections == 0
        await bench.pass_time(1200)
        await bench.made.until(lambda: len(sink.received) == 1)

    run(after, tmp_path, Sink(), again)


def test_a_blackholed_queue_fails_its_mail(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send("a@b.test")
        assert await bench.made.events(1) == "P"
        await bench.made.send("b@b.test")
        assert await bench.made.events(2) == "PP"
        assert bench.made.journal.texts("P")[1] == "554 5.7.0 [internal] Blackholed"
        assert sink.connections == 1
        await bench.pass_time(2 * 86400 + 60)
        del sink.answers["RCPT"]
        await bench.made.send("c@b.test")
        assert await bench.made.events(3) == "PPD"

    sink = Sink(answers={"RCPT": "550 5.7.1 we never want your mail"})
    run(test, tmp_path, sink, Bench(rule("never want", "blackhole", "2 days")))


def test_greylisting_sets_the_next_attempt_of_the_very_message(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        (record,) = await bench.made.send("a@b.test")
        await bench.made.events(1)
        await bench.settled()
        kept = await bench.made.spool.get(record.id)
        assert kept is not None
        assert kept.next_attempt_at == bench.clock.now() + 2700
        console = AdaptiveConsole(bench.adaptive)
        assert [row["option"] for row in console.tuned(ALL)] == ["retry_interval"]
        assert console.reset(ALL, dry_run=True) == [B] and console.tuned(ALL)
        assert console.reset(ALL, dry_run=False) == [B] and not console.tuned(ALL)
        assert bench.made.manager.options(bench.made.manager.queues[B]).retry.retry_interval == 1200

    sink = Sink(answers={"RCPT": "451 4.7.1 greylisted, come back later"})
    run(test, tmp_path, sink, Bench(rule("greylisted", "greylisted", "45 minutes")))


def test_limits_go_down_with_refusals_and_up_with_deliveries(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        for _ in range(3):
            await bench.made.send("a@b.test")
            await bench.settled()
            await bench.pass_time(60)
        options = bench.made.manager.options(bench.made.manager.queues[B])
        assert options.max_connections == 32 - 3 * 4
        rate = options.throttle_messages
        assert rate is not None and rate[1] == 60 and abs(rate[0] - 100 * 0.9**3) < 1e-6
        del sink.answers["MAIL"]
        steps = []
        for _ in range(20):
            await bench.made.send("b@b.test")
            await bench.settled()
            await bench.pass_time(HOUR)
            options = bench.made.manager.options(bench.made.manager.queues[B])
            steps.append(options.max_connections)
        assert steps[:3] == [21, 22, 23] and steps[-1] == 32
        assert options.throttle_messages == (100, 60)
        assert bench.state.pairs == {}

    sink = Sink(answers={"MAIL": "450 4.7.28 too fast"})
    bench = Bench(
        rule("too fast", "reduce_connections", "4", "throttle", "down"),
        outbound_throttle_messages=(100, 60),
    )
    # Two options in one adjustment: the interval is between adjustments, not between their parts.
    run(test, tmp_path, sink, bench)


def test_bounds_of_the_operator_win(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send("a@b.test")
        await bench.settled()
        assert bench.made.manager.options(bench.made.manager.queues[B]).max_connections == 30

    sink = Sink(answers={"MAIL": "450 too fast"})
    bench = Bench(
        rule("too fast", "reduce_connections", "20"), adaptive_max_outbound_connections=["30", "40"]
    )
    run(test, tmp_path, sink, bench)


def test_a_transcoded_refusal_is_tried_again(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send("a@b.test")
        assert await bench.made.events(1) == "T"
        assert bench.made.journal.texts("T") == ["454 4.7.1 blocked for a while"]
        assert bench.told_of("suspend")

    sink = Sink(answers={"RCPT": "554 5.7.1 blocked for a while"})
    run(test, tmp_path, sink, Bench(rule("for a while", "transcode", "454", "suspend", "2 hours")))


def test_a_rate_must_be_passed(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send(*(f"r{n}@b.test" for n in range(3)))
        await bench.made.events(3)
        await bench.settled()
        assert bench.told == []
        await bench.made.send("r4@b.test")
        await bench.made.events(4)
        await bench.settled()
        assert len(bench.told_of("suspend")) == 1

    sink = Sink(answers={"RCPT": "451 slow down"})
    run(test, tmp_path, sink, Bench(rule("slow", "suspend", "1 hours", trigger="3/10")))


def test_a_function_of_the_rules_warms_a_binding_up(tmp_path: Path) -> None:
    asked: list[Any] = []

    def per_hour(current: Any, last: Any, age_s: Any, attempts: Any) -> float:
        asked.append((current, last, age_s, attempts))
        return 600 if age_s < 86400 else 6000

    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send("a@b.test")
        await bench.made.events(1)
        assert asked == [(None, None, 0.0, 0)]
        queue = bench.made.manager.queue(B)
        assert bench.made.manager.options(queue).throttle_messages == (10.0, 60.0)
        await bench.pass_time(86400)
        assert bench.made.manager.options(bench.made.manager.queue(B)).throttle_messages == (
            100.0,
            60.0,
        )
        assert len(asked) == 1 + 86400 // 60

    rules = {"b.test": {"configuration": {"outbound_throttle_messages": per_hour}}}
    run(test, tmp_path, Sink(), Bench(rules))


def test_a_sweep_suspends_what_bounces_too_much(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send(*(f"r{n}@b.test" for n in range(18)), "x@b.test", "y@b.test")
        await bench.made.events(20)
        await bench.pass_time(HOUR - 60)
        assert bench.told == []
        await bench.pass_time(60)
        (text,) = bench.told_of("suspend")
        assert text.startswith("suspension for 14400 s: sweep rule default_bounce_rule")
        assert "2/20 is 10.00 %" in text
        assert "count/total    => 2/20" in AdaptiveConsole(bench.adaptive).rules(
            "default", "b.test"
        )

    refused = "550 5.1.1 user unknown"
    sink = Sink(answers={"RCPT TO:<x@b.test>": refused, "RCPT TO:<y@b.test>": refused})
    run(test, tmp_path, sink, Bench({}))


def test_nothing_happens_where_it_is_not_enabled(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send("a@b.test")
        await bench.made.events(1)
        await bench.pass_time(2 * HOUR)
        assert bench.told == []

    sink = Sink(answers={"MAIL": "421 no"})
    run(test, tmp_path, sink, Bench(rule("^421 ", "suspend", "9 hours"), adaptive_enabled=False))


def test_a_pattern_without_end_is_passed_over(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send("a@b.test")
        assert await bench.made.events(1) == "T"
        assert len(bench.complaints) == 1 and "passed over" in bench.complaints[0]

    sink = Sink(answers={"MAIL": "421 " + "a" * 60 + "!"})
    run(test, tmp_path, sink, Bench(rule("(a+)+$(?<!x)b?\\d", "suspend", "9 hours")))


def test_complaints_suspend_the_queue_that_they_are_about(tmp_path: Path) -> None:
    async def test(bench: Bench, sink: Sink) -> None:
        await bench.made.send(*(f"r{n}@b.test" for n in range(20)))
        await bench.made.events(20)
        facts = {"binding": "default", "domain": "B.test", "kind": "abuse"}
        bench.adaptive.see("feedback", facts)
        bench.adaptive.see("feedback", {"kind": "abuse", "text": "about nobody"})
        bench.adaptive.see("received", facts)
        await bench.pass_time(HOUR)
        (text,) = bench.told_of("suspend")
        assert "default_fbl_rule: fbl:abuse 1/20 is 5.00 %" in text

    run(test, tmp_path, Sink(), Bench({}))
