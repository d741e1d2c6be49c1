"""One connection to a receiving host: moves the bytes of a conversation and keeps its time.

Knows sockets, TLS and timeouts; what is said is `conversation`'s business, who gets what the queue's.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.conversation import Conversation
from moonpost.outbound.letters import (
    ConversationSettings,
    Event,
    Finished,
    Letter,
    Ready,
    StartTls,
    Tap,
    Unusable,
)
from moonpost.outbound.security import Security
from moonpost.outbound.tls import objection

SLOWEST = 16 << 10  # chosen: bytes a host must take while we wait, or it does not move at all

OURS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)


class Target(NamedTuple):
    """Where to connect."""

    host: str  # name, for TLS and logs
    address: str
    port: int
    source: str | None = None  # local address, None: the system's choice
    security: Security = Security()  # what a TLS handshake has to show
    tap: Tap | None = None


class ConnectionFailed(Exception):
    """No letter can be sent; `outcome` says why, in the words of the logs."""

    def __init__(self, outcome: Outcome, ours: bool = False) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome
        self.ours = ours  # this machine lacks something; the host is not to blame


class Connection(asyncio.Protocol):
    """Implements the driver of one Conversation."""

    def __init__(
        self,
        target: Target,
        settings: ConversationSettings,
        timeouts: Mapping[str, float],
        tls: ssl.SSLContext | None = None,
        on_idle_end: Callable[[Connection], None] | None = None,
    ) -> None:
        self.target = target
        self.delivered = 0  # messages accepted on this connection
        self.recipients = 0  # RCPT TO commands sent on it
        self.bytes_sent = 0  # of the letter under way, or of the last one
        self._talk = Conversation(settings)
        self._timeouts = timeouts
        self._tls = tls
        self._on_idle_end = on_idle_end
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._finished: asyncio.Future[Finished] | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0  # answers when the present wait began
        self._written_at = 0  # bytes that were still to be written then
        self._failure: Outcome | None = None
        self._handshake: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        target: Target,
        settings: ConversationSettings,
        timeouts: Mapping[str, float],
        tls: ssl.SSLContext | None = None,
        on_idle_end: Callable[[Connection], None] | None = None,
    ) -> Connection:
        """Connect and greet; returns when a letter can be sent. Raises ConnectionFailed."""
        made = cls(target, settings, timeouts, tls, on_idle_end)
        local = (target.source, 0) if target.source else None
        try:
            async with asyncio.timeout(timeouts["connect_timeout"]):
                await made._loop.create_connection(
                    lambda: made, target.address, target.port, local_addr=local
                )
        except TimeoutError:
            raise ConnectionFailed(_unreached("connection timed out")) from None
        except OSError as error:
            reason = _unreached(error.strerror or str(error))
            raise ConnectionFailed(reason, error.errno in OURS) from error
        try:
            await made._ready
        except asyncio.CancelledError:
            made.abort()
            raise
        return made

    @property
    def usable(self) -> bool:
        """Whether another letter can be sent."""
        return self._talk.usable and self._transport is not None

    def offers(self, extension: str) -> bool:
        """Whether the host named it in its answer to EHLO."""
        return extension in self._talk.extensions

    @property
    def shows_client(self) -> bool:
        """Whether the host takes what we say as said by a client of ours (XCLIENT)."""
        return bool(self._talk.shown)

    @property
    def local_address(self) -> str:
        name = self._transport.get_extra_info("sockname") if self._transport else None
        return f"{name[0]}:{name[1]}" if name else ""

    @property
    def tls_active(self) -> bool:
        return self._talk.tls_active

    async def send(self, letter: Letter) -> tuple[Outcome, ...]:
        """Send a letter; one outcome for each recipient. Never raises for what the host does."""
        if not self.usable:
            failure = self._failure or _unreached("connection closed")
            return (failure,) * len(letter.recipients)
        self.bytes_sent = 0
        self.recipients += len(letter.recipients)
        self._finished = self._loop.create_future()
        self._handle(self._talk.send(letter))
        self._flush()
        try:
            finished = await self._finished
        except asyncio.CancelledError:
            self.abort()
            raise
        self.delivered += any(outcome.fate is Fate.DELIVERED for outcome in finished.outcomes)
        return finished.outcomes

    def close(self) -> None:
        """Say QUIT and let go; does not wait for the answer."""
        self._stop_timer()
        if self._transport is not None:
            self._talk.quit()
            data = self._talk.outgoing()
            if data:
                self._transport.write(data)
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._wait_for(self._talk.timeout_option)

    def data_received(self, data: bytes) -> None:
        if self.target.tap is not None:
            self.target.tap.heard(data)
        self._handle(self._talk.receive(data))
        self._flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.target.tap is not None:
            self.target.tap.event(f"connection ended{f': {exc}' if exc else ''}")
        unsent = bool(self._unsent())
        self._transport = None
        self._stop_timer()
        why = f"connection lost: {exc}" if exc is not None else "connection closed by the host"
        self._handle(self._talk.lose(f"421 4.4.2 [internal] {why}", unsent))

    # in between

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Finished):
                if self._finished is not None and not self._finished.done():
                    self._finished.set_result(event)
            elif isinstance(event, Ready):
                if not self._ready.done():
                    self._ready.set_result(None)
            elif isinstance(event, StartTls):
                self._handshake = self._loop.create_task(self._start_tls())
            elif isinstance(event, Unusable):
                self._end(event.outcome)

    def _end(self, outcome: Outcome) -> None:
        self._failure = outcome
        if not self._ready.done():
            self._ready.set_exception(ConnectionFailed(outcome))
            self._ready.exception()  # retrieved: an opener that was cancelled does not look any more
        self._stop_timer()
        if self._transport is not None:
            self._transport.close()
        if self._on_idle_end is not None:
            self._on_idle_end(self)

    def _flush(self) -> None:
        data = self._talk.outgoing()
        if data and self._transport is not None:
            if self.target.tap is not None:
                self.target.tap.sent(data, content=self._talk.stage is Stage.CONFIRMATION)
            self.bytes_sent += len(data)
            self._transport.write(data)
        if self._talk.usable and (data or self._talk.heard != self._heard):
            self._heard = self._talk.heard
            self._wait_for(self._talk.timeout_option)

    def _unsent(self) -> int:
        """Bytes that the host has not taken yet."""
        transport: Any = self._transport
        return transport.get_write_buffer_size() if transport is not None else 0

    async def _start_tls(self) -> None:
        transport = self._transport
        if transport is None:
            return
        context = self._tls or ssl.create_default_context()
        security = self.target.security
        encrypted: asyncio.Transport | None = None
        name = (*security.names, self.target.host)[0]
        why = ""
        try:
            async with asyncio.timeout(self._timeouts[self._talk.timeout_option]):
                encrypted = await self._loop.start_tls(
                    transport, self, context, server_hostname=name
                )
        except (OSError, ValueError, TimeoutError) as error:  # ValueError: a name TLS can't say
            why = getattr(error, "reason", None) or str(error) or "timed out"
        if encrypted is not None:
            self._transport = encrypted
            why = objection(security, encrypted.get_extra_info("ssl_object"))
        if why:
            text = f"451 4.7.5 [internal] TLS negotiation failed: {why}"
            self._handle(self._talk.lose(text, code=451))
            return
        if encrypted is None:  # the connection ended meanwhile
            return
        if self.target.tap is not None:
            self.target.tap.event("TLS begins")
        self._talk.tls_started()
        self._flush()

    # time: one timer for each connection, looked at when it fires, not moved with every answer

    def _wait_for(self, option: str) -> None:
        self._deadline = self._loop.time() + self._timeouts[option]
        self._written_at = self._unsent()
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if self._deadline is None or self._talk.stage is Stage.TLS_HANDSHAKE:
            return  # the handshake has a limit of its own
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_the_clock)
            return
        if self._talk.stage is Stage.IDLE:
            self._failure = Outcome(Fate.DEFERRED, 421, "421 idle connection closed", Stage.IDLE)
            self.close()
            if self._on_idle_end is not None:
                self._on_idle_end(self)
            return
        if self._written_at - self._unsent() >= SLOWEST:  # a large message on a thin line
            self._wait_for(self._talk.timeout_option)
            return
        text = (
            f"421 4.4.2 [internal] no answer within {self._timeouts[self._talk.timeout_option]:g} s"
        )
        self._handle(self._talk.lose(text, bool(self._unsent())))

    def _stop_timer(self) -> None:
        self._deadline = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _unreached(why: str) -> Outcome:
    return Outcome(Fate.DEFERRED, 421, f"421 4.4.1 [internal] {why}", Stage.NOT_CONNECTED)
