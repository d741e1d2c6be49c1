"""Who is told what adaptive delivery did: its log, the event log, and by mail the person who asked for it.

The log's line is Momentum's: `time@1@G@binding@domain@LEVEL@text`, where the text may hold further `@`.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from moonpost.adaptive.engine import Change
from moonpost.observe.formats import field, text
from moonpost.spool.record import QueueName

NOTICE = "NOTICE"
DEFAULT_EVENTS = ("throttle", "suspension", "blackhole")
MOST_ALERTS = 10_000  # remembered, so that the same is not said again too soon


def line(change: Change, at: float) -> str:
    """A line of the adaptive log."""
    name = change.name
    return "@".join(
        (str(int(at)), "1", "G", field(name.binding), field(name.domain), NOTICE, text(change.text))
    )


class Reporter:
    """Callable with each change. send: hands a mail on, (receiver, sender, content)."""

    def __init__(
        self,
        option: Callable[[str, str, str], Any],
        now: Callable[[], float],
        hostname: str,
        *,
        write: Callable[[str], None] | None,
        event: Callable[..., None],
        panic: Callable[[str, str, str], None],
        send: Callable[[str, str, bytes], None],
    ) -> None:
        self._option, self._now, self._hostname = option, now, hostname
        self._write, self._event, self._panic, self._send = write, event, panic, send
        self._alerted: dict[tuple[QueueName, str], float] = {}

    def __call__(self, change: Change) -> None:
        at, name = self._now(), change.name
        if self._write is not None:
            self._write(line(change, at))
        self._event(
            "adaptive",
            at,
            binding=name.binding,
            domain=name.domain,
            action=change.action,
            text=change.text,
        )
        if change.event:
            self._alert(change, at)

    def _alert(self, change: Change, at: float) -> None:
        name = change.name
        wanted = self._option("adaptive_notification_events", *name)
        if change.event not in (DEFAULT_EVENTS if wanted is None else wanted):
            return
        interval_s = float(self._option("adaptive_notification_interval", *name) or 0)
        last = self._alerted.get((name, change.event))
        if last is not None and at - last < interval_s:
            return
        if len(self._alerted) >= MOST_ALERTS:
            del self._alerted[next(iter(self._alerted))]
        self._alerted[name, change.event] = at
        said = f"ALERT on {self._hostname}: {change.action} {name.binding}::{name.domain}: {change.text}"
        self._panic("adaptive", said, "warning")
        receiver = self._option("adaptive_alert_email_destination", *name)
        if receiver:
            sender = self._option("adaptive_alert_email_sender", *name)
            sender = str(sender or f"mailer-daemon@{self._hostname}")
            self._send(
                str(receiver), sender, alert(change, at, self._hostname, str(receiver), sender)
            )


def alert(change: Change, at: float, hostname: str, receiver: str, sender: str) -> bytes:
    """The mail to an operator, CRLF lines."""
    name = change.name
    lines = [
        f"From: moonpost on {hostname} <{sender}>",
        f"To: <{receiver}>",
        f"Subject: ALERT on {hostname}: {change.action} {text(name.binding)}::{text(name.domain)}",
        f"Date: {formatdate(at)}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"Binding: {text(name.binding)}",
        f"Domain: {text(name.domain)}",
        f"What was done: {text(change.text)}",
        *([f"About this: {text(change.notice)}"] if change.notice else []),
        "",
        "What holds now:  adaptive suspensions, adaptive list",
        f"To take it back: adaptive override --binding {text(name.binding)} --domain {text(name.domain)}",
        f"                 adaptive reset --binding {text(name.binding)} --domain {text(name.domain)}",
        "(commands of `moonpost console`)",
        "",
    ]
    return "\r\n".join(lines).encode("ascii", "backslashreplace")
