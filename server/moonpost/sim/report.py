"""What a simulated session came to: plain data, and its JSON form (docs/sim.md describes it).

VERSION changes when a reader of the JSON would have to change; new keys may come at any time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from moonpost.policy.interface import PolicyError
from moonpost.sim.snapshot import Change
from msys.message import Message

VERSION = 1


@dataclass(slots=True)
class Asked:
    """One question to the outside, and what it was told."""

    kind: str  # dns, http, snmp, scanner
    what: str
    answer: str


@dataclass(slots=True)
class Ran:
    """One module's function for one callout."""

    callout: str
    phase: str
    module: str
    where: str  # where the function begins: `dnsbl/policy.lua:19`
    recipient: str = ""
    message_id: str = ""
    answer: str = ""
    decided_by: str = ""  # the line that set a code, disconnected, discarded or held
    changes: list[Change] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    error: PolicyError | None = None


@dataclass(slots=True)
class Step:
    """One command of the client (or its connecting), what ran, and what it was told."""

    phase: str  # connect, ehlo, mail, rcpt, data, quit
    command: str
    callouts: list[Ran] = field(default_factory=list)
    code: int = 0
    text: str = ""
    decided_by: str = ""  # a line of policy; empty: the server itself
    held_s: float = 0.0
    closed: bool = False


@dataclass(slots=True)
class Recipient:
    """What became of one recipient."""

    address: str
    fate: str  # queued, discarded, taken, refused, deferred, skipped
    code: int = 0
    text: str = ""
    delivered_to: str = ""  # the address of the copy, when it is queued
    id: str = ""
    binding: str = ""
    changes: list[Change] = field(default_factory=list)  # of this copy against what the client sent
    message: Message | None = None


@dataclass(slots=True)
class Injected:
    """A message that policy, or a refusal after acceptance, made."""

    kind: str  # policy, bounce
    sender: str
    recipient: str
    id: str
    size: int = 0
    binding: str = ""
    message: Message | None = None


@dataclass(slots=True)
class Report:
    """One session."""

    client: str
    greeting: str
    sender: str
    verdict: str = "refused"  # accepted, refused, deferred
    steps: list[Step] = field(default_factory=list)
    recipients: list[Recipient] = field(default_factory=list)
    injected: list[Injected] = field(default_factory=list)
    log: list[tuple[str, str, str]] = field(default_factory=list)  # level, module, text
    errors: list[PolicyError] = field(default_factory=list)

    @property
    def last(self) -> Step:
        """The step whose reply decided the session: the last one before QUIT."""
        return [step for step in self.steps if step.phase not in ("quit", "end")][-1]

    @property
    def exit_code(self) -> int:
        """0: accepted; 1: refused, put off, or policy failed."""
        return int(self.verdict != "accepted" or bool(self.errors))


def to_json(report: Report) -> dict[str, Any]:
    """The documented shape."""
    last = report.last
    return {
        "version": VERSION,
        "session": {
            "client": report.client,
            "greeting": report.greeting,
            "sender": report.sender,
            "recipients": [recipient.address for recipient in report.recipients],
        },
        "phases": [
            {
                "phase": step.phase,
                "command": step.command,
                "callouts": [_ran(ran) for ran in step.callouts],
                "reply": {"code": step.code, "text": step.text} if step.code else None,
                "decided_by": step.decided_by or None,
                "held_s": step.held_s,
                "closed": step.closed,
            }
            for step in report.steps
        ],
        "result": {
            "verdict": report.verdict,
            "code": last.code,
            "text": last.text,
            "decided_by": last.decided_by or None,
            "recipients": [_without(recipient, "message") for recipient in report.recipients],
            "injected": [_without(injected, "message") for injected in report.injected],
            "errors": [asdict(error) for error in report.errors],
            "log": [
                {"level": level, "module": module, "text": text}
                for level, module, text in report.log
            ],
        },
    }


def _ran(ran: Ran) -> dict[str, Any]:
    found = asdict(ran)
    found["recipient"] = ran.recipient or None
    found["message_id"] = ran.message_id or None
    found["decided_by"] = ran.decided_by or None
    return found


def _without(row: Recipient | Injected, *names: str) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in names}
    if isinstance(row, Recipient):
        found["changes"] = [asdict(change) for change in row.changes]
    return found
