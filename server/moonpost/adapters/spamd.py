"""Spam scans by SpamAssassin's spamd: one connection per scan, `SYMBOLS` with the whole message.

The protocol is written out here because aiospamc brings a command line and a logging library along. spamd learns
nothing of the envelope but what the message's header says.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from msys.lua.bytestr import to_str
from msys.ports import Envelope, PortError, SpamReport

PORT = 783
CERTAIN = 3.0  # chosen: so many times the threshold is spam for sure
REPLY_MAX = 1024 * 1024
STATUS = re.compile(r"SPAMD/[\d.]+ (\d+) ?(.*)")
SPAM = re.compile(r"(?im)^Spam:\s*(\w+)\s*;\s*(-?[\d.]+)\s*/\s*(-?[\d.]+)")


def report(reply: str) -> SpamReport:
    """What spamd's reply to SYMBOLS means; PortError when it is none, or an error."""
    head, _, body = reply.replace("\r\n", "\n").partition("\n\n")
    status, spam = STATUS.match(head), SPAM.search(head)
    if status is None or status[1] != "0" or spam is None:
        raise PortError("ENGINE", f"spamd says: {head.strip() or 'nothing'}")
    score, mark_at = float(spam[2]), float(spam[3])
    reject_at = mark_at * CERTAIN
    action = "pass"
    if spam[1].lower() in ("true", "yes"):
        action = "reject" if score >= reject_at else "mark"
    symbols = tuple(name for name in re.split(r"[,\s]+", body.strip()) if name)
    return SpamReport("spamd", action, score, mark_at, reject_at, symbols)


class Spamd:
    """One spamd. daemon: `host:port`."""

    def __init__(self, daemon: str, timeout_s: float = 30.0) -> None:
        self.daemon = daemon
        self._timeout_s = timeout_s

    async def scan(self, content: bytes, envelope: Envelope) -> SpamReport:
        """Judge a message."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return report(await self._ask(content))
        except TimeoutError:
            raise PortError(
                "TIMEOUT", f"spamd at {self.daemon} gave no answer within {self._timeout_s:g} s"
            ) from None
        except (OSError, ValueError) as error:
            raise PortError("UNREACHABLE", f"spamd at {self.daemon}: {error}") from None

    async def _ask(self, content: bytes) -> str:
        host, _, port = self.daemon.rpartition(":")
        reader, writer = await asyncio.open_connection(
            (host or self.daemon).strip("[]"), int(port) if host else PORT
        )
        try:
            with suppress(ConnectionError):  # one that refuses early has answered already
                writer.write(b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(content))
                writer.write(content)
                await writer.drain()
                writer.write_eof()
            reply = bytearray()
            while piece := await reader.read(65536):
                reply += piece
                if len(reply) > REPLY_MAX:
                    raise PortError("ENGINE", f"spamd at {self.daemon} does not stop talking")
            return to_str(bytes(reply))
        finally:
            writer.transport.abort()
