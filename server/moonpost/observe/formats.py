"""The lines of the main log, the bounce log, the reject log and the panic log.

Pure: values in, one line out, without its end. Fields stand between `@`; inside a field an `@`, a backslash or a
control character is written `\\xHH`, so that no sender, recipient or answer can make a second field or a second line.
The last field of T, P and bounce lines is free text and keeps its `@`. Text that is UTF-8 stays readable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from moonpost.outbound.answers import Outcome
from moonpost.queue.journal import Attempt
from moonpost.spool.record import Record

UNKNOWN = "unknown"  # the client of mail that came over no connection


def field(value: object) -> str:
    """A value that stands between two `@`."""
    text = _readable(str(value))
    if text.isprintable() and "@" not in text and "\\" not in text:
        return text
    return _escape(text, "@\\")


def text(value: object) -> str:
    """Free text at the end of a line."""
    text = _readable(str(value))
    if text.isprintable() and "\\" not in text:
        return text
    return _escape(text, "\\")


def _escape(text: str, special: str) -> str:
    return "".join(
        char if char.isprintable() and char not in special else _escaped(char) for char in text
    )


def _readable(value: str) -> str:
    """Bytes as characters, in UTF-8 where they are that; what is not becomes control characters, to be escaped."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeEncodeError:
        return value
    except UnicodeDecodeError:
        return "".join(char if char.isascii() else chr(0xDC00 + ord(char)) for char in value)


def _escaped(char: str) -> str:
    code = ord(char)
    code = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def timestamp(at: float, hires: bool = False) -> str:
    """Seconds, or with `log_hires_timestamp` sixteen digits of microseconds."""
    return str(int(at * 1_000_000)) if hires else str(int(at))


def address(value: str) -> tuple[str, str]:
    """Local part and domain, escaped."""
    local, at, domain = value.rpartition("@")
    return (field(local), field(domain)) if at else (field(value), "")


def reception(record: Record, at: float, hires: bool = False) -> str:
    """An R line."""
    client = record.peer.rpartition(":")[0] or record.peer
    return "@".join(
        (
            timestamp(at, hires), field(record.id), field(record.batch_id), field(record.conn_id), "R",
            *address(record.recipient), *address(record.sender), field(client or UNKNOWN),
            str(record.size), field(record.protocol), field(record.binding_group), field(record.binding),
        )
    )  # fmt: skip


def delivery(record: Record, attempt: Attempt, hires: bool = False) -> str:
    """A D line."""
    return "@".join(
        (
            *_begin(record, attempt, "D", hires), str(record.size), field(record.binding_group),
            field(record.binding), str(attempt.retries), _age(record, attempt), field(attempt.remote),
        )
    )  # fmt: skip


def failure(
    kind: str, record: Record, attempt: Attempt, outcome: Outcome, hires: bool = False
) -> str:
    """A T or P line."""
    return "@".join(
        (
            *_begin(record, attempt, kind, hires), str(attempt.bytes_sent), field(record.binding_group),
            field(record.binding), str(int(outcome.stage)), str(attempt.retries), _age(record, attempt),
            field(attempt.remote), text(outcome.text),
        )
    )  # fmt: skip


def bounce(
    kind: str, record: Record, attempt: Attempt, outcome: Outcome, code: int, hires: bool = False
) -> str:
    """A line of the bounce log. kind: B or T; code: the bounce class."""
    return "@".join(
        (
            timestamp(attempt.at, hires), field(record.id), field(record.batch_id),
            field(attempt.conn_id), kind, *address(record.recipient), *address(record.sender),
            field(record.binding_group), field(record.binding), str(int(outcome.stage)), str(code),
            str(record.size), field(attempt.remote), text(outcome.text),
        )
    )  # fmt: skip


def feedback(facts: Mapping[str, object], at: float) -> str:
    """A line of the feedback log."""
    local, domain = address(str(facts["recipient"]))
    return "@".join(
        (
            timestamp(at), field(facts["message_id"]), "F", local, domain, field(facts["binding"]),
            field(facts["group"]), field(facts["kind"]), field(facts["reported_to"]), text(facts["user"]),
        )
    )  # fmt: skip


def rejection(
    at: float,
    *,
    remote: str,
    local: str,
    conn_id: str,
    pathway: str,
    pathway_group: str,
    phase: str,
    code: int,
    module: str,
    conn: Mapping[str, object],
    mess: Mapping[str, object],
    error: str,
) -> str:
    """A line of the reject log."""
    return (
        f"{timestamp(at)}: R={_quoted(remote)} L={_quoted(local)} C={_quoted(conn_id)} "
        f"PATH={_quoted(pathway)} PATH_GRP={_quoted(pathway_group)} P={_quoted(phase)} E={code} "
        f"M={_word(module)} CTXCONN={_context(conn)} CTXMESS={_context(mess)} {text(error)}"
    )


def panic(at: float, module: str, message: str) -> str:
    """A line of the panic log."""
    return f"{timestamp(at)}:{text(module)}: {text(message)}"


def heartbeat(at: float, hires: bool = False) -> str:
    """The line that shows a quiet main or bounce log to be alive."""
    return f"{timestamp(at, hires)}@@@@M1"


def marker(at: float) -> str:
    """The same for the reject log."""
    return f"{timestamp(at)}: Marker 1"


def _begin(record: Record, attempt: Attempt, kind: str, hires: bool) -> tuple[str, ...]:
    return (
        timestamp(attempt.at, hires), field(record.id), field(record.batch_id),
        field(attempt.conn_id), kind, field(record.domain),
    )  # fmt: skip


def _age(record: Record, attempt: Attempt) -> str:
    return f"{max(0.0, attempt.at - record.created_at):.3f}"


def _quoted(value: str) -> str:
    return '"' + text(value).replace('"', "\\x22") + '"'


def _word(value: object) -> str:
    word = text(value)
    return _quoted(str(value)) if not word or re.search(r'[\s",=\[\]]', word) else word


def _context(values: Mapping[str, object]) -> str:
    return "[" + ",".join(f"{_word(key)}={_word(value)}" for key, value in values.items()) + "]"
