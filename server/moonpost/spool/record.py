"""What the spool keeps about one message for one recipient, and how it is written down.

Pure: bytes and times come in as arguments. Knows nothing of LMDB, queues or policy. The content is not in here: several
recipients of one reception share a body, which a record names by its key. A recipient whose copy got another header
keeps that header here, and shares the rest.

Layout of version 1: `M1`; then, each with its length in front, the key under which the record waits, its body key and
its own header block; then JSON with default values left out. The two keys stand in front so that a store can unlink a
record without decoding it. Every version ever written stays readable: tests keep a sample of each.
"""

from __future__ import annotations

import json
import struct
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, NamedTuple

VERSION = b"M1"
HIGH, NORMAL = b"\x00", b"\x01"  # priority 1 sorts before priority 0 within its queue
MAX_BINDING, MAX_DOMAIN, MAX_ID = 100, 255, 100  # bytes; together below LMDB's 511 for a key
_LENGTH = struct.Struct(">I")
_TIME = struct.Struct(">Q")


class BadRecord(ValueError):
    """Bytes that are no record we can read, or a record that can't be written."""


class QueueName(NamedTuple):
    """Mail waits per binding and routing domain."""

    binding: str
    domain: str


class Waiting(NamedTuple):
    """A waiting key, read back."""

    queue: QueueName
    priority: int
    due_at: float
    id: str


@dataclass(slots=True)
class Record:
    """One message for one recipient. Strings that came over SMTP are Latin-1, one character per byte."""

    id: str
    sender: str
    recipient: str
    domain: str  # the routing domain: what it is queued under
    created_at: float
    next_attempt_at: float
    binding: str = "default"
    binding_group: str = "default"
    body: str = ""  # key of the shared content; empty until it is kept
    head: bytes = b""  # what stands before the shared content, for this recipient alone
    size: int = 0  # bytes of the whole content
    batch_id: str = ""
    conn_id: str = ""
    priority: int = 0
    attempts: int = 0  # tries made so far
    protocol: str = "esmtp"  # how it was received, in the words of the main log
    peer: str = ""  # who sent it, `ip:port`
    listener: str = ""  # where it arrived, `ip:port`
    user: str = ""  # authenticated as
    utf8: bool = False  # needs SMTPUTF8
    eight_bit: bool = False  # declared BODY=8BITMIME
    code: int = 0  # last answer of a receiving host
    note: str = ""
    warned: int = 0  # delay notices sent
    parameters: dict[str, str] = field(default_factory=dict)  # RET, ENVID, NOTIFY, ORCPT
    conn: dict[str, Any] = field(default_factory=dict)  # connection context
    mess: dict[str, Any] = field(default_factory=dict)  # message context

    @property
    def queue(self) -> QueueName:
        return QueueName(self.binding, self.domain)


_DEFAULTS: dict[str, Any] = {
    item.name: item.default_factory() if item.default_factory is not MISSING else item.default
    for item in fields(Record)
    if item.name != "head"
}
_NAMES = frozenset(_DEFAULTS)


def queue_prefix(queue: QueueName) -> bytes:
    """What all waiting keys of a queue begin with."""
    binding, domain = queue.binding.encode(), queue.domain.encode()
    if len(binding) > MAX_BINDING or len(domain) > MAX_DOMAIN:
        raise BadRecord(f"queue name too long: binding {len(binding)} bytes, domain {len(domain)}")
    if b"\0" in binding or b"\0" in domain:
        raise BadRecord(f"NUL in queue name {queue!r}")
    return b"%b\0%b\0" % (binding, domain)


def waiting_key(record: Record) -> bytes:
    """Queue, priority, due time in milliseconds, id: sorts as mail should be tried."""
    identity = record.id.encode()
    if not 0 < len(identity) <= MAX_ID or b"\0" in identity:
        raise BadRecord(f"message id {record.id!r} is empty, too long or holds a NUL")
    due = _TIME.pack(max(0, int(record.next_attempt_at * 1000)))
    return queue_prefix(record.queue) + (HIGH if record.priority else NORMAL) + due + identity


def read_waiting_key(key: bytes) -> Waiting:
    """The parts of a waiting key; BadRecord when it is none."""
    binding, nul, rest = key.partition(b"\0")
    domain, nul_2, rest = rest.partition(b"\0")
    if not nul or not nul_2 or len(rest) < 10 or rest[:1] not in (HIGH, NORMAL):
        raise BadRecord(f"not a waiting key: {key!r}")
    try:
        queue = QueueName(binding.decode(), domain.decode())
        identity = rest[9:].decode()
    except UnicodeDecodeError as error:
        raise BadRecord(f"not a waiting key: {key!r}") from error
    (due_ms,) = _TIME.unpack_from(rest, 1)
    return Waiting(queue, int(rest[:1] == HIGH), due_ms / 1000, identity)


def encode(record: Record) -> bytes:
    """The bytes of a record, current version."""
    waiting, body = waiting_key(record), record.body.encode()
    data = {
        name: value
        for name, default in _DEFAULTS.items()
        if (value := getattr(record, name)) != default
    }
    text = json.dumps(data, separators=(",", ":")).encode()
    parts = [VERSION]
    for part in (waiting, body, record.head):
        parts += (_LENGTH.pack(len(part)), part)
    return b"".join((*parts, text))


def keys_of(data: bytes) -> tuple[bytes, bytes]:
    """(waiting key, body key) of an encoded record, without decoding the rest."""
    waiting, body, *_ = _split(data)
    return waiting, body


def decode(data: bytes) -> Record:
    """The record in `data`; BadRecord when it is damaged or of a later version."""
    _, _, head, text = _split(data)
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or not found.keys() <= _NAMES:
            raise BadRecord("a record with unknown fields")
        return Record(**found, head=head)
    except (ValueError, TypeError) as error:
        raise BadRecord(f"unreadable record: {error}") from error


def _split(data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    if data[:2] != VERSION:
        raise BadRecord(
            f"record version {data[:2]!r} is not known; this moonpost reads {VERSION!r}"
        )
    parts, at = [], 2
    for _ in range(3):
        if len(data) < at + _LENGTH.size:
            raise BadRecord("a truncated record")
        start = at + _LENGTH.size
        at = start + _LENGTH.unpack_from(data, at)[0]
        if len(data) < at:
            raise BadRecord("a truncated record")
        parts.append(data[start:at])
    return parts[0], parts[1], parts[2], data[at:]
