"""Adaptive delivery at work: asked for options, told of every attempt, looking after its queues from time to time.

A layer between the configuration and the queues. Decisions are in `engine`, `sweep` and `shaping`; this holds the state
and brings in the configuration, the rules of policy and the time. Nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from moonpost.adaptive import engine, shaping, sweep
from moonpost.adaptive.figures import Figures
from moonpost.adaptive.state import BLACKHOLE, SUSPENSION, State
from moonpost.outbound.answers import Fate, Outcome
from moonpost.queue.journal import Attempt
from moonpost.queue.options import DEFAULTS, Option
from moonpost.spool.record import QueueName, Record
from msys.adaptive import Action, DomainRules, parse_duration
from msys.ports import PolicyLimit

BLACKHOLED: Final = "internal"  # how mail of a blackholed queue fails
# A function of a rule's `configuration`: (function, current, last, age in seconds) -> number, None when it failed.
Evaluate = Callable[[Any, float | None, float | None, float], float | None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the server gives adaptive delivery."""

    option: Option  # the configuration's own values
    rules: Callable[[], Mapping[str, DomainRules]]
    sweep_rules: Callable[[QueueName], Sequence[sweep.SweepRule]]
    classify: Callable[[str, str], int]
    now: Callable[[], float]
    tell: Callable[[engine.Change], None]
    complain: Callable[[str], None]
    evaluate: Evaluate
    save: Callable[[State], None] = lambda _state: None
    managed: frozenset[str] = shaping.MANAGED
    bounce_sweep_s: float = 3600.0


class AdaptiveDelivery:
    """Also a `moonpost.queue.journal.Journal`. `changed` is told of each queue whose options are to be read again."""

    def __init__(self, around: Surroundings, state: State, figures: Figures | None = None) -> None:
        self._around = around
        self.state = state
        self.figures = figures or Figures()
        self.changed: Callable[[QueueName], None] = lambda _name: None
        self._windows = engine.Windows()
        self._computed_at: dict[tuple[QueueName, str], float] = {}
        self._raised_at: dict[tuple[QueueName, str], float] = {}
        self._swept_at = around.now()

    # --- what the console asks

    def now(self) -> float:
        return self._around.now()

    def rules(self) -> Mapping[str, DomainRules]:
        """The response rules in force, by domain."""
        return self._around.rules()

    def set_age(self, binding: str, age_s: float) -> None:
        """An operator says how long a binding has been sending."""
        self.state.born[binding] = self.now() - age_s
        self._computed_at.clear()
        change = engine.Change(
            QueueName(binding, ""), "warmup", f"binding age -> {age_s:g} s: an operator"
        )
        self._around.tell(change)
        self._around.save(self.state)
        for name in [name for name in self.state.pairs if name.binding == binding]:
            self.changed(name)

    # --- options

    def enabled(self, name: QueueName) -> bool:
        return bool(self._around.option("adaptive_enabled", *name))

    def option(self, option: str, binding: str, domain: str) -> Any:
        """An option as delivery is to take it; stands in for the configuration's own `delivery_option`."""
        configured = self._around.option(option, binding, domain)
        name = QueueName(binding, domain)
        if option == "suspend_delivery":
            return configured or (self.enabled(name) and self.state.held(name, SUSPENSION))
        if option == "blackhole":
            if not configured and self.enabled(name) and self.state.held(name, BLACKHOLE):
                return BLACKHOLED
            return configured
        if option not in self._around.managed or not self.enabled(name):
            return configured
        return self._shaped(name, option, configured, self._tuned(name, option))

    def suspends(self, binding: str, domain: str) -> bool:
        """Whether a rule, and no operator, holds a queue back."""
        name = QueueName(binding, domain)
        return self.state.held(name, SUSPENSION) and self.enabled(name)

    def scope_of(self, inner: Option) -> Option:
        """Where an option is decided: the queue itself when adaptive delivery decides, else what `inner` says."""

        def place(option: str, binding: str, domain: str) -> Any:
            if self.option(option, binding, domain) != self._around.option(option, binding, domain):
                return f"adaptive {binding}::{domain}"
            return inner(option, binding, domain)

        return place

    def _shaped(self, name: QueueName, option: str, configured: Any, tuned: float | None) -> Any:
        if configured is None:
            configured = DEFAULTS.get(option)
        from_rules = self._from_rules(name, option, shaping.as_number(option, configured))
        return shaping.shaped(option, configured, from_rules, tuned, self._bounds(name, option))

    def _tuned(self, name: QueueName, option: str) -> float | None:
        pair = self.state.pairs.get(name)
        tuned = pair.tuned.get(option) if pair is not None else None
        return tuned.value if tuned is not None else None

    def _bounds(self, name: QueueName, option: str) -> shaping.Bounds | None:
        try:
            return shaping.bounds_of(self._around.option(shaping.BOUNDS[option], *name))
        except (ValueError, TypeError) as error:
            self._around.complain(
                f"{shaping.BOUNDS[option]} of {name}: {error}; there are no bounds"
            )
            return None

    def _from_rules(self, name: QueueName, option: str, number: float | None) -> float | None:
        rules = self._around.rules().get(name.domain)
        wanted = rules.configuration.get(option) if rules is not None else None
        if wanted is None:
            return None
        if not callable(wanted):
            return shaping.by_rule(number, wanted)
        return self._by_function(name, option, wanted, number)

    def _by_function(
        self, name: QueueName, option: str, function: Any, number: float | None
    ) -> float | None:
        now, key = self._around.now(), (name, option)
        pair = self.state.pair(name)
        last = pair.computed.get(option)
        interval_s = self._seconds("adaptive_adjustment_interval", name)
        if last is not None and now - self._computed_at.get(key, -interval_s) < interval_s:
            return last
        age_s = self.state.age_s(name.binding, now)
        new = self._around.evaluate(function, number, last, age_s)
        self._computed_at[key] = now
        if new is None:
            return last
        if last is not None and new > last:
            patience_s = self._seconds("adaptive_positive_adjustment_interval", name)
            if now - self._raised_at.get(key, -patience_s) < patience_s:
                return last
            self._raised_at[key] = now
        pair.computed[option] = new
        return new

    def number(self, name: QueueName, option: str) -> float | None:
        """What an option is at present, in the rules' unit."""
        configured = self._around.option(option, *name)
        shaped = self._shaped(name, option, configured, self._tuned(name, option))
        return shaping.as_number(option, shaped)

    def _original(self, name: QueueName, option: str) -> float | None:
        """What it would be without actions."""
        shaped = self._shaped(name, option, self._around.option(option, *name), None)
        return shaping.as_number(option, shaped)

    def _seconds(self, option: str, name: QueueName) -> float:
        return float(self._around.option(option, *name) or 0)

    # --- answers

    def revise(self, name: QueueName, outcome: Outcome) -> Outcome:
        """A host refused something: act by the rules; the outcome as it is to count."""
        if not self.enabled(name):
            return outcome
        rules = self._around.rules().get(name.domain)
        if rules is None:
            return outcome
        try:
            rule = engine.matching(rules, outcome.text)
        except PolicyLimit as limit:
            self._around.complain(f"{name.domain}: {limit}; its rules are passed over")
            return outcome
        if rule is None:
            return outcome
        now = self._around.now()
        self.did(
            name,
            engine.fire(
                self.state, self._windows, name, rule, outcome.text, now, self._knobs(name)
            ),
        )
        text = engine.transcoded(rule, outcome.text)
        if text == outcome.text:
            return outcome
        fate = Fate.FAILED if text.startswith("5") else Fate.DEFERRED
        return Outcome(fate, int(text[:3]), text, outcome.stage)

    def _knobs(self, name: QueueName) -> engine.Knobs:
        return engine.Knobs(
            partial(self.number, name),
            self._around.managed,
            self._seconds("adaptive_adjustment_interval", name),
        )

    def did(self, name: QueueName, changes: Iterable[engine.Change]) -> None:
        """Tell, keep and put in force what was changed about a queue."""
        changes = list(changes)
        if not changes:
            return
        for change in changes:
            self._around.tell(change)
        self._around.save(self.state)
        self.changed(name)

    # --- the journal

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        self._seen(record.binding, at)

    def _seen(self, binding: str, at: float) -> None:
        """A binding's age begins with its first mail; what acceptors receive is first seen when it is attempted."""
        if binding not in self.state.born:
            self.state.born[binding] = at
            self._around.save(self.state)

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._seen(record.binding, attempt.at)
        self.figures.delivered(record.queue, attempt.at)
        pair = self.state.pairs.get(record.queue)
        if pair is not None:
            pair.delivered_at = attempt.at

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._refused(record, attempt, outcome)

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._refused(record, attempt, outcome)

    def _refused(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._seen(record.binding, attempt.at)
        number = self._around.classify(outcome.text, record.domain)
        permanent = outcome.fate is Fate.FAILED
        self.figures.refused(record.queue, number, attempt.at, permanent=permanent)

    def complained(self, name: QueueName, category: str, at: float) -> None:
        """A recipient complained about mail that went through this queue."""
        self.figures.complained(name, category, at)

    def see(self, event: str, facts: Mapping[str, Any]) -> None:
        """An event of the event log: complaints count."""
        if event == "feedback" and facts.get("binding"):
            name = QueueName(str(facts["binding"]), str(facts["domain"]).lower())
            self.complained(name, str(facts["kind"]), self._around.now())

    # --- from time to time

    def tick(self) -> None:
        """What `suspend_sweep_interval` is for; also the hourly sweep when its time has come."""
        now = self._around.now()
        for change in engine.ended(self.state, now):
            self.did(change.name, [change])
        for name, pair in list(self.state.pairs.items()):
            patience_s = self._seconds("adaptive_positive_adjustment_interval", name)
            original = partial(self._original, name)
            self.did(name, engine.relaxed(self.state, name, original, now, patience_s))
            before = dict(pair.computed)
            rules = self._around.rules().get(name.domain, DomainRules())
            for option in before:
                if callable(rules.configuration.get(option)):
                    self.number(name, option)
                else:
                    del pair.computed[option]  # policy has other rules now
            if pair.computed != before:
                self._around.save(self.state)
                self.changed(name)
            if not pair.worth_keeping:
                del self.state.pairs[name]
        if self._around.bounce_sweep_s and now - self._swept_at >= self._around.bounce_sweep_s:
            self._swept_at = now
            self.sweep_all(now)

    def sweep_all(self, now: float) -> None:
        """Look at what every queue's mail came to, and act where it was too bad."""
        for name in self.figures.names():
            if not self.enabled(name):
                continue
            for rule, share in self.shares(name, now):
                fewest = (
                    "adaptive_fbl_volume_threshold"
                    if rule.about_complaints
                    else "adaptive_attempt_threshold"
                )
                found = sweep.due(rule, share, int(self._seconds(fewest, name)))
                if found is not None:
                    self._act(name, found[0], found[1], now)
            self._reject_rate(name, now)

    def shares(self, name: QueueName, now: float) -> list[tuple[sweep.SweepRule, sweep.Share]]:
        """The sweep rules of a queue, each with its figures."""
        bounces, complaints = (
            self.figures.bounces(name, now),
            self.figures.complaints(name, now),
        )
        return [
            (rule, sweep.share_of(rule, bounces, complaints))
            for rule in self._around.sweep_rules(name)
        ]

    def _reject_rate(self, name: QueueName, now: float) -> None:
        """The check beside the rules: so many per cent refused for good, and the queue is suspended."""
        option = self._around.option
        if not option("adaptive_default_suspension_enabled", *name):
            return
        counts = self.figures.bounces(name, now)
        share = sweep.Share(counts["rejected"], counts["attempts"])
        allowed = self._seconds("adaptive_rejection_rate_suspension_percentage", name)
        if share.total < self._seconds("adaptive_attempt_threshold", name) or not share.total:
            return
        if share.per_cent > allowed:
            length = str(option("adaptive_default_suspension", *name))
            seconds = parse_duration(length)
            if seconds is None:
                self._around.complain(
                    f"adaptive_default_suspension of {name}: `{length}` is no duration"
                )
                return
            why = f"{share.count}/{share.total} refused is {share.per_cent:.2f} %, {allowed:g} % allowed"
            self._act(name, Action("suspend", seconds), why, now)

    def _act(self, name: QueueName, action: Action, why: str, now: float) -> None:
        knobs = self._knobs(name)
        self.did(name, engine.act(self.state, name, (action,), why, now, knobs))
