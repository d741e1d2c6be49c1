"""What delivery tells whoever keeps logs and counts: one call for each thing that happened to a message.

The spool has changed before a call says so. Implementations must not wait and must not raise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from moonpost.outbound.answers import Outcome
from moonpost.spool.record import Record


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to hand a message over."""

    at: float  # when its result was known
    conn_id: str  # of the outbound connection
    remote: str  # address of the host, empty when none was reached
    bytes_sent: int = 0
    retries: int = 0  # 0: the first try


class Journal(Protocol):
    """Where the events of mail go."""

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        """It is in the spool. generation, decided_by: of the policy that let it in; the line when one spoke."""
        ...

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None: ...
    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None: ...
    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None: ...


class Everybody:
    """Several journals as one, told in order."""

    def __init__(self, *journals: Journal) -> None:
        self._journals = journals

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        for journal in self._journals:
            journal.received(record, at, generation, decided_by)

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        for journal in self._journals:
            journal.delivered(record, attempt, outcome)

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        for journal in self._journals:
            journal.deferred(record, attempt, outcome)

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        for journal in self._journals:
            journal.failed(record, attempt, outcome)


class Silence:
    """A journal that nobody reads."""

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        pass

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        pass

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        pass

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        pass
