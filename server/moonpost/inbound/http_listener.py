"""A listening socket for HTTP: its connections, how many there may be, and an end that loses no answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from moonpost.inbound.http import Answer, HttpConnection, HttpLimits, Request, plain
from moonpost.inbound.proxy import Ends, ends_of
from moonpost.inbound.settings import ListenSettings

MOST_CONNECTIONS = 1000  # chosen: far more than programs that send need, far fewer than descriptors

Handler = Callable[[Request, Ends], Awaitable[Answer]]


class HttpListener:
    """One socket. `start` begins to accept, `stop` ends its connections in good order."""

    def __init__(
        self, settings: ListenSettings, handler: Handler, limits: Callable[[str], HttpLimits]
    ) -> None:
        self.settings = settings
        self._handler = handler
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._connections: dict[HttpConnection, asyncio.Task[None]] = {}

    async def start(self, listening: socket.socket) -> None:
        """Begin to accept at a bound socket."""
        tls = self.settings.tls
        if tls is not None:
            tls.sni_callback = self._newest  # a reload may bring another certificate
        self._server = await asyncio.start_server(
            self._connected, sock=listening, backlog=self.settings.backlog, ssl=tls
        )

    def _newest(
        self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        if self.settings.tls is not None:
            handshake.context = self.settings.tls

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, with the port that was found when 0 was asked for."""
        sockets = self._server.sockets if self._server else ()
        return [name[:2] for name in (s.getsockname() for s in sockets) if isinstance(name, tuple)]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = ends_of(writer)

        full = len(self._connections) >= MOST_CONNECTIONS

        async def handle(request: Request) -> Answer:
            return (
                plain(HTTPStatus.SERVICE_UNAVAILABLE)
                if full
                else await self._handler(request, ends)
            )

        connection = HttpConnection(reader, writer, handle, self._limits(ends[0][0]), ending=full)
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.run()
        finally:
            del self._connections[connection]

    async def stop(self) -> None:
        """Accept no more; answer what came whole; hang up on the rest."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        answering = []
        for connection, task in self._connections.items():
            connection.ending = True
            if connection.answering:
                answering.append(task)
            else:
                task.cancel()
        if answering:
            await asyncio.wait(answering, timeout=self.settings.stop_grace_s)
        tasks = list(self._connections.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
