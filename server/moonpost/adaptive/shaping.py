"""The number an option has for one queue, from what is configured, the rules, and what actions made of it. Pure.

Order: configured value, `configuration` of the rules, tuned value, the operator's bounds. Adaptive delivery counts
`outbound_throttle_messages` in messages an hour, the configuration in messages per so many seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

THROTTLE: Final = "outbound_throttle_messages"
HOUR_S: Final = 3600.0

# What rules may tune -> the operator's bounds for it.
BOUNDS: Final[Mapping[str, str]] = {
    "max_outbound_connections": "adaptive_max_outbound_connections",
    "max_deliveries_per_connection": "adaptive_max_deliveries_per_connection",
    "retry_interval": "adaptive_retry_interval",
    "max_retry_interval": "adaptive_max_retry_interval",
    "max_retries": "adaptive_max_retries",
    "outbound_throttle_messages": "adaptive_outbound_throttle_messages",
    # from here on only when adaptive_manage_options names it
    "idle_timeout": "adaptive_idle_timeout",
    "ehlo_timeout": "adaptive_ehlo_timeout",
    "mailfrom_timeout": "adaptive_mailfrom_timeout",
    "rcptto_timeout": "adaptive_rcptto_timeout",
    "body_timeout": "adaptive_body_timeout",
    "rset_timeout": "adaptive_rset_timeout",
    "max_recipients_per_batch": "adaptive_max_recipients_per_batch",
    "max_recipients_per_connection": "adaptive_max_recipients_per_connection",
    "max_resident_active_queue": "adaptive_max_resident_active_queue",
}
MANAGED: Final = frozenset(list(BOUNDS)[:6])
MANAGEABLE: Final = frozenset(list(BOUNDS)[6:])
WHOLE: Final = frozenset((
    "max_outbound_connections", "max_deliveries_per_connection", "max_retries", "max_recipients_per_batch",
    "max_recipients_per_connection", "max_resident_active_queue",
))  # fmt: skip

Bounds = tuple[float, float]


def managed(manage: Collection[str], unmanage: Collection[str]) -> frozenset[str]:
    """The options that adaptive delivery may change."""
    wanted = MANAGED | ({name.lower() for name in manage} & MANAGEABLE)
    return frozenset(wanted - {name.lower() for name in unmanage})


def as_number(option: str, value: Any) -> float | None:
    """A configured value as the number that rules count in; None: no value, or one that is no number.

    0 is no limit for options that count, so it is no value either.
    """
    if isinstance(value, (tuple, list)):
        events, seconds = float(value[0]), float(value[1])
        return events / seconds * HOUR_S if events > 0 and seconds > 0 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if option == THROTTLE:
        return value * HOUR_S or None  # a plain number is a rate per second
    return float(value) if value > 0 else None


def as_value(option: str, number: float, configured: Any) -> Any:
    """The number as delivery wants it. A rate keeps the period it is configured with; no less than one event in it."""
    if option != THROTTLE:
        return max(1, round(number)) if option in WHOLE else number
    period_s = float(configured[1]) if isinstance(configured, (tuple, list)) else 60.0
    events = number * period_s / HOUR_S
    return (events, period_s) if events >= 1 else (1.0, HOUR_S / max(number, 1.0))


def by_rule(configured: float | None, wanted: Any) -> float | None:
    """What a rule's `configuration` makes of a value: a number forces, a pair bounds. Functions are the driver's."""
    if isinstance(wanted, tuple):
        low, high = wanted
        return float(high if configured is None else min(max(configured, low), high))
    return float(wanted)


def shaped(
    option: str,
    configured: Any,
    from_rules: float | None,
    tuned: float | None,
    bounds: Bounds | None,
) -> Any:
    """The value for one queue; `configured` itself when nothing changes it."""
    number = tuned if tuned is not None else from_rules
    base = as_number(option, configured)
    if bounds is not None:
        current = number if number is not None else base
        if current is not None:
            low, high = bounds
            clipped = min(max(current, low), high)
            number = clipped if number is not None or clipped != base else None
    if number is None or number == base:
        return configured
    return as_value(option, number, configured)


def bounds_of(value: Any) -> Bounds | None:
    """`adaptive_<option> = ( low high )`; None when it is unset. ValueError when it is something else."""
    if not value:
        return None
    numbers = [float(word) for word in value]
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        raise ValueError(f"two numbers, the lower first, not ( {' '.join(map(str, value))} )")
    return numbers[0], numbers[1]


def lowered(option: str, current: float, action: str, parameter: int | str) -> float:
    """A limit after an action: `throttle down` takes a tenth, `reduce_…` as many as it says; never below 1."""
    step = current / 10 if action == "throttle" else float(parameter)
    return max(1.0, current - step)


def raised(option: str, current: float, original: float) -> float | None:
    """A tuned limit one step back towards what it was; None: all the way."""
    if current >= original:  # a retry interval that was raised goes back at once
        return None
    step = max(1.0, current / 10) if option == THROTTLE else 1.0
    return current + step if current + step < original else None


# What the actions that tune are about.
TUNES: Final[Mapping[str, tuple[str, ...]]] = {
    "throttle": (THROTTLE,),
    "reduce_connections": ("max_outbound_connections",),
    "reduce_deliveries": ("max_deliveries_per_connection",),
    "greylisted": ("retry_interval", "max_retry_interval"),
}
