"""A listening socket and its sessions: accepting, the idle sweep, stopping without losing a reply.

Knows nothing of SMTP beyond what a session offers.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable

from moonpost.inbound.service import Service
from moonpost.inbound.session import SmtpSession

SWEEP_S = 1.0  # chosen: how late a timeout may come; one timer for all sessions
STOP_POLL_S = 0.02  # chosen: how often a stop looks whether sessions have finished


class Listener:
    """One socket. `start` binds it, `stop` ends its sessions in good order."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    async def start(self, listening: socket.socket | None = None) -> None:
        """Begin to accept. listening: a socket that somebody bound already.

        TLS from the start is the sessions' affair: they go by the newest settings, and by the PROXY header before it.
        """
        settings = self.service.settings
        loop = self.service.loop

        def protocol() -> SmtpSession:
            return SmtpSession(self.service)

        if listening is not None:
            self._server = await loop.create_server(
                protocol, sock=listening, backlog=settings.backlog
            )
        elif settings.unix_path:
            self._server = await loop.create_unix_server(
                protocol, settings.unix_path, backlog=settings.backlog
            )
            os.chmod(settings.unix_path, settings.file_mode)
        else:
            self._server = await loop.create_server(
                protocol,
                settings.address or None,
                settings.port,
                backlog=settings.backlog,
                reuse_address=True,
                reuse_port=settings.reuse_port or None,
            )
        self._sweeping = loop.call_later(SWEEP_S, self._sweep)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, with the port that was found when 0 was asked for."""
        sockets: Iterable[socket.socket] = self._server.sockets if self._server else ()
        return [name[:2] for name in (s.getsockname() for s in sockets) if isinstance(name, tuple)]

    def _sweep(self) -> None:
        """Hang up on sessions that said nothing for too long."""
        service = self.service
        now = service.loop.time()
        for session in [s for s in service.sessions if s.silent_too_long(now)]:
            service.tally.timeouts += 1
            session.time_out()
        self._sweeping = service.loop.call_later(SWEEP_S, self._sweep)

    async def stop(self) -> None:
        """Accept no more; 421 to who is between commands; wait for replies under way, then hang up on the rest."""
        if self._server is None:
            return
        self._server.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self.service.settings.unix_path:
            with_path = self.service.settings.unix_path
            if os.path.exists(with_path):
                os.unlink(with_path)
        loop = self.service.loop
        deadline = loop.time() + self.service.settings.stop_grace_s
        while self.service.sessions and loop.time() < deadline:
            for session in list(self.service.sessions):
                session.say_stopping()
            await asyncio.sleep(STOP_POLL_S)
        for session in list(self.service.sessions):
            session.abort()
        while self.service.sessions:
            await asyncio.sleep(0)  # asyncio tells them in its next turn
        await self.service.settled()
        self._server = None
