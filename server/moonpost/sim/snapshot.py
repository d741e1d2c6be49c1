"""What policy can change, before and after: snapshots and their differences.

Pure: looks at a session's objects and compares; knows nothing of callouts or output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msys.lua.bytestr import to_bytes
from msys.message import fields


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different. `name` where there are several of a kind; None: was not there, or is gone."""

    kind: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a session at one moment."""

    single: Mapping[str, str | None] = field(default_factory=dict)  # kind -> value
    connection: Mapping[str, str] = field(default_factory=dict)
    message: Mapping[str, str] = field(default_factory=dict)
    recipients: Sequence[str] = ()
    capabilities: Sequence[str] = ()
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


def readable(text: str) -> str:
    """A Lua string as people read it: UTF-8 where it is that, other bytes as \\xNN."""
    return to_bytes(text).decode("utf-8", "backslashreplace")


def look(accept: Any, vctx: Any, message: Any) -> Snapshot:
    """Take a snapshot; any of the three may be missing."""
    single: dict[str, str | None] = {}
    if vctx is not None:
        single["reply"] = f"{vctx.code} {vctx.note}".rstrip()
        single["disconnect"] = "yes" if vctx.disconnect_flag else None
        single["tarpit_s"] = f"{vctx.tarpit_s:g}" if vctx.tarpit_s else None
    if message is None:
        return Snapshot(
            single,
            dict(vctx.conn) if vctx is not None else {},
            dict(vctx.mess) if vctx is not None else {},
            list(vctx.recipients) if vctx is not None else [],
            list(accept.capabilities) if accept is not None else [],
        )
    single |= {
        "sender": message.sender,
        "recipient": message.recipient,
        "binding": message.binding_name,
        "binding_group": message.binding_group_name,
        "route": message.route,
        "priority": str(message.priority),
        "response": message.response,
        "discarded": message.discarded,
    }
    return Snapshot(
        single,
        dict(message.conn),
        dict(message.mess),
        list(vctx.recipients) if vctx is not None else [],
        list(accept.capabilities) if accept is not None else [],
        headers_of(message.header_block),
        message.body_block,
    )


def headers_of(block: bytes) -> list[tuple[str, str]]:
    """Name as written and unfolded value of each field."""
    found = []
    for one in fields.fields(block):
        name = block[one.start : one.end].partition(b":")[0].rstrip()
        value = fields.unfolded(one.value).strip()
        found.append((name.decode("latin-1"), value.decode("latin-1")))
    return found


def differences(before: Snapshot, after: Snapshot) -> list[Change]:
    """What changed, in a fixed order of kinds."""
    found = [
        Change(kind, "", _text(before.single.get(kind)), _text(value))
        for kind, value in after.single.items()
        if value != before.single.get(kind)
    ]
    found += _mapping("connection_context", before.connection, after.connection)
    found += _mapping("message_context", before.message, after.message)
    found += _list("recipients", before.recipients, after.recipients)
    found += _list("capability", before.capabilities, after.capabilities)
    found += _headers(before.headers, after.headers)
    if before.body is not after.body and before.body != after.body:
        found.append(Change("body", "", f"{len(before.body)} bytes", f"{len(after.body)} bytes"))
    return found


def _text(value: str | None) -> str | None:
    return None if value is None else readable(value)


def _mapping(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    names = [*before, *(name for name in after if name not in before)]
    return [
        Change(kind, readable(name), _text(before.get(name)), _text(after.get(name)))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _list(kind: str, before: Sequence[str], after: Sequence[str]) -> list[Change]:
    gone, new = Counter(before) - Counter(after), Counter(after) - Counter(before)
    return [
        *(Change(kind, "", readable(text), None) for text in gone.elements()),
        *(Change(kind, "", None, readable(text)) for text in new.elements()),
    ]


def _headers(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> list[Change]:
    """Fields that went and came; one that went and came under the same name has another value."""
    gone = list((Counter(before) - Counter(after)).elements())
    found = []
    for name, value in (Counter(after) - Counter(before)).elements():
        old = next((one for one in gone if one[0].lower() == name.lower()), None)
        if old is not None:
            gone.remove(old)
        found.append(Change("header", name, _text(old[1]) if old else None, readable(value)))
    return [*(Change("header", name, readable(value), None) for name, value in gone), *found]
