"""Performs an act of a story on a stage, and compares everything that came of it with the story.

Replies, who decided, what was delivered to whom and through which binding, and whether a second implementation accepts
the signature. Knows nothing of printing: the demo and the tests tell of it each in their own way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dkim

from moonpost.testing.play import Played, differences, play
from moonpost.testing.sink import Received
from moonpost.testing.stage import Stage, headers_of, recipients_of
from moonpost.testing.stories import Act, Delivery

SILENCE_S = 0.2  # chosen: how long nothing must arrive before "delivered to: nobody" is believed
LOG_TIMEOUT_S = 2.0  # chosen: log lines are written within milliseconds of what they tell


@dataclass(slots=True)
class Performed:
    """What came of an act; `wrong` is empty when everything was as the story says."""

    reply: int
    decided_by: str
    wrong: list[str]


def perform(stage: Stage, act: Act, folder: Path) -> Performed:
    """Play an act as often as it says, and look at what arrived."""
    time.sleep(act.after_s)
    arrived_before = len(stage.receiver.received)
    lines_before = len(stage.log("mainlog.ec").splitlines())
    events_before = len(stage.log("events.json").splitlines())
    played = Played()
    wrong: list[str] = []
    for _ in range(act.repeat):
        played = play(act, folder, "127.0.0.1", stage.port)
        wrong += differences(act, played)
    expected = len(act.deliveries or []) * act.repeat
    if expected:
        served_before = len(recipients_of(stage.receiver.received[:arrived_before]))
        stage.wait_until_delivered(served_before + expected)
    elif act.deliveries is not None:
        time.sleep(SILENCE_S)
    wrong += _delivery_differences(
        stage, act, stage.receiver.received[arrived_before:], lines_before
    )
    decided = _decided_by(stage, events_before) if act.decided_by else ""
    if decided != act.decided_by:
        wrong.append(f"decided by {decided or 'nobody'}, expected {act.decided_by}")
    return Performed(played.last[0], decided, wrong)


def _soon(look: Callable[[], str]) -> str:
    """What `look` finds, as soon as it finds something; empty when it never does."""
    deadline = time.monotonic() + LOG_TIMEOUT_S
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _decided_by(stage: Stage, events_before: int) -> str:
    """Who decided the last refusal or discard of this act, from the event stream."""

    def look() -> str:
        for line in reversed(stage.log("events.json").splitlines()[events_before:]):
            event = json.loads(line)
            if event["event"] in ("reject", "discarded"):
                return str(event.get("decided_by", ""))
        return ""

    return _soon(look)


def _delivery_differences(
    stage: Stage, act: Act, arrived: list[Received], lines_before: int
) -> list[str]:
    if act.deliveries is None:
        return []
    wanted = sorted(delivery.to for delivery in act.deliveries) * act.repeat
    found = sorted(recipients_of(arrived))
    if sorted(wanted) != found:
        return [f"delivered to {found}, expected {sorted(wanted)}"]
    wrong = []
    for delivery in act.deliveries:
        content = next(m.content for m in arrived if delivery.to in m.recipients)
        problems = _content_differences(delivery, content)
        if delivery.through and not _delivered_through(stage, delivery.through, lines_before):
            problems.append(f"not delivered through {delivery.through}")
        if act.dkim and not _verified(stage, content):
            problems.append("the DKIM signature does not verify")
        wrong += [f"{delivery.to}: {problem}" for problem in problems]
    return wrong


def _content_differences(delivery: Delivery, content: bytes) -> list[str]:
    headers = headers_of(content)
    body = content.decode("latin-1")
    wrong = [
        f"{name}: {headers.get(name.lower())}"
        for name, pattern in delivery.headers
        if not any(pattern.fullmatch(value) for value in headers.get(name.lower(), []))
    ]
    wrong += [f"has {name}" for name in delivery.without if name.lower() in headers]
    wrong += [f"body has no {p.pattern}" for p in delivery.body if not p.search(body)]
    return wrong


def _delivered_through(stage: Stage, binding: str, lines_before: int) -> bool:
    """Whether the main log soon has a new D line with this binding."""

    def look() -> str:
        lines = stage.log("mainlog.ec").splitlines()[lines_before:]
        return next((line for line in lines if "@D@" in line and f"@{binding}@" in line), "")

    return bool(_soon(look))


def _verified(stage: Stage, content: bytes) -> bool:
    """Whether dkimpy, which did not make it, accepts the signature."""

    def txt(name: bytes, timeout: int = 5) -> bytes:
        return stage.public_key.replace('" "', "").strip('"').encode()

    return bool(dkim.verify(content, dnsfunc=txt))
