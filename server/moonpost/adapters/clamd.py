"""Virus scans by a clamd: one connection per scan, the content sent with INSTREAM.

The protocol is written out here because aioclamd hands every kilobyte to a thread and knows no Unix sockets.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

from msys.lua.bytestr import to_str
from msys.ports import PortError, VirusReport

CHUNK = 256 * 1024  # bytes; chosen: well below any StreamMaxLength, few enough system calls
REPLY_MAX = 64 * 1024
PORT = 3310

# What clamd calls a finding that is none: the beginning of the name -> our verdict
NO_FINDING = {
    "Heuristics.Encrypted": "encrypted",
    "Heuristics.Limits.Exceeded": "limit",
}


def report(reply: str) -> VirusReport:
    """What clamd's reply line means; PortError for a complaint."""
    text = reply.strip("\0\r\n ")
    if text.startswith("INSTREAM size limit exceeded"):
        return VirusReport("limit", text.removesuffix(". ERROR"), text)
    words = text.partition(": ")[2] or text
    if words == "OK":
        return VirusReport("clean", "", words)
    if words.endswith(" FOUND"):
        name = words.removesuffix(" FOUND")
        kinds = (verdict for prefix, verdict in NO_FINDING.items() if name.startswith(prefix))
        return VirusReport(next(kinds, "infected"), name, words)
    raise PortError("ENGINE", f"clamd says: {words or 'nothing'}")


class Clamd:
    """One clamd. daemon: `host:port`, or the path of its Unix socket."""

    def __init__(self, daemon: str, timeout_s: float = 10.0, max_concurrency: int = 0) -> None:
        self.daemon = daemon
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(max_concurrency) if max_concurrency > 0 else None

    async def scan(self, content: bytes) -> VirusReport:
        """Judge `content`; the time limit covers waiting for a place as well."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._places is None:
                    return report(await self._ask(content))
                async with self._places:
                    return report(await self._ask(content))
        except TimeoutError:
            raise PortError(
                "TIMEOUT", f"clamd at {self.daemon} gave no answer within {self._timeout_s:g} s"
            ) from None

    async def _ask(self, content: bytes) -> str:
        loop = asyncio.get_running_loop()
        with await self._connected() as connection:
            # A clamd that has seen enough answers and hangs up while we still send: its answer counts.
            with suppress(ConnectionError):
                await loop.sock_sendall(connection, b"zINSTREAM\0")
                for at in range(0, len(content), CHUNK):
                    piece = content[at : at + CHUNK]
                    await loop.sock_sendall(connection, len(piece).to_bytes(4, "big") + piece)
                await loop.sock_sendall(connection, bytes(4))
            reply = b""
            try:
                while len(reply) < REPLY_MAX and (more := await loop.sock_recv(connection, 4096)):
                    reply += more
            except ConnectionError as error:
                if not reply:
                    raise PortError("UNREACHABLE", f"clamd at {self.daemon}: {error}") from None
        if not reply:
            raise PortError("UNREACHABLE", f"clamd at {self.daemon} hung up without an answer")
        return to_str(reply)

    async def _connected(self) -> socket.socket:
        """A connection of its own for one scan. Not a stream: those lose what was read before a reset."""
        loop = asyncio.get_running_loop()
        address: Any = self.daemon
        family = socket.AF_UNIX
        connection: socket.socket | None = None
        try:
            if not self.daemon.startswith("/"):
                host, _, port = self.daemon.rpartition(":")
                found = await loop.getaddrinfo(
                    (host or self.daemon).strip("[]"),
                    int(port) if host else PORT,
                    type=socket.SOCK_STREAM,
                )
                family, address = found[0][0], found[0][4]
            connection = socket.socket(family)
            connection.setblocking(False)
            await loop.sock_connect(connection, address)
            return connection
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, OSError | ValueError):
                raise
            text = f"no connection to clamd at {self.daemon}: {error}"
            raise PortError("UNREACHABLE", text) from None
