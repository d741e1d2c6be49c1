"""What the tables of a spool must have in common, and what is done when they have not.

A commit is one transaction, so none of this should ever happen: a finding means a damaged disk, a foreign hand or a
bug of ours, and mail is kept rather than thrown away. `inspect` only reads; `repair` runs at start, and reads every
record only when the cheap comparison of table sizes fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from moonpost.spool.record import BadRecord, decode, keys_of, read_waiting_key, waiting_key

UNREADABLE, NO_BODY, NOT_WAITING, STRAY_KEY, STRAY_BODY, WRONG_COUNT = (
    "unreadable", "no body", "not waiting", "stray key", "stray body", "wrong count",
)  # fmt: skip

AT_START = {  # finding -> what repair does
    UNREADABLE: "moved to the table `aside`",  # perhaps of a later version: the bytes stay
    NO_BODY: "moved to the table `aside`",  # nothing to send; the envelope tells an operator whose mail it was
    NOT_WAITING: "put back into its queue",
    STRAY_KEY: "key dropped",  # it names no message
    STRAY_BODY: "left in place",  # no recipient is known: a person has to look
    WRONG_COUNT: "corrected",
}


class Finding(NamedTuple):
    """One thing that is wrong."""

    kind: str
    key: bytes
    why: str

    @property
    def text(self) -> str:
        return f"{self.kind}: {self.key.decode(errors='backslashreplace')}: {self.why}; at start: {AT_START[self.kind]}"


def inspect(transaction: Any, tables: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare the tables with each other; reads every record, no body."""
    sharers: Counter[bytes] = Counter()
    for id, data in transaction.cursor(db=tables["records"]):
        try:
            waiting, body = keys_of(data)
            record = decode(data)
        except BadRecord as error:
            yield Finding(UNREADABLE, id, str(error))
            continue
        sharers[body] += 1
        if transaction.get(waiting, db=tables["waiting"]) is None:
            yield Finding(NOT_WAITING, id, f"recipient {record.recipient} is in no queue")
        if not _has(transaction, tables["bodies"], body):
            yield Finding(NO_BODY, id, f"body {body.decode()} is missing")
    for key in transaction.cursor(db=tables["waiting"]).iternext(values=False):
        if not _names_a_record(transaction, tables, key):
            yield Finding(STRAY_KEY, key, "names no readable message")
    for body in transaction.cursor(db=tables["bodies"]).iternext(values=False):
        if body not in sharers:
            yield Finding(STRAY_BODY, body, "no message uses it")
    for body, count in sharers.items():
        noted = int(transaction.get(body, b"1", db=tables["sharers"]))
        if noted != count:
            yield Finding(WRONG_COUNT, body, f"{count} messages use it, {noted} noted")


def repair(environment: Any, tables: Mapping[str, Any], deep: bool = False) -> list[Finding]:
    """Bring the tables in line by AT_START; returns what was found. deep: look even when the sizes agree."""
    with environment.begin() as transaction:
        sizes = {name: transaction.stat(table)["entries"] for name, table in tables.items()}
        fits = sizes["records"] == sizes["waiting"] and sizes["bodies"] <= sizes["records"]
        if fits and not deep:
            return []
        findings = list(inspect(transaction, tables))
    with environment.begin(write=True) as transaction:
        for kind, key, _ in findings:
            if kind in (UNREADABLE, NO_BODY):
                data = transaction.pop(key, db=tables["records"])
                if data is not None:
                    transaction.put(key, data, db=tables["aside"])
                    if kind == NO_BODY:
                        transaction.delete(keys_of(data)[0], db=tables["waiting"])
            elif kind == NOT_WAITING:
                data = transaction.get(key, db=tables["records"])
                if data is not None:
                    transaction.put(waiting_key(decode(data)), b"", db=tables["waiting"])
            elif kind == STRAY_KEY:
                transaction.delete(key, db=tables["waiting"])
            elif kind == WRONG_COUNT:
                count = sum(
                    keys_of(data)[1] == key for _, data in transaction.cursor(db=tables["records"])
                )
                if count > 1:
                    transaction.put(key, b"%d" % count, db=tables["sharers"])
                else:
                    transaction.delete(key, db=tables["sharers"])
    return findings


def _has(transaction: Any, table: Any, key: bytes) -> bool:
    # Only the key is looked at: a value would be the whole body.
    return bool(transaction.cursor(db=table).set_key(key))


def _names_a_record(transaction: Any, tables: Mapping[str, Any], key: bytes) -> bool:
    try:
        data = transaction.get(read_waiting_key(key).id.encode(), db=tables["records"])
        return data is not None and keys_of(data)[0] == key
    except BadRecord:
        return False
