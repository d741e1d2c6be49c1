"""Counts of all processes together, for the console."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

from moonpost.app.log import LATEST
from moonpost.app.processes.link import Alive
from moonpost.inbound.interface import Tally
from moonpost.policy.timing import Spread
from msys.ports import Pools

ADDED = tuple(each.name for each in fields(Tally) if each.name not in ("open", "by_block"))
AVERAGES = frozenset(("avg_wallclock_time_per_op", "saturation"))  # all other figures add up


class AllPools:
    """The thread pools of every process, as the console shows them: `names` and `stats` of Pools."""

    def __init__(self, own: Pools, reports: Callable[[], Sequence[Alive]]) -> None:
        self._own, self._reports = own, reports

    def names(self) -> Sequence[str]:
        return self._own.names()

    def stats(self, name: str) -> Mapping[str, float]:
        every = [
            self._own.stats(name),
            *(r.pools[name] for r in self._reports() if name in r.pools),
        ]
        return {key: _total(key, every) for key in every[0]}


def _total(key: str, every: Sequence[Mapping[str, float]]) -> float:
    if key not in AVERAGES:
        return sum(each[key] for each in every)
    weight = sum(each["invocations"] for each in every)
    if not weight:
        return 0.0
    return sum(each[key] * each["invocations"] for each in every) / weight


def merged(every: Sequence[Mapping[str, Spread]]) -> dict[str, Spread]:
    """Times of each callout, of all processes."""
    found: dict[str, Spread] = {}
    for spreads in every:
        for callout, spread in spreads.items():
            total = found.setdefault(callout, Spread())
            total.count += spread.count
            total.total_s += spread.total_s
            total.longest_s = max(total.longest_s, spread.longest_s)
            total.buckets = [a + b for a, b in zip(total.buckets, spread.buckets, strict=True)]
    return found


def tallied(tallies: Sequence[Tally], open_sessions: int) -> Tally:
    """The counts of all. A process's own `open` counts the sessions of others too, for its limits."""
    total = Tally(open=open_sessions)
    for each in tallies:
        for name in ADDED:
            setattr(total, name, getattr(total, name) + getattr(each, name))
    return total


def together(own: Mapping[str, Sequence[str]], reports: Sequence[Alive]) -> dict[str, list[str]]:
    """The latest panic lines of every process, by level."""
    found: dict[str, list[str]] = {level: list(lines) for level, lines in own.items()}
    for report in reports:
        for level, lines in report.latest.items():
            found.setdefault(level, []).extend(lines)
    return {level: lines[-LATEST * (1 + len(reports)) :] for level, lines in found.items()}
