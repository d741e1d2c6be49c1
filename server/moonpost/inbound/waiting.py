"""A reader for the few exchanges that are written as coroutines: AUTH challenges and the PROXY header.

Takes its bytes from the session's intake, so that nothing is read twice. Has the methods of asyncio's StreamReader that
aiosmtpd uses, and no others.
"""

from __future__ import annotations

import asyncio

from moonpost.inbound.intake import MAX_COMMAND, Intake


class WaitingReader:
    """Waits until the intake holds what is asked for."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._more: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """More bytes are there."""
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        while (end := self._intake.find(separator)) < 0:
            if len(self._intake) > MAX_COMMAND:
                raise asyncio.LimitOverrunError("line too long", MAX_COMMAND)
            await self._wait()
        return self._intake.take(end + len(separator))

    async def readline(self) -> bytes:
        return await self.readuntil()

    async def readexactly(self, n: int) -> bytes:
        while len(self._intake) < n:
            await self._wait()
        return self._intake.take(n)

    async def read(self, n: int = 4096) -> bytes:
        while not len(self._intake):
            await self._wait()
        return self._intake.take(n)

    async def _wait(self) -> None:
        self._more = asyncio.get_running_loop().create_future()
        await self._more
