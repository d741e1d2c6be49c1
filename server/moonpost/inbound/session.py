"""One SMTP connection: moves bytes between a socket and the pure machine.

A subclass of aiosmtpd's SMTP for its AUTH mechanisms, PROXY parsing, address parser and Session; its hot path (a stream
reader, one timer and one write per command, reflection over itself on every connection) is replaced, see
docs/decisions/receiving.md. Decides nothing: every answer comes from `moonpost.phases`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiosmtpd.proxy_protocol import get_proxy
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session, _AuthMechAttr

from moonpost.inbound.driving import Driving, Gone
from moonpost.inbound.intake import Content, Intake, Line
from moonpost.inbound.service import Service
from moonpost.inbound.tls import connection_keys
from moonpost.inbound.waiting import WaitingReader
from moonpost.phases import replies
from moonpost.phases.actions import Authenticate, StartTls
from moonpost.phases.greeting import base_capabilities
from moonpost.phases.machine import Machine
from moonpost.phases.options import SessionOptions
from moonpost.phases.state import Peer, begin

MAX_WAITING = 65_536  # bytes taken from a peer that sends on without waiting for answers

Address = tuple[str, int]


class SmtpSession(Driving, SMTP, asyncio.BufferedProtocol):
    """The asyncio protocol of one connection."""

    enable_SMTPUTF8 = True
    event_handler = None
    _handle_hooks: dict[str, Any] = {}
    _tls_protocol = None

    def __init__(self, service: Service) -> None:
        # aiosmtpd's own __init__ is left out: its reflection is a fifth of a short session. What its methods that are
        # used here look at, is set before they are called.
        self.service = service
        self.loop = service.loop
        self.transport: Any = None
        self.machine: Machine | None = None
        self.intake = Intake()
        self.idle_since = 0.0  # loop time of the last sign of life
        self.busy = True  # steps are under way
        self.closing = False
        self.ended = False  # the peer sends no more, and may still listen
        self.out: list[bytes] = []
        self.entry: Any = None  # in the book of sessions
        self._init_driving()
        self._write_paused = False
        self._read_paused = False
        self._reader: Any = None  # a WaitingReader while a coroutine talks to the peer
        self._credentials: tuple[str, str, str] | None = None

    # What asyncio calls

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.idle_since = self.loop.time()
        remote = address(transport.get_extra_info("peername"))
        options = self.service.settings.options_for(remote[0])
        if not self.service.admit(self, remote[0]):
            self.closing = True
            transport.write(replies.CONCURRENCY)
            transport.close()
        elif self.service.settings.proxy_protocol_timeout_s > 0:
            self.attend(self._proxied())
        else:
            self._begin(options, remote, address(transport.get_extra_info("sockname")))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.service.landing  # shared: what lands there is taken before anybody else reads

    def buffer_updated(self, nbytes: int) -> None:
        if self.closing:
            return
        self.idle_since = self.loop.time()
        self.intake.feed(self.service.landing[:nbytes])
        if not self.busy:
            self.pump()
            return
        if self._reader is not None:
            self._reader.wake()
        self.noticed_data()
        if len(self.intake) > MAX_WAITING and not self._read_paused and self.transport is not None:
            self._read_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """A peer that sends no more may still wait for the answer to what it sent."""
        tls = (
            self.machine is not None and self.machine.state.tls
        )  # TLS has no half-closed connections
        self.ended = self.busy and self._reader is None and not tls
        return self.ended

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is None:
            return
        self.transport = None
        self.closing = True
        self.service.forget(self)
        self.lost()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if not self.busy:
            self.pump()

    # What the listener calls

    @property
    def waits_for_peer(self) -> bool:
        """Whether it is the peer's turn."""
        return not self.busy or self._reader is not None

    def time_out(self) -> None:
        """Nothing came for too long."""
        self._end_with_421(timeout=True)

    def say_stopping(self) -> None:
        """The server stops: hang up, unless an answer or a content is under way."""
        if not self.intake.reading_content:
            self._end_with_421(timeout=False)

    def _end_with_421(self, *, timeout: bool) -> None:
        machine = self.machine
        if self._reader is not None:
            self.abort()  # in the middle of an exchange that has no place for another reply
            return
        if machine is None or self.busy or self.closing:
            return
        now = self.service.now()
        self.drive(machine.timed_out(now) if timeout else machine.stopping(now))
        self.flush()

    def abort(self) -> None:
        """Hang up without a word."""
        if self.transport is not None:
            self.transport.abort()

    # Bytes to items, replies to bytes

    def pump(self) -> None:
        """Handle what came in as far as possible, and write all replies at once."""
        machine = self.machine
        if machine is not None:
            now = self.service.now
            while not (self.busy or self.closing or self._write_paused):
                item = self.intake.next()
                if item is None:
                    break
                if isinstance(item, Line):
                    self.drive(machine.line(item.text, now(), item.problem))
                elif isinstance(item, Content):
                    self.drive(machine.content(item.data, now(), item.problem))
                else:
                    self.chunk_arrived(item.data)
        self.flush()
        if self._read_paused and not self.busy and self.transport is not None:
            self._read_paused = False
            self.transport.resume_reading()

    def flush(self) -> None:
        """Write what was said, and hang up if that was all."""
        transport = self.transport
        if transport is None:
            return
        if self.out:
            transport.write(b"".join(self.out) if len(self.out) > 1 else self.out[0])
            self.out.clear()
        if (self.closing or self.ended) and not self.busy:
            transport.close()

    def _begin(self, options: SessionOptions, remote: Address, local: Address) -> None:
        service = self.service
        tls = self.transport.get_extra_info("ssl_object")
        tls_offered = service.settings.tls is not None
        state = begin(
            options,
            Peer(*remote, *local),
            service.policy,
            self._getaddr,
            listener=service.settings.name,
            capabilities=base_capabilities(options, tls_offered=tls_offered, tls=tls is not None),
            tls_offered=tls_offered,
            tls_keys=None if tls is None else connection_keys(tls),
        )
        self.machine = Machine(state)
        self.drive(self.machine.connected(service.now()))
        self.pump()

    # Exchanges written as coroutines

    async def push(self, status: str | bytes) -> None:
        """A reply of aiosmtpd's own methods."""
        self.out.append(
            (status.encode("latin-1", "replace") if isinstance(status, str) else status) + b"\r\n"
        )
        self.flush()

    async def start_tls(self, action: StartTls) -> dict[str, str] | None:
        """220, then the handshake, by asyncio's public call: aiosmtpd's way needs private parts of asyncio."""
        if len(self.intake):
            if action.injection_is_error:
                return None
            self.intake.clear()
        self.out.append(replies.START_TLS)
        self.flush()
        old, context = self.transport, self.service.settings.tls
        assert old is not None and context is not None
        # What reaches data_received from here on was sent inside TLS.
        try:
            self.transport = await self.loop.start_tls(old, self, context, server_side=True)
        except OSError as error:  # no handshake, or none in time
            raise Gone from error
        if self.transport is None:
            raise Gone
        return connection_keys(self.transport.get_extra_info("ssl_object"))

    async def authenticate(self, action: Authenticate) -> tuple[str, str, str] | None:
        """aiosmtpd's AUTH exchange, with somebody else deciding on what was presented."""
        assert self.machine is not None
        state = self.machine.state
        self.session = Session(self.loop)
        self.session.host_name, self.session.extended_smtp = state.helo, state.esmtp
        self.session.authenticated = bool(state.auth_user)
        self.envelope = self._create_envelope()
        self._auth_require_tls = False  # decided already
        self._auth_methods = {
            name: _AuthMechAttr(getattr(self, f"auth_{name}"), True)
            for name in state.options.mechanisms
        }
        self._authenticator = self._presented
        self._credentials = None
        self._reader = WaitingReader(self.intake)
        try:
            verb, _, rest = action.argument.partition(" ")
            await self.smtp_AUTH(f"{verb.upper()} {rest}".strip())
        finally:
            self._reader = None
        return self._credentials

    def _presented(
        self, _server: Any, _session: Any, _envelope: Any, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self._credentials = (
            mechanism,
            data.login.decode("latin-1"),
            data.password.decode("latin-1"),
        )
        return AuthResult(success=False, handled=True)  # aiosmtpd says nothing more

    async def _proxied(self) -> None:
        """A PROXY header names the two ends; without a good one the connection is of no use."""
        self._reader = WaitingReader(self.intake)
        settings = self.service.settings
        try:
            async with asyncio.timeout(settings.proxy_protocol_timeout_s):
                told = await get_proxy(self._reader)
        except (TimeoutError, asyncio.LimitOverrunError):
            told = None
        finally:
            self._reader = None
        if self.transport is None:
            return
        if not told:
            self.service.tally.refused_connections += 1
            self.closing, self.busy = True, False
            self.flush()
            return
        remote = address(self.transport.get_extra_info("peername"))
        local = address(self.transport.get_extra_info("sockname"))
        if told.src_addr is not None and told.dst_addr is not None:
            remote = (str(told.src_addr), int(told.src_port or 0))
            local = (str(told.dst_addr), int(told.dst_port or 0))
        self._begin(settings.options_for(remote[0]), remote, local)

    def attend(self, exchange: Coroutine[Any, Any, None]) -> None:
        """Run an exchange that is no step of the machine."""
        self._task = self.loop.create_task(exchange)


def address(name: Any) -> Address:
    """`(ip, port)` of what a socket says; a Unix socket has neither."""
    if isinstance(name, tuple) and len(name) >= 2:
        ip = str(name[0])
        return (ip[7:] if ip.startswith("::ffff:") else ip), int(name[1])
    return "", 0
