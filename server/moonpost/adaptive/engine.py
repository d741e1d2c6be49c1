"""What a refusal, or a sweep, does to a queue. Pure: the state is changed in place, what changed is returned.

Knows the rules of `msys.adaptive.registerRules` and the state; never a clock, a queue or a log. Decided where the
documents are silent: the first rule whose pattern matches is the only one that counts; an action that tunes takes
effect at most once in `adjustment_interval_s`; `throttle down` takes a tenth of the rate.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from moonpost.adaptive import shaping
from moonpost.adaptive.state import BLACKHOLE, SUSPENSION, Hold, State, Tuned
from moonpost.spool.record import QueueName
from msys.adaptive import Action, DomainRules, Response
from msys.lua.bytestr import to_bytes
from msys.pcre_engine import matches

MOST_WINDOWS = 20_000  # chosen: rates watched at once; the one that was quiet longest is forgotten


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that adaptive delivery did to a queue, in words for the log."""

    name: QueueName
    action: str  # suspend, blackhole, throttle, …; `resume` and `relax` undo
    text: str
    event: str = ""  # suspension, blackhole or throttle: what an operator wants an alert about
    notice: str = ""  # the rule's own words for that alert


@dataclass(slots=True)
class Windows:
    """When rules with a rate matched: for each queue and rule so many times as are needed, no more."""

    _times: OrderedDict[tuple[QueueName, str, int, int], deque[float]] = field(
        default_factory=OrderedDict
    )

    def crossed(self, name: QueueName, rule: Response, now: float) -> bool:
        """Count a match; whether there were more than `events` within `seconds`. Counting begins anew then."""
        if not rule.seconds:
            return True
        key = (name, rule.code, rule.events, rule.seconds)
        times = self._times.pop(key, None)
        if times is None:
            times = deque(maxlen=rule.events + 1)
        times.append(now)
        if len(times) > rule.events and now - times[0] <= rule.seconds:
            return True
        self._times[key] = times
        if len(self._times) > MOST_WINDOWS:
            self._times.popitem(last=False)
        return False


@dataclass(frozen=True, slots=True)
class Knobs:
    """What the configuration says about one queue. current: the number an option has now, None when it has none."""

    current: Callable[[str], float | None]
    managed: frozenset[str] = shaping.MANAGED
    adjustment_interval_s: float = 60.0


def matching(rules: DomainRules, text: str) -> Response | None:
    """The first response rule whose pattern is found in a refusal. PolicyLimit: a pattern does not come to an end."""
    subject = to_bytes(text)
    return next((rule for rule in rules.responses if any(matches(subject, rule.code))), None)


def transcoded(rule: Response | None, text: str) -> str:
    """The refusal as a `transcode` action rewrites it: another code, and the enhanced status of the same class."""
    for action in rule.actions if rule is not None else ():
        if action.name == "transcode":
            code, rest = str(action.parameter), text[3:]
            if rest[1:3] in ("4.", "5."):
                rest = f"{rest[0]}{code[0]}{rest[2:]}"
            return code + rest
    return text


def fire(
    state: State,
    windows: Windows,
    name: QueueName,
    rule: Response,
    text: str,
    now: float,
    knobs: Knobs,
) -> list[Change]:
    """Do what a rule says about a refusal, if it has been refused often enough."""
    if not windows.crossed(name, rule, now):
        return []
    return act(state, name, rule.actions, text, now, knobs, rule.message)


def act(
    state: State,
    name: QueueName,
    actions: Iterable[Action],
    reason: str,
    now: float,
    knobs: Knobs,
    notice: str = "",
) -> list[Change]:
    """Carry out actions on a queue; the changes they made, none for what was so already."""
    pair = state.pair(name)
    pair.refused_at = now
    may_tune = now - pair.adjusted_at >= knobs.adjustment_interval_s
    changes: list[Change] = []
    for action in actions:
        if action.name in HOLDS:
            changes += _hold(state, name, action, reason, now, notice)
        elif action.name in shaping.TUNES and may_tune:
            changes += _tune(state, name, action, reason, now, knobs, notice)
        elif action.name == "warmup":
            age_s = float(action.parameter)
            state.born[name.binding] = now - age_s
            changes.append(Change(name, "warmup", f"binding age -> {age_s:g} s: {reason}"))
    return changes


HOLDS = {"suspend": SUSPENSION, "blackhole": BLACKHOLE}


def _hold(
    state: State, name: QueueName, action: Action, reason: str, now: float, notice: str
) -> Sequence[Change]:
    kind, seconds = HOLDS[action.name], float(action.parameter)
    holds = state.pair(name).holds
    present = holds.get(kind)
    if present is not None and present.until > now:
        return ()  # neither lengthened nor shortened, nor put back when an operator overrode it
    holds[kind] = Hold(now + seconds, now, reason)
    text = f"{kind} for {seconds:g} s: {reason}"
    return (Change(name, action.name, text, kind, notice),)


def _tune(
    state: State,
    name: QueueName,
    action: Action,
    reason: str,
    now: float,
    knobs: Knobs,
    notice: str,
) -> list[Change]:
    pair = state.pair(name)
    changes = []
    for option in shaping.TUNES[action.name]:
        old = knobs.current(option)
        if old is None or option not in knobs.managed:
            continue
        if action.name == "greylisted":
            new = max(old, float(action.parameter))
        else:
            new = shaping.lowered(option, old, action.name, action.parameter)
        if new == old:
            continue
        pair.tuned[option] = Tuned(new, now, reason)
        pair.adjusted_at = now
        event = "throttle" if action.name == "throttle" else ""
        text = f"{option} {old:g} -> {new:g}: {reason}"
        changes.append(Change(name, action.name, text, event, notice))
    return changes


def ended(state: State, now: float) -> list[Change]:
    """Take away the suspensions and blackholes whose time is over."""
    changes = []
    for name, pair in state.pairs.items():
        for kind in [kind for kind, hold in pair.holds.items() if hold.until <= now]:
            hold = pair.holds.pop(kind)
            changes.append(Change(name, "resume", f"{kind} over after {now - hold.since:.0f} s"))
    return changes


def relaxed(
    state: State,
    name: QueueName,
    original: Callable[[str], float | None],
    now: float,
    positive_interval_s: float,
) -> list[Change]:
    """Bring tuned options one step back, when mail has flowed well for long enough."""
    pair = state.pairs.get(name)
    if pair is None or not pair.tuned or pair.delivered_at <= pair.refused_at:
        return []
    if now - max(pair.refused_at, pair.relaxed_at) < positive_interval_s:
        return []
    pair.relaxed_at = now
    changes = []
    for option, tuned in list(pair.tuned.items()):
        was = original(option)
        new = None if was is None else shaping.raised(option, tuned.value, was)
        if new is None:
            del pair.tuned[option]
            text = f"{option} {tuned.value:g} -> as configured: mail flows"
        else:
            pair.tuned[option] = Tuned(new, now, "mail flows")
            text = f"{option} {tuned.value:g} -> {new:g}: mail flows"
        changes.append(Change(name, "relax", text))
    return changes
