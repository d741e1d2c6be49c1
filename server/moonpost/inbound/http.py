"""HTTP/1.1 as a server speaks it: one connection, requests in, answers out. h11 reads and writes the bytes.

Knows nothing of mail. A request is handed on when it is whole; every limit is passed in. A client that breaks the
protocol gets one answer and is hung up on.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import h11

READ_BYTES = 65_536
MAX_HEADER_BYTES = 16_384  # chosen: credentials and a few fields need far less

LINGER_S = 2.0  # chosen: how long, and how much, is read and thrown away after a refusal
LINGER_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request. Header names are in lower case; of a field that comes twice the values are joined."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    verified: bool  # the client showed a certificate that we trust

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered. A body is JSON."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """idle_s: for a request to come whole, and for the next one to begin. Zero means no limit."""

    max_body_bytes: int
    idle_s: float
    chunked: bool = True


class Refused(Exception):
    """A request that is answered before it is whole."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


Handler = Callable[[Request], Awaitable[Answer]]


@dataclass(slots=True, eq=False)
class HttpConnection:
    """One client. `run` returns when the connection is over."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    handler: Handler
    limits: HttpLimits
    answering: bool = False  # a whole request is in our hands
    ending: bool = False  # hang up after the answer under way
    _protocol: h11.Connection = field(init=False)

    def __post_init__(self) -> None:
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)

    async def run(self) -> None:
        """Answer requests until either side has enough."""
        try:
            while await self._exchange() and not self.ending:
                pass
        except (ConnectionError, TimeoutError, ssl.SSLError):
            pass  # the client is gone, or said nothing for too long
        finally:
            self.writer.close()

    async def _exchange(self) -> bool:
        """One request and its answer; whether another may follow."""
        protocol = self._protocol
        try:
            async with asyncio.timeout(self.limits.idle_s or None):
                request = await self._request()
        except h11.RemoteProtocolError as error:
            return await self._refuse(plain(error.error_status_hint))
        except Refused as refused:
            return await self._refuse(refused.answer)
        if request is None:
            return False
        self.answering = True
        try:
            answer = await self.handler(request)
            await self._send(answer, last=self.ending, head=request.method == "HEAD")
        finally:
            self.answering = False
        if protocol.our_state is not h11.DONE or protocol.their_state is not h11.DONE:
            return False
        protocol.start_next_cycle()
        return True

    async def _request(self) -> Request | None:
        """The next whole request; None when the client has no more."""
        head: h11.Request | None = None
        headers: dict[str, str] = {}
        body = bytearray()
        while True:
            event = await self._event()
            if isinstance(event, h11.Request):
                head, headers = event, _headers(event)
                self._check(headers)
            elif isinstance(event, h11.Data):
                body += event.data
                if self.limits.max_body_bytes and len(body) > self.limits.max_body_bytes:
                    raise Refused(plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return Request(
                    head.method.decode("ascii"),
                    head.target.decode("ascii", "replace").partition("?")[0],
                    headers,
                    bytes(body),
                    self._verified(),
                )
            else:
                return None

    def _check(self, headers: Mapping[str, str]) -> None:
        """What can be refused by the header alone."""
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers:
            if "content-length" in headers:
                # One of two servers in a row would believe the other field: RFC 9112 section 6.1.
                raise Refused(plain(HTTPStatus.BAD_REQUEST))
            if not self.limits.chunked:
                raise Refused(plain(HTTPStatus.LENGTH_REQUIRED))
        if self.limits.max_body_bytes and int(length) > self.limits.max_body_bytes:
            raise Refused(plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))

    async def _event(self) -> h11.Event:
        protocol = self._protocol
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                if protocol.they_are_waiting_for_100_continue:
                    ready = h11.InformationalResponse(status_code=100, headers=[])
                    self.writer.write(protocol.send(ready) or b"")
                protocol.receive_data(await self.reader.read(READ_BYTES))
            else:
                return event  # type: ignore[return-value]  # PAUSED does not come between cycles

    async def _send(self, answer: Answer, *, last: bool, head: bool = False) -> None:
        protocol = self._protocol
        if protocol.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [("content-length", str(len(answer.body))), *answer.headers]
        if answer.body:
            headers.append(("content-type", "application/json"))
        if last:
            headers.append(("connection", "close"))
        response = h11.Response(
            status_code=answer.status,
            headers=headers,
            reason=_reason(answer.status),
        )
        data = protocol.send(response) or b""
        if answer.body and not head:
            data += protocol.send(h11.Data(data=answer.body)) or b""
        data += protocol.send(h11.EndOfMessage()) or b""
        self.writer.write(data)
        await self.writer.drain()

    async def _refuse(self, answer: Answer) -> bool:
        """Answer, and let a client that still sends read it: hanging up on unread bytes resets the connection."""
        await self._send(answer, last=True)
        if self.writer.can_write_eof():
            self.writer.write_eof()
        left = LINGER_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while left > 0 and (data := await self.reader.read(READ_BYTES)):
                    left -= len(data)
        return False

    def _verified(self) -> bool:
        tls = self.writer.get_extra_info("ssl_object")
        return tls is not None and bool(tls.getpeercert())


def plain(status: int) -> Answer:
    """An answer without words of its own."""
    return Answer(int(status))


def _headers(request: h11.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""
