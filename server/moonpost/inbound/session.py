"""One SMTP connection: moves bytes between a socket and the pure machine.

A subclass of aiosmtpd's SMTP for its AUTH mechanisms, PROXY parsing, address parser and Session; its hot path (a stream
reader, one timer and one write per command, reflection over itself on every connection) is replaced, see
docs/decisions/receiving.md. Decides nothing: every answer comes from `moonpost.phases`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from secrets import token_hex
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session, _AuthMechAttr

from moonpost.inbound.driving import Driving, Gone
from moonpost.inbound.intake import Content, Intake, Line
from moonpost.inbound.interface import Tap
from moonpost.inbound.proxy import Address, Ends, ends_of, named_ends
from moonpost.inbound.service import Service
from moonpost.inbound.settings import Cap
from moonpost.inbound.tls import connection_keys
from moonpost.inbound.waiting import WaitingReader
from moonpost.phases import replies
from moonpost.phases.actions import Authenticate, StartTls
from moonpost.phases.greeting import base_capabilities
from moonpost.phases.machine import Machine
from moonpost.phases.state import Peer, begin

MAX_WAITING = 65_536  # bytes taken from a peer that sends on without waiting for answers


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
        self.peer = service.settings.peer
        self.caps: tuple[Cap, ...] = ()  # what it counts for
        self.entry: Any = None  # in the book of sessions
        self._init_driving()
        self.tap: Tap | None = None  # somebody writes this session out
        self._write_paused = False
        self._read_paused = False
        self._reader: Any = None  # a WaitingReader while a coroutine talks to the peer
        self._credentials: tuple[str, str, str] | None = None
        self._bytewise = False  # what follows a PROXY header is for the TLS handshake, not for us

    # What asyncio calls

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.idle_since = self.loop.time()
        settings = self.service.settings
        ends = ends_of(transport)
        try:
            self.peer = settings.of_peer(ends[0][0])
            if not self.service.admit(self):
                self.abort() if settings.tls_from_start else self._turn_away()
            elif self.peer.proxy_header or settings.tls_from_start:
                self._bytewise = settings.tls_from_start
                if not self.peer.proxy_header:
                    transport.pause_reading()  # the handshake reads
                self.attend(self._before_banner(ends))
            else:
                self._identified(ends)
        except Exception as error:
            self._no_session(ends, error)

    def get_buffer(self, sizehint: int) -> memoryview:
        # Shared: what lands there is taken before anybody else reads.
        return self.service.landing[:1] if self._bytewise else self.service.landing

    def buffer_updated(self, nbytes: int) -> None:
        if self.closing:
            return
        self.idle_since = self.loop.time()
        if self.tap is not None:
            self.tap.heard(
                bytes(self.service.landing[:nbytes]), content=self.intake.reading_content
            )
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
        if self.tap is not None:
            self.tap.event(f"connection ended{f': {error}' if error else ''}")
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

    def silent_too_long(self, now: float) -> bool:
        """Whether nothing came from the peer for longer than it may take. now: loop time."""
        limit = self.peer.idle_time_s
        return limit > 0 and self.idle_since < now - limit and self.waits_for_peer

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
            if self.tap is not None:
                self.tap.sent(b"".join(self.out))
            transport.write(b"".join(self.out) if len(self.out) > 1 else self.out[0])
            self.out.clear()
        if (self.closing or self.ended) and not self.busy:
            transport.close()

    def _identified(self, ends: Ends) -> None:
        """Both ends are known: begin, unless there are too many of its kind."""
        if self.service.identify(self, ends[0][0], self.peer.caps):
            self._begin(*ends)
        else:
            self._turn_away()

    def _turn_away(self) -> None:
        self.closing, self.busy = True, False
        self.out.append(replies.CONCURRENCY)
        self.flush()

    def _begin(self, remote: Address, local: Address) -> None:
        service, options = self.service, self.peer.options
        tls = self.transport.get_extra_info("ssl_object")
        tls_offered = service.settings.tls_of(self.peer) is not None
        state = begin(
            options,
            Peer(*remote, *local),
            service.policy,
            self._getaddr,
            listener=service.settings.name,
            capabilities=base_capabilities(options, tls_offered=tls_offered, tls=tls is not None),
            tls_offered=tls_offered,
            tls_keys=None if tls is None else connection_keys(tls),
            options_of=lambda ip: service.settings.of_peer(ip).options,
        )
        if service.tap is not None:
            self.tap = service.tap(remote[0], f"{state.conn_id.text} {state.peer.remote}")
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
        await self._handshake()
        if self.tap is not None:
            self.tap.event("TLS begins")
        return connection_keys(self.transport.get_extra_info("ssl_object"))

    async def _handshake(self) -> None:
        """What reaches buffer_updated from here on was sent inside TLS. Gone: no handshake, or none in time."""
        old, context = self.transport, self.service.settings.tls_of(self.peer)
        assert old is not None and context is not None
        try:
            self.transport = await self.loop.start_tls(old, self, context, server_side=True)
        except OSError as error:
            raise Gone from error
        if self.transport is None:
            raise Gone

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
            name: _AuthMechAttr(getattr(self, f"auth_{name.replace('-', '_')}"), True)
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

    async def auth_CRAM_MD5(self, _server: Any, _args: list[str]) -> AuthResult:
        """RFC 2195. In place of a password stand our challenge, a blank, and what the client made of it."""
        assert self.machine is not None
        host = self.machine.state.options.hostname
        challenge = f"<{token_hex(16)}.{int(self.service.now())}@{host}>".encode("ascii", "replace")
        answer = await self.challenge_auth(challenge)
        if not isinstance(answer, bytes):
            return AuthResult(success=False)  # told already
        user, _, digest = answer.rpartition(b" ")
        return self._authenticate("CRAM-MD5", LoginPassword(user, challenge + b" " + digest))

    def _presented(
        self, _server: Any, _session: Any, _envelope: Any, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self._credentials = (
            mechanism,
            data.login.decode("latin-1"),
            data.password.decode("latin-1"),
        )
        return AuthResult(success=False, handled=True)  # aiosmtpd says nothing more

    async def _before_banner(self, ends: Ends) -> None:
        """A PROXY header names the two ends, then a handshake may be due; without them we hang up."""
        settings = self.service.settings
        try:
            if self.peer.proxy_header:
                self._reader = WaitingReader(self.intake)
                named = await named_ends(self._reader, ends, self.peer.proxy_header_timeout_s)
                self._reader = None
                if self.transport is None:
                    return
                if named is None:
                    self.service.tally.refused_connections += 1
                    self.abort()
                    return
                ends = named
                self.peer = settings.of_peer(ends[0][0])
            if settings.tls_from_start:
                self._bytewise = False
                await self._handshake()
            self._identified(ends)
        except Gone as error:
            self.connection_lost(error)
        except Exception as error:
            self._no_session(ends, error)

    def _no_session(self, ends: Ends, error: Exception) -> None:
        """Our own mistake before there is anybody to answer to."""
        self.service.log.panic(
            "moonpost", f"no session for {ends[0][0]}: {error!r}; the connection was closed"
        )
        self.abort()

    def attend(self, exchange: Coroutine[Any, Any, None]) -> None:
        """Run an exchange that is no step of the machine."""
        self._task = self.loop.create_task(exchange)
