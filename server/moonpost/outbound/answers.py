"""What a receiving host said, and what that means for a recipient.

Pure. The stage numbers are Momentum's, as its logs show them.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

MAX_LINE = 4096  # bytes; RFC 5321 section 4.5.3.1.5 says 512, hosts exceed it
MAX_LINES = 200  # chosen: the longest EHLO answers have some thirty


class Stage(IntEnum):
    """Where in the conversation something happened: field 9 of T and P log lines."""

    NOT_CONNECTED = 0
    IDLE = 1
    DURING_MAIL = 2
    AFTER_MAIL = 3
    DURING_RCPT = 4
    AFTER_RCPT = 5
    DURING_DATA = 6
    AFTER_DATA = 7
    SENDING_BODY = 8
    CONFIRMATION = 9
    DURING_EHLO = 10
    AFTER_EHLO = 11
    BANNER = 12
    DURING_RSET = 13
    AFTER_RSET = 14
    DURING_STARTTLS = 15
    AFTER_STARTTLS = 16
    TLS_HANDSHAKE = 17
    TLS_RENEGOTIATION = 18
    DURING_XCLIENT = 19
    AFTER_XCLIENT = 20
    OUT_OF_BAND = 21
    UNKNOWN = 22


UNSENT = {  # waiting for an answer -> the same while the question is still being written
    Stage.AFTER_MAIL: Stage.DURING_MAIL,
    Stage.AFTER_RCPT: Stage.DURING_RCPT,
    Stage.AFTER_DATA: Stage.DURING_DATA,
    Stage.CONFIRMATION: Stage.SENDING_BODY,
    Stage.AFTER_EHLO: Stage.DURING_EHLO,
    Stage.AFTER_RSET: Stage.DURING_RSET,
    Stage.AFTER_STARTTLS: Stage.DURING_STARTTLS,
    Stage.AFTER_XCLIENT: Stage.DURING_XCLIENT,
}


class Fate(Enum):
    """What became of one recipient in one attempt."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


class Outcome(NamedTuple):
    """The fate of one recipient, with the words that decided it."""

    fate: Fate
    code: int
    text: str  # `550 5.1.1 no such user`
    stage: Stage


class Answer(NamedTuple):
    """One complete reply."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Code and all lines, as logs show it."""
        return f"{self.code} {' '.join(self.lines)}".rstrip()

    @property
    def good(self) -> bool:
        return 200 <= self.code < 300

    def outcome(self, stage: Stage) -> Outcome:
        """What this answer means for a recipient it decides about."""
        if self.good:
            return Outcome(Fate.DELIVERED, self.code, self.text, stage)
        fate = Fate.FAILED if 500 <= self.code < 600 else Fate.DEFERRED
        return Outcome(fate, self.code, self.text, stage)


class Broken(Exception):
    """The receiving host does not speak SMTP."""


class AnswerReader:
    """Bytes in, complete replies out."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []

    @property
    def pending(self) -> bool:
        """Whether part of an answer has arrived."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[Answer]:
        """The replies that `data` completes. Broken: not a reply."""
        answers = []
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            answer = self._take(line.rstrip(b"\r"))
            if answer is not None:
                answers.append(answer)
        if len(self._rest) > MAX_LINE:
            raise Broken(f"a reply line longer than {MAX_LINE} bytes")
        return answers

    def _take(self, line: bytes) -> Answer | None:
        code, mark, text = line[:3], line[3:4], line[4:]
        if len(code) != 3 or not code.isdigit() or not b"200" <= code <= b"599":
            raise Broken(f"a reply that begins {line[:40]!r}")
        if mark not in (b"", b" ", b"-"):
            raise Broken(f"a reply that begins {line[:40]!r}")
        self._lines.append(text.decode("latin-1").strip())
        if len(line) > MAX_LINE or len(self._lines) > MAX_LINES:
            raise Broken("a reply without end")
        if mark == b"-":
            return None
        answer = Answer(int(code), tuple(self._lines))
        self._lines.clear()
        return answer
