"""Adaptive delivery as operators see it and take it back. Implements `moonpost.control.services.Adaptive`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moonpost.adaptive.driver import AdaptiveDelivery
from moonpost.adaptive.engine import Change
from moonpost.spool.record import QueueName
from msys.adaptive import Action

Wanted = tuple[Sequence[str], Sequence[str]]  # bindings and domains; an empty one stands for all


class AdaptiveConsole:
    """What the `adaptive` commands do."""

    def __init__(self, adaptive: AdaptiveDelivery) -> None:
        self._adaptive = adaptive

    def suspensions(self, wanted: Wanted) -> Sequence[Mapping[str, Any]]:
        """One row for each suspension and blackhole, overridden ones included."""
        now = self._adaptive.now()
        return [
            {
                "binding": name.binding,
                "domain": name.domain,
                "kind": kind,
                "ttl": max(0, round(hold.until - now)),
                "enable": int(hold.enabled),
                "reason": hold.reason,
            }
            for name, pair in self._adaptive.state.pairs.items()
            for kind, hold in pair.holds.items()
            if _among(name, wanted)
        ]

    def override(
        self, wanted: Wanted, *, enable: bool, ttl_s: float | None, dry_run: bool
    ) -> Sequence[QueueName]:
        """Switch suspensions and blackholes off, on again, or give them another end; the queues it is about."""
        now = self._adaptive.now()
        touched = []
        for name, pair in list(self._adaptive.state.pairs.items()):
            if not pair.holds or not _among(name, wanted):
                continue
            touched.append(name)
            if dry_run:
                continue
            for hold in pair.holds.values():
                if ttl_s is not None:
                    hold.until = now + ttl_s
                else:
                    hold.enabled = enable
            what = f"ends in {ttl_s:g} s" if ttl_s is not None else "on again" if enable else "off"
            kinds = " and ".join(pair.holds)
            self._adaptive.did(name, [Change(name, "override", f"{kinds} {what}: an operator")])
        return touched

    def tuned(self, wanted: Wanted) -> Sequence[Mapping[str, Any]]:
        """One row for each option that adaptive delivery has changed."""
        rows = []
        for name, pair in self._adaptive.state.pairs.items():
            if not _among(name, wanted):
                continue
            for option in dict.fromkeys([*pair.tuned, *pair.computed]):
                tuned = pair.tuned.get(option)
                rows.append(
                    {
                        "binding": name.binding,
                        "domain": name.domain,
                        "option": option,
                        "value": f"{self._adaptive.number(name, option) or 0:g}",
                        "since": round(self._adaptive.now() - tuned.at) if tuned else "",
                        "reason": tuned.reason if tuned else "a function of the rules",
                    }
                )
        return rows

    def reset(self, wanted: Wanted, *, dry_run: bool) -> Sequence[QueueName]:
        """Forget what was tuned; the queues it is about."""
        touched = []
        for name, pair in list(self._adaptive.state.pairs.items()):
            if not (pair.tuned or pair.computed) or not _among(name, wanted):
                continue
            touched.append(name)
            if not dry_run:
                options = ", ".join(dict.fromkeys([*pair.tuned, *pair.computed]))
                pair.tuned.clear()
                pair.computed.clear()
                change = Change(name, "reset", f"{options} -> as configured: an operator")
                self._adaptive.did(name, [change])
        return touched

    def rules(self, binding: str, domain: str) -> str:
        """What applies to a queue: sweep rules with their figures, then response rules and configuration."""
        name = QueueName(binding, domain)
        blocks = []
        for rule, share in self._adaptive.shares(name, self._adaptive.now()):
            facts = {
                "enabled": "1",
                "codes": " ".join(rule.codes),
                "low_threshold": f"{rule.low_threshold:f}",
                "low_action": _said(rule.low_action),
                "high_threshold": f"{rule.high_threshold:f}",
                "high_action": _said(rule.high_action),
                "count/total": f"{share.count}/{share.total}",
            }
            blocks.append(_block(rule.name, facts))
        rules = self._adaptive.rules().get(domain)
        for number, response in enumerate(rules.responses if rules is not None else (), 1):
            facts = {
                "code": response.code,
                "trigger": f"{response.events}/{response.seconds}" if response.seconds else "1",
                "action": ", ".join(map(_said, response.actions)),
            } | ({"message": response.message} if response.message else {})
            blocks.append(_block(f"response {number}", facts))
        if rules is not None and rules.configuration:
            blocks.append(
                _block("configuration", {k: _value(v) for k, v in rules.configuration.items()})
            )
        return "\n".join(blocks)

    def ages(self) -> Sequence[Mapping[str, Any]]:
        """One row for each binding that has had mail."""
        now = self._adaptive.now()
        state = self._adaptive.state
        return [{"binding": name, "age": round(state.age_s(name, now))} for name in state.born]

    def set_age(self, binding: str, age_s: float) -> None:
        self._adaptive.set_age(binding, age_s)


def _among(name: QueueName, wanted: Wanted) -> bool:
    bindings, domains = wanted
    return (not bindings or name.binding in bindings) and (not domains or name.domain in domains)


def _said(action: Action) -> str:
    unit = " seconds" if action.name in ("suspend", "blackhole", "greylisted", "warmup") else ""
    return f"{action.name} {action.parameter}{unit}"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:g} to {value[1]:g}"
    return "a function" if callable(value) else f"{value:g}"


def _block(heading: str, facts: Mapping[str, str]) -> str:
    width = max(map(len, facts))
    return "\n".join([heading, *(f"  {key:<{width}} => {value}" for key, value in facts.items())])
