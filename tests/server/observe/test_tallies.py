"""Counters whose labels are bounded and never go back."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from moonpost.observe.metrics import COUNTERS, Figures, Gauge
from moonpost.observe.tallies import Tallies
from moonpost.policy.timing import Timings


def figures(tallies: Tallies, timings: Timings | None = None) -> dict[str, float]:
    """What a scrape says: sample with its labels -> value."""
    spreads = (timings or Timings()).all
    gauges = {
        "moonpost_queue_messages": Gauge("x", {('a"\n.test', "delayed"): 3}, ("domain", "state"))
    }
    text = Figures(tallies, spreads, lambda: gauges).text().decode()
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_events_are_counted_by_their_labels() -> None:
    tallies = Tallies()
    for domain in ("b.test", "b.test", "c.test"):
        tallies.see("delivered", {"binding": "default", "domain": domain, "code": 250})
    tallies.see("reject", {"phase": "mailfrom", "code": 550})
    tallies.see("policy_error", {"callout": "validate_data", "kind": "limit"})
    tallies.see("something_else", {})
    found = figures(tallies)
    assert found["moonpost_messages_delivered_total['b.test', 'default']"] == 2
    assert found["moonpost_messages_delivered_total['c.test', 'default']"] == 1
    assert found["moonpost_rejections_total['5xx', 'mailfrom']"] == 1
    assert found["moonpost_policy_errors_total['limit', 'validate_data']"] == 1
    assert found["moonpost_reloads_total[]"] == 0
    assert found["moonpost_queue_messages['a\"\\n.test', 'delayed']"] == 3
    assert "something_else" not in tallies.counts


def test_a_flood_of_domains_adds_no_labels() -> None:
    tallies = Tallies(domains=3, bindings=2)
    seen: dict[str, float] = {}
    for n in range(1000):
        tallies.see("deferred", {"binding": f"b{n % 5}", "domain": f"d{n}.test"})
        if n % 100 == 0:
            now = figures(tallies)
            assert all(now[name] >= value for name, value in seen.items() if "deferred" in name)
            seen = now
    labels = tallies.counts["deferred"]
    assert len(labels) <= (3 + 1) * (2 + 1)
    assert sum(labels.values()) == 1000


def test_callouts_have_a_histogram() -> None:
    timings = Timings()
    for seconds in (0.00005, 0.0001, 0.003, 1000):
        timings.add("validate_data", seconds)
    found = figures(Tallies(), timings)
    assert found["moonpost_callout_seconds_bucket['0.0001', 'validate_data']"] == 2
    assert found["moonpost_callout_seconds_bucket['0.005', 'validate_data']"] == 3
    assert found["moonpost_callout_seconds_bucket['300.0', 'validate_data']"] == 3
    assert found["moonpost_callout_seconds_bucket['+Inf', 'validate_data']"] == 4
    assert found["moonpost_callout_seconds_count['validate_data']"] == 4
    assert timings.all()["validate_data"].longest_s == 1000


def test_names_follow_the_rules_of_prometheus() -> None:
    for name, help, _ in COUNTERS.values():
        assert name.startswith("moonpost_") and not name.endswith("_total") and help
