"""A receiving mail server that does as a test tells it, and remembers everything.

`async with Sink() as sink:` listens on a free port of 127.0.0.1. `sink.answers` maps a verb, or a verb with its
argument, to a reply or to a function that makes one from the argument; `DROP` closes the connection, `SILENCE` never
answers. Speaks LMTP after LHLO. Not a model of a good server: it checks nothing it is not told to.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

DROP, SILENCE = "drop", "silence"
Reply = str | Callable[[str], str]
FEATURES = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(slots=True)
class Received:
    """One transaction that the sink accepted."""

    sender: str  # MAIL FROM's argument, parameters and all
    recipients: list[str]
    content: bytes
    connection: int
    tls: bool


@dataclass(slots=True)
class Sink:
    """Listens while the context is open."""

    features: tuple[str, ...] = FEATURES
    answers: dict[str, Reply] = field(default_factory=dict)
    banner: str = "220 sink.test ESMTP"
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)  # of all connections, in order of arrival
    bursts: list[bytes] = field(default_factory=list)  # what came in one read
    connections: int = 0
    open_connections: int = 0
    port: int = 0
    address: str = "127.0.0.1"
    _server: asyncio.Server | None = None
    _talks: set[_Talk] = field(default_factory=set)

    async def __aenter__(self) -> Sink:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Talk(self), self.address, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for talk in list(self._talks):
            talk.drop()
        await self._server.wait_closed()

    def reply(self, line: str) -> str | None:
        """What the test wants said to a command, None when it does not care."""
        verb, _, argument = line.partition(" ")
        reply = self.answers.get(line, self.answers.get(verb.upper()))
        return reply(argument) if callable(reply) else reply

    async def wait_for(self, messages: int, timeout_s: float = 10.0) -> list[Received]:
        """Return when so many messages have arrived."""
        async with asyncio.timeout(timeout_s):
            while len(self.received) < messages:
                await asyncio.sleep(0.005)
        return self.received


class _Talk(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rest = b""
        self._in_data = False
        self._lmtp = False
        self._tls = False
        self._sender = ""
        self._recipients: list[str] = []
        self._number = 0
        self._transport: asyncio.Transport | None = None
        self._upgrade: asyncio.Task[None] | None = None
        self._upgrading = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._tls:
            return
        self._sink.connections += 1
        self._sink.open_connections += 1
        self._number = self._sink.connections
        self._sink._talks.add(self)
        self._say(self._sink.banner)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink.open_connections -= 1
        self._sink._talks.discard(self)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._sink.bursts.append(data)
        self._rest += data
        if (
            not self._upgrading
        ):  # what comes before start_tls returned must not be answered in the clear
            self._work()

    def _work(self) -> None:
        while self._rest and self._transport is not None and not self._transport.is_closing():
            if self._in_data:
                if not self._take_data():
                    return
                continue
            line, mark, rest = self._rest.partition(b"\r\n")
            if not mark:
                return
            self._rest = rest
            self._command(line.decode("latin-1"))

    def _take_data(self) -> bool:
        if self._rest.startswith(b".\r\n"):
            content, rest = b"", self._rest[3:]
        else:
            content, mark, rest = self._rest.partition(b"\r\n.\r\n")
            if not mark:
                return False
            content += b"\r\n"
        self._rest, self._in_data = rest, False
        if content.startswith(b"."):
            content = content[1:]
        content = content.replace(b"\r\n..", b"\r\n.")
        accepted = []
        for recipient in self._recipients if self._lmtp else self._recipients[:1] or [""]:
            reply = self._sink.reply(f"BODY {recipient}") or self._sink.reply("BODY")
            reply = reply or "250 2.0.0 kept"
            self._say(reply)
            if reply.startswith("2"):
                accepted.append(recipient)
        if accepted and self._recipients:
            recipients = accepted if self._lmtp else list(self._recipients)
            self._sink.received.append(
                Received(self._sender, recipients, content, self._number, self._tls)
            )
        self._sender, self._recipients = "", []
        return True

    def _command(self, line: str) -> None:
        sink = self._sink
        sink.commands.append(line)
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        reply = sink.reply(line)
        if reply is None:
            reply = self._usual(verb, line)
        if reply.startswith(("2", "3")):
            self._note(verb, argument)
        self._say(reply)
        if verb == "STARTTLS" and reply.startswith("220"):
            self._upgrading = True
            self._upgrade = asyncio.get_running_loop().create_task(self._start_tls())
        elif verb == "QUIT" and self._transport is not None:
            self._transport.close()

    def _usual(self, verb: str, line: str) -> str:
        if verb in ("EHLO", "LHLO"):
            features = self._sink.features
            if self._sink.tls is not None and not self._tls:
                features = (*features, "STARTTLS")
            return "\r\n".join(
                f"250{'-' if number < len(features) else ' '}{text}"
                for number, text in enumerate(("sink.test", *features))
            )
        if verb == "DATA":
            return "354 go on" if self._recipients else "503 5.5.1 no recipients"
        known = {"HELO": "250 sink.test", "QUIT": "221 bye", "STARTTLS": "220 go on"}
        return known.get(verb, "250 2.0.0 ok")

    def _note(self, verb: str, argument: str) -> None:
        if verb == "LHLO":
            self._lmtp = True
        elif verb == "MAIL":
            self._sender, self._recipients = argument.removeprefix("FROM:"), []
        elif verb == "RCPT":
            self._recipients.append(argument.removeprefix("TO:").partition(">")[0].lstrip("<"))
        elif verb == "DATA":
            self._in_data = True
        elif verb == "RSET":
            self._sender, self._recipients = "", []

    def _say(self, reply: str) -> None:
        if self._transport is None or reply == SILENCE:
            return
        if reply == DROP:
            self._transport.close()
            return
        self._transport.write(reply.encode("latin-1") + b"\r\n")

    async def _start_tls(self) -> None:
        assert self._transport is not None and self._sink.tls is not None
        loop = asyncio.get_running_loop()
        self._tls, self._rest = True, b""
        try:
            self._transport = await loop.start_tls(
                self._transport, self, self._sink.tls, server_side=True
            )
        except (OSError, ssl.SSLError):
            self.drop()
        else:
            self._upgrading = False
            self._work()
