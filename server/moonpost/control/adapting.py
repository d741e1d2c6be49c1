"""Handlers of `adaptive …`: what adaptive delivery did, and how to take it back.

Arguments are those of the original: `--binding NAME` and `--domain NAME`, each any number of times, or `--all`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moonpost.control.context import Session, need, usage, whole
from moonpost.control.services import Adaptive, CommandFailed
from moonpost.control.tables import table

Wanted = tuple[list[str], list[str]]

_HELD = {
    "binding": "Binding", "domain": "Domain", "kind": "Kind", "ttl": "TTL", "enable": "Enable",
    "reason": "Reason",
}  # fmt: skip
_TUNED = {
    "binding": "Binding", "domain": "Domain", "option": "Opt", "value": "Value",
    "since": "Seconds", "reason": "Reason",
}  # fmt: skip


def _adaptive(session: Session) -> Adaptive:
    return need(session.services.adaptive, "adaptive delivery (the `adaptive` stanza)")


def _split(words: list[str], form: str) -> tuple[Wanted, list[str]]:
    """The queues that are meant, and the other words. Nothing named: all."""
    bindings: list[str] = []
    domains: list[str] = []
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word in ("--binding", "--domain"):
            value = next(left, None)
            if value is None:
                raise usage(form)
            (bindings if word == "--binding" else domains).append(
                value if word == "--binding" else value.lower()
            )
        elif word != "--all":
            rest.append(word)
    if "--all" in words and (bindings or domains):
        raise CommandFailed("--all goes without --binding and --domain")
    return (bindings, domains), rest


async def suspensions(session: Session, words: list[str]) -> str:
    form = "adaptive suspensions [--binding B] [--domain D] | [--all]"
    wanted, rest = _split(words, form)
    if rest:
        raise usage(form)
    rows = _adaptive(session).suspensions(wanted)
    return table(rows, _HELD) if rows else "nothing is suspended"


async def override(session: Session, words: list[str]) -> str:
    form = "adaptive override [--binding B] [--domain D] | [--all] [enable | ttl SECONDS]"
    wanted, rest = _split(words, form)
    ttl_s: float | None = None
    if rest[:1] == ["ttl"] and len(rest) == 2:
        ttl_s = whole(rest[1], "SECONDS")
        if ttl_s < 0:
            raise CommandFailed("SECONDS is not negative")
    elif rest not in ([], ["enable"]):
        raise usage(form)
    touched = _adaptive(session).override(
        wanted, enable=rest == ["enable"], ttl_s=ttl_s, dry_run=session.dry_run
    )
    return _told(session, "override", "Overrode", touched)


async def listing(session: Session, words: list[str]) -> str:
    form = "adaptive list [--binding B] [--domain D]"
    wanted, rest = _split(words, form)
    if rest:
        raise usage(form)
    rows = _adaptive(session).tuned(wanted)
    return table(rows, _TUNED) if rows else "no option is tuned"


async def reset(session: Session, words: list[str]) -> str:
    form = "adaptive reset [--binding B] [--domain D] | [--all]"
    wanted, rest = _split(words, form)
    if rest:
        raise usage(form)
    touched = _adaptive(session).reset(wanted, dry_run=session.dry_run)
    return _told(session, "reset", "Reset", touched)


async def rules(session: Session, words: list[str]) -> str:
    form = "adaptive rules --binding B --domain D"
    (bindings, domains), rest = _split(words, form)
    if len(bindings) != 1 or len(domains) != 1 or rest:
        raise usage(form)
    return _adaptive(session).rules(bindings[0], domains[0]) or "no rules"


async def warmup(session: Session, words: list[str]) -> str:
    """`adaptive warmup [BINDING [AGE]]`: ages of all bindings, or set one; 0 without AGE."""
    adaptive = _adaptive(session)
    if not words:
        rows = adaptive.ages()
        return table(rows, {"binding": "Binding", "age": "Age"}) if rows else "no binding sent yet"
    if len(words) > 2:
        raise usage("adaptive warmup [BINDING [AGE]]")
    age_s = whole(words[1], "AGE") if len(words) == 2 else 0
    if age_s < 0:
        raise CommandFailed("AGE is not negative")
    if session.dry_run:
        return f"would set the age of binding {words[0]} to {age_s} s"
    adaptive.set_age(words[0], age_s)
    return f"the age of binding {words[0]} is {age_s} s"


def _told(session: Session, verb: str, done: str, touched: Sequence[Any]) -> str:
    lines = [
        f"Would {verb} {len(touched)} entries"
        if session.dry_run
        else f"{done} {len(touched)} entries"
    ]
    if session.dry_run:
        lines += [f"\t{name[0]}::{name[1]}" for name in touched]
    return "\n".join(lines)
