"""Numbers of options: configured, by rule, tuned, bounded."""

from __future__ import annotations

from typing import Any

import pytest

from moonpost.adaptive.shaping import (
    THROTTLE,
    as_number,
    as_value,
    bounds_of,
    by_rule,
    managed,
    shaped,
)
from moonpost.config.values import Throttle

CONNECTIONS = "max_outbound_connections"


@pytest.mark.parametrize(
    ("option", "configured", "rules", "tuned", "bounds", "value"),
    [
        (CONNECTIONS, 32, None, None, None, 32),
        (CONNECTIONS, 32, 10, None, None, 10),
        (CONNECTIONS, 32, 10, 4, None, 4),
        (CONNECTIONS, 32, None, None, (5, 20), 20),
        (CONNECTIONS, 32, None, 2, (5, 20), 5),
        (CONNECTIONS, 12, None, None, (5, 20), 12),
        ("max_deliveries_per_connection", 0, None, None, (20, 80), 0),
        ("max_deliveries_per_connection", 0, 25, None, None, 25),
        ("retry_interval", 1200, None, 2700.0, None, 2700.0),
        ("max_retries", "auto", None, None, None, "auto"),
        ("max_retries", "auto", 5, None, None, 5),
        (THROTTLE, None, None, None, None, None),
        (THROTTLE, Throttle(60, 3), None, None, None, Throttle(60, 3)),
        (THROTTLE, Throttle(60, 3), None, 36000.0, None, (30.0, 3.0)),
        (THROTTLE, Throttle(60, 3), None, 600.0, None, (1.0, 6.0)),
        (THROTTLE, None, 600.0, None, None, (10.0, 60.0)),
        (THROTTLE, None, 30.0, None, None, (1.0, 120.0)),
    ],
)
def test_values(
    option: str, configured: Any, rules: Any, tuned: Any, bounds: Any, value: Any
) -> None:
    assert shaped(option, configured, rules, tuned, bounds) == value


def test_a_throttle_is_counted_in_messages_an_hour() -> None:
    assert as_number(THROTTLE, Throttle(60, 3)) == 72_000
    assert as_number(THROTTLE, 2) == 7200
    assert as_value(THROTTLE, 72_000, Throttle(60, 3)) == (60, 3)


@pytest.mark.parametrize(
    ("configured", "wanted", "value"),
    [(32, 5, 5), (32, (1, 10), 10), (0.5, (1, 10), 1), (7, (1, 10), 7), (None, (1, 10), 10)],
)
def test_what_configuration_of_a_rule_does(configured: Any, wanted: Any, value: float) -> None:
    assert by_rule(configured, wanted) == value


def test_bounds_are_two_numbers() -> None:
    assert bounds_of(None) is None and bounds_of([]) is None
    assert bounds_of(["20", "80"]) == (20, 80)
    for wrong in (["1"], ["9", "1"], ["a", "b"]):
        with pytest.raises(ValueError):
            bounds_of(wrong)


def test_managed_options() -> None:
    ours = managed(["Idle_Timeout", "gateway"], ["RETRY_INTERVAL"])
    assert "idle_timeout" in ours and "retry_interval" not in ours and "gateway" not in ours
