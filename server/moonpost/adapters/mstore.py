"""Stores of messages that policy may want to send again: an embedded one, and Riak over HTTP.

Both keep content and envelope by bucket and key. Riak ages its entries by its own configuration; the embedded
store drops them after `retention_s`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import lmdb

from msys.lua.bytestr import to_bytes
from msys.ports import Http, HttpReply, PortError, StoredMessage

RETENTION_S = 1_209_600.0  # 14 days: mobility-message-retry-retention
MAP_BYTES = 16 << 30  # address space, not disk; chosen: more than anybody keeps
PURGE = 100  # entries dropped with one save; chosen: more come in no faster than they go
TIMEOUT_S = 10.0
SENDER, RECIPIENT = "X-Riak-Meta-Sender", "X-Riak-Meta-Recipient"
ELSEWHERE = frozenset(("COULDNT_CONNECT", "COULDNT_RESOLVE_HOST", "GOT_NOTHING"))


class RiakMessages:
    """Riak's HTTP interface. servers: `host:port` each; one is taken at random, another when it is down."""

    def __init__(self, servers: Sequence[str], http: Http, timeout_s: float = TIMEOUT_S) -> None:
        self._servers = tuple(servers)
        self._http: Any = http
        self._timeout_s = timeout_s

    async def load(self, bucket: str, key: str) -> StoredMessage | None:
        reply = await self._ask("GET", bucket, key, (200, 404))
        if reply.status == 404:
            return None
        meta = {name.lower(): unquote(value, "latin-1") for name, value in reply.headers}
        return StoredMessage(
            reply.body, meta.get(SENDER.lower(), ""), meta.get(RECIPIENT.lower(), "")
        )

    async def save(self, bucket: str, key: str, message: StoredMessage) -> None:
        headers = [
            ("Content-Type", "message/rfc822"),
            (SENDER, _quoted(message.sender)),
            (RECIPIENT, _quoted(message.recipient)),
        ]
        await self._ask("PUT", bucket, key, (200, 201, 204), headers, message.content)

    async def delete(self, bucket: str, key: str) -> None:
        await self._ask("DELETE", bucket, key, (204, 404))

    async def _ask(
        self,
        method: str,
        bucket: str,
        key: str,
        fine: tuple[int, ...],
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> HttpReply:
        failure: PortError | None = None
        for server in random.sample(self._servers, len(self._servers)):
            url = f"http://{server}/buckets/{_quoted(bucket)}/keys/{_quoted(key)}"
            try:
                reply: HttpReply = await self._http.request(
                    method, url, headers, body, self._timeout_s
                )
            except PortError as error:
                failure = error
                if error.code in ELSEWHERE:
                    continue
                break
            if reply.status not in fine:
                text = f"Riak at {server} answered {method} with {reply.status} {reply.reason}"
                raise PortError("STORE", text)
            return reply
        raise PortError("STORE", f"Riak does not answer: {failure or 'no servers are configured'}")


def _quoted(text: str) -> str:
    return quote(to_bytes(text), safe="@")


class EmbeddedMessages:
    """A store in a folder of this machine, synced before `save` returns. now: seconds since the epoch."""

    def __init__(
        self, folder: Path, now: Callable[[], float], retention_s: float = RETENTION_S
    ) -> None:
        self._now = now
        self._retention_s = retention_s
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._environment = lmdb.open(str(folder), map_size=MAP_BYTES, max_dbs=2, mode=0o600)
        self._messages = self._environment.open_db(b"messages")
        self._ends = self._environment.open_db(b"ends")  # end and name, oldest first

    async def load(self, bucket: str, key: str) -> StoredMessage | None:
        return await asyncio.to_thread(self._load, _name(bucket, key))

    async def save(self, bucket: str, key: str, message: StoredMessage) -> None:
        await asyncio.to_thread(self._save, _name(bucket, key), message)

    async def delete(self, bucket: str, key: str) -> None:
        await asyncio.to_thread(self._delete, _name(bucket, key))

    def close(self) -> None:
        self._environment.close()

    def _load(self, name: bytes) -> StoredMessage | None:
        with self._environment.begin(db=self._messages) as transaction:
            entry = transaction.get(name)
        if entry is None or _END.unpack_from(entry)[0] <= self._now():
            return None
        head, _, content = entry[_END.size :].partition(b"\n")
        return StoredMessage(content, *json.loads(head))

    def _save(self, name: bytes, message: StoredMessage) -> None:
        head = json.dumps([message.sender, message.recipient]).encode()
        end = _END.pack(self._now() + self._retention_s)
        try:
            with self._environment.begin(write=True) as transaction:
                self._purge(transaction)
                self._forget(transaction, name)
                entry = end + head + b"\n" + message.content
                transaction.put(name, entry, db=self._messages)
                transaction.put(end + name, b"", db=self._ends)
        except lmdb.Error as error:
            raise PortError("STORE", f"message store: {error}") from None

    def _delete(self, name: bytes) -> None:
        with self._environment.begin(write=True) as transaction:
            self._forget(transaction, name)

    def _forget(self, transaction: Any, name: bytes) -> None:
        old = transaction.pop(name, db=self._messages)
        if old is not None:
            transaction.delete(old[: _END.size] + name, db=self._ends)

    def _purge(self, transaction: Any) -> None:
        """Drop some of what is too old."""
        now = _END.pack(self._now())
        due: list[bytes] = []
        with transaction.cursor(db=self._ends) as cursor:
            for key in cursor.iternext(values=False):
                if key > now or len(due) == PURGE:
                    break
                due.append(key)
        for key in due:
            transaction.delete(key, db=self._ends)
            transaction.delete(key[_END.size :], db=self._messages)


_END = struct.Struct(">d")  # positive numbers in this form sort as their bytes do


def _name(bucket: str, key: str) -> bytes:
    """One key for both, of a length that LMDB takes whatever the script's names are."""
    parts = (to_bytes(bucket), to_bytes(key))
    return hashlib.sha256(b"%d:%b%b" % (len(parts[0]), *parts)).digest()
