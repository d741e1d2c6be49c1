"""`custom_logger`: a line of the operator's own for each thing that happens to mail.

A format is text with specifiers (`%t`, `%r@%R`, `%vctx_mess{key}`), read once into a list of functions. A journal,
as the main log is one. Every value is escaped as in the other logs: whoever sends mail can't write a line of his own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from moonpost.observe import formats
from moonpost.observe.logs import LogFile
from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.queue.journal import Attempt
from moonpost.spool.record import Record
from msys.bounce_codes import description

# stage -> the event that it logs; `xfer` is a hand-over within a cluster, which never happens here
STAGES: Final = ("reception", "delivery", "transient_failure", "permanent_failure", "rejection")
OF_FATE: Final = {
    Fate.DELIVERED: "delivery",
    Fate.DEFERRED: "transient_failure",
    Fate.FAILED: "permanent_failure",
}
STAGE_WORDS: Final[Mapping[Stage, str]] = {
    Stage.NOT_CONNECTED: "not connected", Stage.IDLE: "idle",
    Stage.DURING_MAIL: "during MAIL FROM", Stage.AFTER_MAIL: "after MAIL FROM",
    Stage.DURING_RCPT: "during RCPT TO", Stage.AFTER_RCPT: "after RCPT TO",
    Stage.DURING_DATA: "during DATA", Stage.AFTER_DATA: "after DATA",
    Stage.SENDING_BODY: "sending BODY", Stage.CONFIRMATION: "reading confirmation",
    Stage.DURING_EHLO: "during EHLO", Stage.AFTER_EHLO: "after EHLO", Stage.BANNER: "reading BANNER",
    Stage.DURING_RSET: "during RSET", Stage.AFTER_RSET: "after RSET",
    Stage.DURING_STARTTLS: "during STARTTLS", Stage.AFTER_STARTTLS: "after STARTTLS",
    Stage.TLS_HANDSHAKE: "TLS handshake", Stage.TLS_RENEGOTIATION: "TLS renegotiation",
    Stage.DURING_XCLIENT: "during XCLIENT", Stage.AFTER_XCLIENT: "after XCLIENT",
    Stage.OUT_OF_BAND: "out of band", Stage.UNKNOWN: "unknown",
}  # fmt: skip

SPECIFIER: Final = re.compile(
    r"%(?:(us|T|t|h|vctx_conn|vctx_mess)\{([^}]*)\}|(BI|CI|OC|PG|[A-Za-z])|(%))"
)
DIGITS: Final = re.compile(r"[0-6]\Z")


class BadFormat(ValueError):
    """A format that can't be filled in; the text says which specifier and what to do."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one line can be about; for a rejection the record holds what is known of the message."""

    stage: str
    at: float
    record: Record
    attempt: Attempt | None = None
    outcome: Outcome | None = None
    bounce_class: int = 0


Value = Callable[[Facts], object]


def _local(address: str) -> str:
    return address.rpartition("@")[0] if "@" in address else address


def _domain(address: str) -> str:
    return address.rpartition("@")[2] if "@" in address else ""


def _remote(facts: Facts) -> str:
    return facts.attempt.remote if facts.attempt else facts.record.peer.rpartition(":")[0]


def _reply(facts: Facts) -> str:
    return facts.outcome.text if facts.outcome else ""


def _age_s(facts: Facts) -> float:
    return max(0.0, facts.at - facts.record.created_at)


LETTERS: Final[Mapping[str, Value]] = {
    "A": lambda f: f.record.conn.get("auth_mechanism", ""),
    "U": lambda f: f.record.user,
    "b": lambda f: f.record.binding,
    "g": lambda f: f.record.binding_group,
    "B": lambda f: f.record.size,
    "BI": lambda f: f.record.batch_id,
    "c": lambda f: description(f.bounce_class)[1] if f.bounce_class else "",
    "C": lambda f: f.bounce_class or "",
    "CI": lambda f: f.record.conn_id,
    "OC": lambda f: f.attempt.conn_id if f.attempt else "",
    "d": lambda f: f.record.domain,
    "H": _remote,
    "i": lambda f: f.record.id,
    "m": lambda f: _local(f.record.sender),
    "M": lambda f: _domain(f.record.sender),
    "n": _reply,
    "N": lambda f: f.attempt.retries + 1 if f.attempt else 0,
    "p": lambda f: f.record.protocol,
    "P": lambda f: f.record.conn.get("pathway", ""),
    "PG": lambda f: f.record.conn.get("pathway_group", ""),
    "r": lambda f: _local(f.record.recipient),
    "R": lambda f: _domain(f.record.recipient),
    "s": lambda f: STAGE_WORDS.get(f.outcome.stage, "") if f.outcome else "",
    "S": lambda f: int(f.outcome.stage) if f.outcome else "",
    "t": lambda f: int(f.at),
    "T": lambda f: f"{_age_s(f):.2f}",
}


def _with_argument(name: str, argument: str) -> Value:
    match name:
        case "t":
            return lambda f: time.strftime(argument, time.localtime(f.at))
        case "T" if DIGITS.match(argument):
            return lambda f: f"{_age_s(f):.{argument}f}"
        case "us" if DIGITS.match(argument) and argument != "0":
            return lambda f: f"{f.at:.{argument}f}"
        case "vctx_conn":
            return lambda f: f.record.conn.get(argument, "")
        case "vctx_mess":
            return lambda f: f.record.mess.get(argument, "")
        case "h":
            raise BadFormat(
                f"%h{{{argument}}}: headers are not at hand when a line is written; have policy copy the value into "
                "the message context, and log %vctx_mess{…}"
            )
    raise BadFormat(f"%{name}{{{argument}}}: a digit from 0 to 6 is wanted")


def compile_format(text: str, clean: Callable[[str], str] = str) -> Callable[[Facts], str]:
    """A line from facts. clean: for replies of hosts, what `sanitize` asks for. BadFormat when it can't be filled."""
    parts: list[str | Value] = []
    at = 0
    for found in SPECIFIER.finditer(text):
        parts.append(_literal(text[at : found.start()]))
        at = found.end()
        name, argument, letter, percent = found.groups()
        if percent:
            parts.append("%")
        elif name:
            parts.append(_with_argument(name, argument))
        elif letter in LETTERS:
            value = LETTERS[letter]
            parts.append((lambda f: clean(_reply(f))) if letter == "n" else value)
        else:
            raise BadFormat(f"%{letter} is no specifier of custom_logger")
    parts.append(_literal(text[at:]))

    def line(facts: Facts) -> str:
        return "".join(
            part if isinstance(part, str) else formats.text(str(part(facts))) for part in parts
        )

    return line


def _literal(text: str) -> str:
    if "%" in text:
        raise BadFormat(
            f"`{text[text.index('%') :][:20]}` is no specifier; write %% for a per cent sign"
        )
    return text


def sanitizer(option: str) -> Callable[[str], str]:
    """`special_characters`, `non_printable` and `tr/a/b/`, in this order of use, separated by commas. BadFormat."""
    steps: list[Callable[[str], str]] = []
    for word in filter(None, (word.strip() for word in option.split(","))):
        if word == "special_characters":
            steps.append(formats.text)
        elif word == "non_printable":
            steps.append(lambda text: "".join(c for c in text if c.isprintable()))
        elif found := re.fullmatch(r"tr/(.+)/(.*)/", word) or re.fullmatch(
            r"tr/(.+)/(.*)/", word + "/"
        ):
            steps.append(_translate(found[1], found[2]))
        else:
            raise BadFormat(
                f"sanitize: `{word}` is none of special_characters, non_printable, tr/a/b/"
            )

    def clean(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return clean


def _translate(old: str, new: str) -> Callable[[str], str]:
    padded = new.ljust(len(old), new[-1:] or "\0")
    table = str.maketrans(old, padded) if new else str.maketrans("", "", old)
    return lambda text: text.translate(table)


class CustomLog:
    """One `custom_logger` stanza. Implements `moonpost.queue.journal.Journal`."""

    def __init__(
        self,
        lines: Mapping[str, tuple[Callable[[Facts], str], LogFile]],
        classify: Callable[[str, str], int],
    ) -> None:
        self._lines, self._classify = lines, classify

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        self._write(Facts("reception", at, record))

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._write(Facts("delivery", attempt.at, record, attempt, outcome))

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._failed(record, attempt, outcome)

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._failed(record, attempt, outcome)

    def _failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        stage = OF_FATE[outcome.fate]
        if stage in self._lines:
            number = self._classify(outcome.text, record.domain)
            self._write(Facts(stage, attempt.at, record, attempt, outcome, number))

    def rejected(self, refusal: Any, code: int, text: str, at: float) -> None:
        """Mail, or a session, that was refused. refusal: what receiving calls so."""
        if "rejection" not in self._lines:
            return
        record = Record(
            refusal.message_id, refusal.sender, refusal.recipient,
            _domain(refusal.recipient), at, at,
            batch_id=refusal.batch_id, conn_id=refusal.conn_id, peer=refusal.remote,
            listener=refusal.local, conn=refusal.conn, mess=refusal.mess,
        )  # fmt: skip
        outcome = Outcome(Fate.FAILED, code, f"{code} {text}", Stage.UNKNOWN)
        self._write(Facts("rejection", at, record, None, outcome))

    def _write(self, facts: Facts) -> None:
        found = self._lines.get(facts.stage)
        if found is not None:
            line, file = found
            file.write(line(facts))
