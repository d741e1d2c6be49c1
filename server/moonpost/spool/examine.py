"""A look at a spool from outside, read-only, also while a server uses it: which messages are whole.

`recovery.inspect` compares the tables; this opens them without writing anything, adds the length of bodies, and puts a
word to each message. Source of the words: whole can be sent as it was accepted; torn has lost something of itself;
orphaned is left over and belongs to no message.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import lmdb

from moonpost.spool.interface import SpoolError
from moonpost.spool.record import BadRecord, Record, decode, read_waiting_key
from moonpost.spool.recovery import STRAY_BODY, STRAY_KEY, WRONG_COUNT, Finding, inspect

WHOLE, TORN, ORPHANED, ASIDE = "whole", "torn", "orphaned", "aside"
TABLES = ("records", "bodies", "sharers", "waiting", "aside")

# finding that is about no single message -> state, what it is about
OF_OTHERS = {
    STRAY_KEY: (ORPHANED, "queue entry"),
    STRAY_BODY: (ORPHANED, "body"),
    WRONG_COUNT: (TORN, "body"),  # it would be removed too early, or never
}


class Looked(NamedTuple):
    """One message, or what is left of one. record: when it can be read; why: what is wrong, empty when nothing is."""

    state: str
    id: str
    why: str = ""
    record: Record | None = None


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A read transaction of the spool and its tables. SpoolError when there is none, or its file is cut short."""
    data = folder / "data.mdb"
    if not data.is_file():
        raise SpoolError(f"{folder} is no spool: there is no {data.name} in it")
    try:
        environment = lmdb.open(
            str(folder), readonly=True, max_dbs=len(TABLES), max_readers=512, readahead=False
        )
    except lmdb.Error as error:
        raise SpoolError(f"spool {folder} can't be opened: {error}") from error
    try:
        pages, size = environment.info()["last_pgno"] + 1, environment.stat()["psize"]
        if data.stat().st_size < pages * size:
            # Reading a page that is not there would end this process with SIGBUS.
            raise SpoolError(
                f"{data} is cut short: {data.stat().st_size} bytes, {pages} pages of {size} belong to it; "
                "restore it from a copy"
            )
        with environment.begin(buffers=False) as transaction:
            tables = {
                name: environment.open_db(name.encode(), txn=transaction, create=False)
                for name in TABLES
            }
            yield transaction, tables
    except lmdb.Error as error:
        raise SpoolError(f"spool {folder} can't be read: {error}") from error
    finally:
        environment.close()


def examine(transaction: Any, tables: dict[str, Any]) -> Iterator[Looked]:
    """Every message in the order of its id, then what belongs to none, then what recovery has set aside."""
    of_messages: dict[bytes, Finding] = {}
    others = []
    for finding in inspect(transaction, tables):
        if finding.kind in OF_OTHERS:
            others.append(finding)
        else:
            of_messages.setdefault(finding.key, finding)
    for id, data in transaction.cursor(db=tables["records"]):
        name = bytes(id).decode(errors="backslashreplace")
        wrong = of_messages.get(id)
        try:
            record = decode(data)
        except BadRecord as error:
            yield Looked(TORN, name, str(error))
            continue
        why = wrong.why if wrong else _short(transaction, tables, record)
        yield Looked(TORN if why else WHOLE, name, why, record)
    for finding in others:
        state, what = OF_OTHERS[finding.kind]
        yield Looked(state, f"{what} {_named(finding)}", finding.why)
    for id, data in transaction.cursor(db=tables["aside"]):
        name = bytes(id).decode(errors="backslashreplace")
        try:
            yield Looked(ASIDE, name, "recovery could not make sense of it", decode(data))
        except BadRecord as error:
            yield Looked(ASIDE, name, str(error))


def _named(finding: Finding) -> str:
    if finding.kind == STRAY_KEY:
        try:
            waiting = read_waiting_key(finding.key)
            return f"{waiting.id} in {waiting.queue.binding}/{waiting.queue.domain}"
        except BadRecord:
            pass
    return finding.key.decode(errors="backslashreplace")


def _short(transaction: Any, tables: dict[str, Any], record: Record) -> str:
    """What is wrong with the length of a message; empty when nothing is."""
    cursor = transaction.cursor(db=tables["bodies"])
    if not cursor.set_key(record.body.encode()):
        return f"body {record.body} is missing"
    found = len(record.head) + len(cursor.value())
    return "" if found == record.size else f"{found} bytes are there, {record.size} were accepted"
