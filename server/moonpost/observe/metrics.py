"""The server's figures as Prometheus metrics.

Reads counters that are kept anyway, when it is asked; nothing here is on the way of mail. Every label is bounded, see
`tallies`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from moonpost.observe.tallies import Tallies
from moonpost.policy.timing import BOUNDS_S, Spread

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

# event -> name of its counter (`_total` is added), help, labels
COUNTERS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "received": ("moonpost_messages_received", "messages taken into the spool", ("binding", "domain")),
    "delivered": ("moonpost_messages_delivered", "messages a host took", ("binding", "domain")),
    "deferred": ("moonpost_attempts_deferred", "attempts that will be repeated", ("binding", "domain")),
    "failed": ("moonpost_messages_failed", "messages given up", ("binding", "domain")),
    "reject": ("moonpost_rejections", "refusals told to clients", ("phase", "code")),
    "discarded": ("moonpost_discarded", "messages policy took and dropped", ("phase",)),
    "policy_error": ("moonpost_policy_errors", "callouts that failed", ("callout", "kind")),
    "adaptive": ("moonpost_adaptive_actions", "what adaptive delivery did", ("action",)),
    "reload": ("moonpost_reloads", "generations of policy adopted", ()),
    "reload_refused": ("moonpost_reloads_refused", "reloads that changed nothing", ()),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value at this moment; with labels, one for each."""

    help: str
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = ()


def single(help: str, value: float) -> Gauge:
    return Gauge(help, {(): value})


Gauges = Mapping[str, Gauge]  # by name


@dataclass(slots=True)
class Figures:
    """Where the numbers come from. gauges and callouts are asked at each scrape."""

    tallies: Tallies
    callouts: Callable[[], Mapping[str, Spread]]
    gauges: Callable[[], Gauges]
    registry: CollectorRegistry = field(
        default_factory=lambda: CollectorRegistry(auto_describe=False)
    )

    def __post_init__(self) -> None:
        ProcessCollector(registry=self.registry)
        self.registry.register(_Collector(self))

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)


class _Collector(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from _counters(self._figures.tallies)
        yield _histogram(self._figures.callouts())
        for name, gauge in self._figures.gauges().items():
            family = GaugeMetricFamily(name, gauge.help, labels=gauge.labels)
            for labels, value in gauge.values.items():
                family.add_metric(labels, value)
            yield family


def _counters(tallies: Tallies) -> Iterator[Metric]:
    for event, (name, help, labels) in COUNTERS.items():
        family = CounterMetricFamily(name, help, labels=labels)
        counted: dict[tuple[str, ...], int] = dict(tallies.counts.get(event, {}))
        for values, count in counted.items():
            family.add_metric(values, count)
        if not labels and not counted:
            family.add_metric((), 0)
        yield family


def _histogram(spreads: Mapping[str, Spread]) -> Metric:
    family = HistogramMetricFamily(
        "moonpost_callout_seconds", "time of callouts, waiting included", labels=("callout",)
    )
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    for callout, spread in spreads.items():
        reached = accumulate(spread.buckets)
        family.add_metric((callout,), list(zip(bounds, reached, strict=True)), spread.total_s)
    return family
