"""Sweep rules: which apply to a queue, and what its figures make of them."""

from __future__ import annotations

from collections import Counter

import pytest

from moonpost.adaptive.figures import Figures
from moonpost.adaptive.sweep import (
    BUILT_IN,
    BadSweepRule,
    Share,
    all_rules,
    due,
    rules_for,
    share_of,
)
from moonpost.config.model import examine
from moonpost.spool.record import QueueName
from msys.adaptive import Action

Q = QueueName("default", "b.test")
NOON = 1_700_000_000.0
STANZAS = """
adaptive {}
adaptive_sweep_rule "fbl" { codes = ("fbl:abuse") low_threshold = 1 high_threshold = 2 }
domain "yahoo.com" { adaptive_sweep_rule "y" { codes = ("bc:10" "bc:20") } }
domain "hotmail.com" {
  adaptive_sweep_rule "x" { codes = ("bc:10") low_threshold = 2 high_threshold = 7 high_action = ("blackhole" "2 days") }
}
domain "mixed.test" { adaptive_sweep_rule "m" { codes = ("bc:10" "fbl:abuse") } }
domain "off.test" { adaptive_sweep_rule_enabled = false adaptive_sweep_rule "o" { codes = ("bc:10") } }
domain "own.test" { adaptive_sweep_rule "fbl" { codes = ("fbl:abuse") enabled = false } }
"""


def names(domain: str) -> list[str]:
    config, problems = examine("a.conf", text=STANZAS)
    assert [one.render() for one in problems if one.severity == "error"] == []
    return [rule.name for rule in rules_for(config.root, "default", domain)]


@pytest.mark.parametrize(
    ("domain", "wanted"),
    [
        ("yahoo.com", ["y", "fbl"]),
        ("hotmail.com", ["x", "fbl"]),
        ("other.test", ["fbl", "default_bounce_rule"]),
        ("mixed.test", ["fbl", "default_bounce_rule"]),
        ("off.test", ["fbl"]),
        ("own.test", ["default_bounce_rule", "default_fbl_rule"]),
    ],
)
def test_which_rules_apply(domain: str, wanted: list[str]) -> None:
    assert names(domain) == wanted


def test_a_stanza_is_read() -> None:
    config, _ = examine("a.conf", text=STANZAS)
    rule = rules_for(config.root, "default", "hotmail.com")[0]
    assert rule.low_threshold == 2 and rule.low_action == Action("throttle", "down")
    assert rule.high_action == Action("blackhole", 2 * 86400)


@pytest.mark.parametrize(
    "body", ['codes = ("bc:x")', 'codes = ("abuse")', 'codes = ("bc:1") low_action = ("fly")']
)
def test_a_stanza_that_says_nothing_is_refused(body: str) -> None:
    config, _ = examine("a.conf", text=f'adaptive_sweep_rule "a" {{ {body} }}')
    with pytest.raises(BadSweepRule):
        rules_for(config.root, "default", "b.test")
    ((_, found),) = all_rules(config.root)
    assert isinstance(found, BadSweepRule)


@pytest.mark.parametrize(
    ("count", "total", "action"),
    [
        (2, 100, None),
        (3, 100, "throttle"),
        (9, 100, "throttle"),
        (10, 100, "suspend"),
        (99, 99, None),  # too few to count
        (0, 0, None),
    ],
)
def test_thresholds(count: int, total: int, action: str | None) -> None:
    found = due(BUILT_IN[0], Share(count, total), fewest=100)
    assert (found[0].name if found else None) == action


def test_figures_forget_after_an_hour() -> None:
    figures = Figures()
    for minute in range(120):
        figures.refused(Q, 10, NOON + minute * 60, permanent=True)
        figures.delivered(Q, NOON + minute * 60)
    bounces = figures.bounces(Q, NOON + 119 * 60)
    assert bounces == Counter(attempts=122, rejected=61, **{"bc:10": 61})
    assert figures.bounces(Q, NOON + 4 * 3600) == Counter()
    assert figures.complaints(Q, NOON + 4 * 3600)["deliveries"] == 120
    assert figures.complaints(Q, NOON + 28 * 3600) == Counter()


def test_complaints_are_measured_against_deliveries() -> None:
    figures = Figures()
    for _ in range(1000):
        figures.delivered(Q, NOON)
    for _ in range(5):
        figures.complained(Q, "Abuse", NOON)
    share = share_of(BUILT_IN[1], figures.bounces(Q, NOON), figures.complaints(Q, NOON))
    assert share == Share(5, 1000) and share.per_cent == 0.5
    found = due(BUILT_IN[1], share, 1000)
    assert found is not None and found[0] == Action("suspend", 4 * 3600)
    assert found[1] == "sweep rule default_fbl_rule: fbl:abuse 5/1000 is 0.50 %, 0.5 % allowed"
