"""The event log: one JSON line for each thing that happened to mail or to policy.

It is what programs read: every line names the message, and where policy decided, the script and line, the number of
the generation and a hash of its sources. `moonpost why` tells the life of a message from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from moonpost.inbound.interface import Refusal
from moonpost.observe.logs import LogFile
from moonpost.outbound.answers import Fate, Outcome
from moonpost.phases.actions import Failed
from moonpost.policy.interface import PolicyError
from moonpost.queue.journal import Attempt
from moonpost.spool.record import Record
from msys.message import Message

HASH_DIGITS = 12  # as in the first line of generated modules
GENERATIONS = 1000  # chosen: so many old ones keep their hash, for sessions that are slow to end


Watcher = Callable[[str, Mapping[str, Any]], None]


class Loaded(Protocol):
    """What the log asks of a generation."""

    number: int
    hashes: dict[str, str]  # path of each source file -> sha256


class EventStream:
    """JSON lines in one file; nothing is written without a file. Implements `moonpost.queue.journal.Journal` and
    `moonpost.inbound.interface.Witness`.
    """

    def __init__(self, file: LogFile | None, now: Callable[[], float]) -> None:
        self._file = file
        self._now = now
        self._policies: dict[int, str] = {}  # generation -> hash of its sources
        self.watchers: list[Watcher] = []  # told of each event, also when no file is written

    def write(self, event: str, at: float, **facts: Any) -> None:
        """One event. Facts that are empty are left out."""
        for watch in self.watchers:
            watch(event, facts)
        if self._file is None:
            return
        known = {name: value for name, value in facts.items() if value not in (None, "", 0, {})}
        if policy := self._policies.get(facts.get("generation", 0)):
            known["policy"] = policy
        self._file.write(json.dumps({"event": event, "at": round(at, 3), **known}))

    # --- policy ------------------------------------------------------------------------------------------

    def loaded(self, generation: Loaded) -> None:
        """A generation became current."""
        self.know(generation)
        scripts = {path: sha256[:HASH_DIGITS] for path, sha256 in generation.hashes.items()}
        self.write("reload", self._now(), generation=generation.number, scripts=scripts)

    def know(self, generation: Loaded) -> None:
        """Events of this generation are to name the hash of its policy."""
        while len(self._policies) >= GENERATIONS:
            del self._policies[next(iter(self._policies))]
        self._policies[generation.number] = hash_of(generation.hashes)

    def load_refused(self, number: int, problems: Sequence[str]) -> None:
        """A reload failed; the generation `number` stays in force."""
        self.write("reload_refused", self._now(), generation=number, problems=list(problems))

    def policy_failed(self, where: Refusal, failed: Failed) -> None:
        facts = _session(where)
        facts.update(_error(failed.error))
        self.write("policy_error", self._now(), **facts, callout=failed.callout)

    def policy_failed_for(
        self, message: Message, generation: int, callout: str, error: PolicyError
    ) -> None:
        """Policy failed for a message that no session is about."""
        self.write(
            "policy_error",
            self._now(),
            message_id=message.id.text,
            batch_id=message.batch_id.text,
            sender=message.sender,
            recipient=message.recipient,
            generation=generation,
            callout=callout,
            **_error(error),
        )

    # --- receiving ---------------------------------------------------------------------------------------

    def refused(self, where: Refusal, code: int, text: str) -> None:
        """The peer was refused something, or thinks that something was accepted that policy discarded."""
        event = "discarded" if where.discarded else "reject"
        self.write(event, self._now(), code=code, text=text, **_session(where))

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        self.write(
            "received",
            at,
            **_mail(record),
            remote=record.peer,
            protocol=record.protocol,
            size=record.size,
            generation=generation,
            decided_by=decided_by,
        )

    # --- delivering --------------------------------------------------------------------------------------

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._attempted(Fate.DELIVERED, record, attempt, outcome)

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._attempted(Fate.DEFERRED, record, attempt, outcome, record.next_attempt_at)

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._attempted(Fate.FAILED, record, attempt, outcome)

    def _attempted(
        self, fate: Fate, record: Record, attempt: Attempt, outcome: Outcome, next_at: float = 0.0
    ) -> None:
        self.write(
            fate.value,
            attempt.at,
            **_mail(record),
            remote=attempt.remote,
            code=outcome.code,
            text=outcome.text,
            attempt=attempt.retries + 1,
            next_at=next_at if next_at > attempt.at else None,
        )


def hash_of(hashes: Mapping[str, str]) -> str:
    """One short hash for all sources of a generation."""
    text = "".join(f"{path}\0{sha256}\n" for path, sha256 in sorted(hashes.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def _session(where: Refusal) -> dict[str, Any]:
    return {
        "phase": where.phase,
        "module": where.module,
        "remote": where.remote,
        "conn_id": where.conn_id,
        "message_id": where.message_id,
        "batch_id": where.batch_id,
        "sender": where.sender,
        "recipient": where.recipient,
        "generation": where.generation,
        "decided_by": where.decided_by,
    }


def _mail(record: Record) -> dict[str, Any]:
    return {
        "message_id": record.id,
        "batch_id": record.batch_id,
        "conn_id": record.conn_id,
        "sender": record.sender,
        "recipient": record.recipient,
        "binding": record.binding,
        "domain": record.domain,
    }


def _error(error: PolicyError) -> dict[str, Any]:
    return {
        "module": error.module,
        "text": error.text,
        "kind": error.kind,
        "decided_by": error.where,
    }
