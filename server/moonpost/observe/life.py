"""The life of a message, told from the event log: which events are about it, and each of them in words.

Pure: lines of the log in, text out. Knows the facts that `moonpost.app.events` writes, by name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moonpost.observe.formats import text as printable

NAMES = {"message_id": "message", "batch_id": "reception", "conn_id": "connection"}
RELOADS = ("reload", "reload_refused")
ALWAYS = ('"event": "reload"', '"event": "adaptive"')  # lines that matter for every message

HOLDS, ENDS = ("suspend", "blackhole"), ("resume", "override")  # actions of adaptive delivery

Event = Mapping[str, Any]
Queue = tuple[str, str]  # binding and domain


@dataclass(slots=True)
class Life:
    """Everything the log says about one message, batch or connection."""

    wanted: str
    events: list[Event] = field(default_factory=list)
    scripts: dict[int, Mapping[str, str]] = field(default_factory=dict)  # by generation
    unreadable: int = 0  # lines that are no events
    waiting: Counter[Queue] = field(default_factory=Counter)  # copies in each queue at this point
    held: dict[Queue, Event] = field(
        default_factory=dict
    )  # queues that are held back at this point


def read(lines: Iterable[str], wanted: str) -> Life:
    """Find an id in the log. Each reload begins new numbers, so what a generation is made of is taken as it comes."""
    life = Life(wanted)
    quoted = json.dumps(wanted)
    for line in lines:
        if quoted not in line and not any(mark in line for mark in ALWAYS):
            continue
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, KeyError, TypeError):
            life.unreadable += 1
            continue
        if kind == "reload":
            life.scripts[event.get("generation", 0)] = event.get("scripts", {})
        elif kind == "adaptive":
            _note_hold(life, event)
        elif wanted in (event.get(name) for name in NAMES):
            life.events.append({**event, "sources": life.scripts.get(event.get("generation", 0))})
            _note_queue(life, event)
    return life


def _queue_of(event: Event) -> Queue:
    return str(event.get("binding", "")), str(event.get("domain", ""))


def _note_queue(life: Life, event: Event) -> None:
    """Where copies wait; that their queue is held back already is part of their life."""
    queue, kind = _queue_of(event), event["event"]
    if kind == "received":
        life.waiting[queue] += 1
        if queue in life.held and life.waiting[queue] == 1:
            life.events.append(life.held[queue])
    elif kind in ("delivered", "failed"):
        life.waiting[queue] -= 1


def _note_hold(life: Life, event: Event) -> None:
    queue, action = _queue_of(event), event.get("action")
    if action in HOLDS:
        life.held[queue] = event
    elif action in ENDS:
        life.held.pop(queue, None)
    if life.waiting[queue] > 0:
        life.events.append(event)


def tell(life: Life) -> Iterator[str]:
    """The life in words, a line for each event, in order."""
    yield heading(life)
    for event in sorted(life.events, key=lambda one: float(one["at"])):
        words = WORDS.get(event["event"], _anything)(event)
        yield f"  {moment(event['at'])}  {event['event']:<12}  {words}"
        if why := _because(event):
            yield f"  {'':<23}  {'':<12}  {why}"
    if life.unreadable:
        yield f"  {life.unreadable} lines of the log could not be read"


def heading(life: Life) -> str:
    """What the id names, and whose mail it is."""
    # the first message of a reception has the reception's id
    what = next(
        (
            name
            for id, name in NAMES.items()
            if all(e.get(id) == life.wanted for e in life.events if e["event"] != "adaptive")
        ),
        "events of",
    )
    senders = [e.get("sender", "") for e in life.events if "recipient" in e]
    recipients = dict.fromkeys(e["recipient"] for e in life.events if e.get("recipient"))
    words = f"{what} {life.wanted}"
    if senders:
        words += f" from <{printable(max(senders))}>"
    if recipients:
        words += " to " + ", ".join(f"<{printable(one)}>" for one in recipients)
    return words


def moment(at: float) -> str:
    """`2026-03-01 12:00:05.250`, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


# --- words of each event


def _received(event: Event) -> str:
    remote = event.get("remote")
    words = f"by {event['protocol']}" if event.get("protocol") else "here"
    if remote:
        words += f" from {remote}"
    if size := event.get("size"):
        words += f", {size} bytes"
    queue = f"{event.get('binding', 'default')}/{event.get('domain', '')}"
    return f"{words}, queued for {printable(queue)}{_for_recipient(event)}"


def _rejected(event: Event) -> str:
    where = f" at {event['phase']}" if event.get("phase") else ""
    return f"{_answer(event)}{where}, by {event.get('module', 'the server')}{_for_recipient(event)}"


def _discarded(event: Event) -> str:
    where = f" at {event['phase']}" if event.get("phase") else ""
    return f"{_answer(event)}{where}; the sender saw success{_for_recipient(event)}"


def _failed_policy(event: Event) -> str:
    callout = event.get("callout", "policy")
    return f"{callout} of {event.get('module', '?')}: {printable(event.get('text', ''))}"


def _attempt(event: Event) -> str:
    remote = event.get("remote")
    place = f" by {remote}" if remote else " before any host was reached"
    words = f"{_answer(event)}{place}, attempt {event.get('attempt', 1)}{_for_recipient(event)}"
    if next_at := event.get("next_at"):
        words += f"; next attempt {moment(next_at)}"
    return words


def _anything(event: Event) -> str:
    return printable(json.dumps({k: v for k, v in event.items() if k not in ("event", "at")}))


def _answer(event: Event) -> str:
    code, text = str(event.get("code", "")), printable(event.get("text", ""))
    words = text if text.startswith(code) else f"{code} {text}"
    return words.strip() or "without an answer"


def _for_recipient(event: Event) -> str:
    return f", for <{printable(event['recipient'])}>" if event.get("recipient") else ""


def _adapted(event: Event) -> str:
    binding, domain = _queue_of(event)
    return f"queue {printable(binding)}/{printable(domain)}: {printable(event.get('text', ''))}"


WORDS = {
    "adaptive": _adapted,
    "received": _received,
    "reject": _rejected,
    "discarded": _discarded,
    "policy_error": _failed_policy,
    "delivered": _attempt,
    "deferred": _attempt,
    "failed": _attempt,
}


def _because(event: Event) -> str:
    """Which line of which policy decided."""
    generation, policy = event.get("generation"), event.get("policy")
    words = []
    if decided_by := event.get("decided_by"):
        words.append(f"decided by {decided_by}{_hash_of_script(event, decided_by)}")
    if generation:
        words.append(f"generation {generation}" + (f", policy {policy}" if policy else ""))
    return "; ".join(words)


def _hash_of_script(event: Event, place: str) -> str:
    """The hash of the script at `dnsbl/policy.lua:23` as it was then."""
    name = place.rpartition(":")[0]
    for path, sha256 in (event.get("sources") or {}).items():
        if path == name or path.endswith("/" + name):
            return f" (sha256 {sha256})"
    return ""
