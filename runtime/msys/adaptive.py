"""`msys.adaptive.registerRules`: rules for how delivery answers a receiver's refusals.

The rules are checked here and kept by the generation, in the order of registration; the delivery side
reads them through `rules_of`. Functions in `configuration` stay functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msys.arguments import bad_argument, check_string, check_table, optional_string, string_or_none
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table, environment, pairs, tostring, type
from msys.lua.bytestr import to_bytes
from msys.lua.environment import Environment
from msys.lua.errors import RuntimeFault
from msys.pcre_engine import BadPattern, compiled
from msys.running import panic

__all__ = ["Action", "DomainRules", "Response", "registerRules", "rules_of"]

TRIGGER = re.compile(r"(\d+)(?:/(\d+))?\Z")
DURATION = re.compile(r"(\d+)\s*(second|minute|hour|day)s?\Z", re.IGNORECASE)
UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
TYPES = ("augment", "replace")

# action -> what its parameter is
PARAMETERS = {
    "suspend": "duration",
    "blackhole": "duration",
    "greylisted": "duration",
    "throttle": "down",
    "warmup": "number",
    "reduce_connections": "number",
    "reduce_deliveries": "number",
    "transcode": "number",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do; parameter: seconds, a number, or `down`."""

    name: str
    parameter: int | str


@dataclass(frozen=True, slots=True)
class Response:
    """When a refusal matches `code` more than `events` times in `seconds` (0: the first time), do `actions`."""

    code: str
    events: int
    seconds: int
    actions: tuple[Action, ...]
    message: str = ""


@dataclass(slots=True)
class DomainRules:
    """The rules of one receiving domain."""

    responses: list[Response] = field(default_factory=list)
    configuration: dict[str, Any] = field(
        default_factory=dict
    )  # option -> number, (low, high) or function


@documented(
    "msys.adaptive.registerRules",
    assumed="a bad rule raises when the script loads; the first rule that matches a refusal decides; `throttle down` "
    "is a tenth",
)
def registerRules(rules: Table, type: Any = ABSENT) -> None:
    """Register rules by receiving domain.

    type: `augment` (default: before the rules that are there) or `replace` (in place of all of them). A
    domain whose value is a string is an alias. A rule that cannot be understood raises, so that the
    generation is refused. What rules do is in docs/adaptive.md; they act where `adaptive_enabled` holds.
    Source: ad-custom-rules (Momentum 3 guide).
    """
    table = check_table("registerRules", 1, rules)
    how = optional_string("registerRules", 2, type, "augment")
    if how not in TYPES:
        raise bad_argument("registerRules", 2, f"augment or replace expected, got '{how}'")
    _read(table)
    environment().rules.append((table, how))


def rules_of(
    env: Environment, below: Mapping[str, DomainRules | str] | None = None
) -> dict[str, DomainRules]:
    """The effective rules of a generation by domain in lower case, aliases resolved.

    below: rules (or the names of aliased domains) that are there before the first registration.
    """
    standing = below or {}
    found = {name: rules for name, rules in standing.items() if isinstance(rules, DomainRules)}
    aliases = {name: target for name, target in standing.items() if isinstance(target, str)}
    for table, how in env.rules:
        if how == "replace":
            found, aliases = {}, {}
        for domain, entry in _read(table).items():
            if isinstance(entry, str):
                aliases[domain] = entry
                continue
            known = found.get(domain)
            if known is None and domain in aliases:
                base = found.get(aliases.pop(domain), DomainRules())
                known = DomainRules(list(base.responses), dict(base.configuration))
            if known is None:
                found[domain] = entry
            else:
                merged = known.configuration | entry.configuration
                found[domain] = DomainRules([*entry.responses, *known.responses], merged)
    return found | {alias: found[domain] for alias, domain in aliases.items() if domain in found}


def _read(rules: Table) -> dict[str, DomainRules | str]:
    found: dict[str, DomainRules | str] = {}
    for key, entry in pairs(rules):
        domain = check_string("registerRules", 1, key).strip().lower()
        alias = string_or_none(entry)
        if alias is not None:
            found[domain] = alias.strip().lower()
        elif isinstance(entry, Table):
            found[domain] = _domain(domain, entry)
        else:
            raise _wrong(
                domain, f"a table or the name of another domain expected, got {type(entry)}"
            )
    for domain, value in found.items():
        if isinstance(value, str) and isinstance(found.get(value), str):
            raise _wrong(domain, f"'{value}' is an alias itself")
    return found


def _domain(domain: str, entry: Table) -> DomainRules:
    rules = DomainRules()
    responses, configuration = entry["responses"], entry["configuration"]
    if isinstance(responses, Table):
        for number, rule in sorted(
            (key, value) for key, value in pairs(responses) if isinstance(key, int)
        ):
            rules.responses.append(_response(domain, number, rule))
        for key in (key for key, _ in pairs(responses) if not isinstance(key, int)):
            panic(f"adaptive: {domain}: '{tostring(key)}' inside responses is left out")
    elif responses is not None:
        raise _wrong(domain, f"responses must be a table, not a {type(responses)}")
    for key, value in pairs(configuration) if isinstance(configuration, Table) else ():
        option = check_string("registerRules", 1, key).lower()
        rules.configuration[option] = _setting(domain, option, value)
    return rules


def _setting(domain: str, option: str, value: Any) -> Any:
    if isinstance(value, Table):
        low, high = value[1], value[2]
        if _is_number(low) and _is_number(high) and low <= high:
            return low, high
        raise _wrong(domain, f"{option}: {{low, high}} expected")
    if _is_number(value) or type(value) == "function":
        return value
    raise _wrong(
        domain, f"{option}: a number, {{low, high}} or a function expected, got {type(value)}"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _response(domain: str, number: int, rule: Any) -> Response:
    where = f"response {number}"
    if not isinstance(rule, Table):
        raise _wrong(domain, f"{where} is not a table but a {type(rule)}")
    code, trigger = string_or_none(rule["code"]), string_or_none(rule["trigger"])
    if code is None:
        raise _wrong(domain, f"{where} has no code")
    try:
        compiled(to_bytes(code), False)
    except BadPattern as error:
        raise _wrong(domain, f"{where}: code: {error.text} at offset {error.offset}") from None
    try:
        events, seconds = parse_trigger(trigger or "1")
    except ValueError as error:
        raise _wrong(domain, f"{where}: {error}") from None
    actions = tuple(_actions(domain, where, rule["action"]))
    return Response(code, events, seconds, actions, string_or_none(rule["message"]) or "")


def _actions(domain: str, where: str, action: Any) -> list[Action]:
    """A flat pair, a run of pairs, or a list of pairs."""
    if not isinstance(action, Table):
        raise _wrong(domain, f"{where}: action is not a table but a {type(action)}")
    items: list[Any] = []
    while (item := action[len(items) + 1]) is not None:
        items.append(item)
    if items and all(isinstance(item, Table) for item in items):
        return [one for item in items for one in _actions(domain, where, item)]
    if not items or len(items) % 2:
        raise _wrong(domain, f"{where}: action needs pairs of a name and a parameter")
    return [_action(domain, where, *items[at : at + 2]) for at in range(0, len(items), 2)]


def _action(domain: str, where: str, name: Any, parameter: Any) -> Action:
    text = string_or_none(parameter)
    kind = PARAMETERS.get(name) if isinstance(name, str) else None
    if kind is None or text is None:
        raise _wrong(domain, f"{where}: unknown action '{tostring(name)}'")
    action = parse_action(name, text)
    if action is None:
        raise _wrong(domain, f"{where}: {name} '{text}' is no {kind}")
    return action


def parse_trigger(trigger: str) -> tuple[int, int]:
    """Events and seconds of `C/S`, zeros for `1`: the first time. ValueError when it is neither."""
    found = TRIGGER.match(trigger)
    if found is None:
        raise ValueError(f"trigger '{trigger}' is neither '1' nor 'events/seconds'")
    return (int(found[1]), int(found[2])) if found[2] else (0, 0)


def parse_action(name: str, parameter: str) -> Action | None:
    """An action from its two words, a duration in seconds; None when they are none."""
    kind = PARAMETERS.get(name)
    if kind == "down" and parameter == "down":
        return Action(name, "down")
    if kind == "number" and parameter.isdigit():
        return Action(name, int(parameter))
    seconds = parse_duration(parameter) if kind == "duration" else None
    return None if seconds is None else Action(name, seconds)


def parse_duration(text: str) -> int | None:
    """Seconds in `4 hours`; None when it is no duration."""
    found = DURATION.match(text.strip())
    return int(found[1]) * UNIT_S[found[2].lower()] if found else None


def _wrong(domain: str, problem: str) -> RuntimeFault:
    return RuntimeFault(f"registerRules: {domain}: {problem}")
