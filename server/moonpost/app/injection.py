"""Mail that comes in over HTTP: who may send it, policy's own moment for it, the spool, the answer.

Answers as the Momentum 4 REST interface does: `results` with counts and an id, or `errors`. Nothing is acknowledged
that the spool has not committed; a request is kept whole or, when somebody must be put off, not at all.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from moonpost.app.events import EventStream
from moonpost.app.judging import judged_by
from moonpost.inbound.http import Answer, Request, plain
from moonpost.inbound.interface import Authenticator, Credentials, Keeper, Refusal
from moonpost.inbound.transmission import (
    NotUnderstood,
    Transmission,
    missing_fields,
    read_transmission,
)
from moonpost.phases.actions import Reception
from moonpost.phases.enqueue import Fate, enqueue_over_http
from moonpost.phases.options import Network, within
from moonpost.phases.received import received
from moonpost.phases.state import endpoint
from moonpost.phases.table import OVER_HTTP
from moonpost.phases.verdicts import Verdict
from moonpost.policy.interface import Generation, Policy, PolicyState
from moonpost.queue.keeper import P_REST
from moonpost.spool.interface import SpoolError, SpoolFull
from msys.accept import Accept
from msys.identity import IDS, Id
from msys.message import Message
from msys.ports import Log
from msys.vctx import ValidationContext

PATH = "/api/v1/transmissions"
TURN = 50  # copies judged before others get a turn of the loop; chosen
CHALLENGE = ("www-authenticate", 'Basic realm="moonpost", charset="UTF-8"')
AGAIN_S = 60  # what a client that is put off is told to wait; chosen

Ends = tuple[tuple[str, int], tuple[str, int]]  # remote, local


@dataclass(frozen=True, slots=True)
class InjectionOptions:
    """What one HTTP listener allows."""

    listener: str
    hostname: str
    networks: tuple[Network, ...] = ()  # clients that may send without a log-in
    authentication: bool = False
    certificate_is_enough: bool = False
    default_binding: str = ""
    log_requests: bool = False


@dataclass(frozen=True, slots=True)
class Injector:
    """Handles requests of one HTTP listener."""

    options: Callable[[str], InjectionOptions]  # by address
    policy: Policy
    keeper: Keeper
    log: Log
    events: EventStream | None
    authenticator: Authenticator | None
    now: Callable[[], float]

    async def __call__(self, request: Request, ends: Ends) -> Answer:
        began = self.now()
        try:
            answer = await self._answer(request, ends)
        except Exception as error:
            self.log.panic("http", f"internal error: {error!r}; answered 500; please report this")
            answer = plain(HTTPStatus.INTERNAL_SERVER_ERROR)
        if self.options(ends[0][0]).log_requests:
            took_ms = round((self.now() - began) * 1000)
            words = json.dumps(f"{request.method} {request.path} HTTP/1.1")
            self.log.panic(
                "http", f"{ends[0][0]} {words} {answer.status} {len(answer.body)} {took_ms}", "info"
            )
        return answer

    async def _answer(self, request: Request, ends: Ends) -> Answer:
        if request.path != PATH:
            return plain(HTTPStatus.NOT_FOUND)
        if request.method != "POST":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("allow", "POST"),))
        user = await self._user(request, ends)
        if isinstance(user, Answer):
            return user
        if request.media_type != "application/json":
            # Also keeps out pages of other sites, which may send plain text from anybody's browser.
            return plain(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            transmission = read_transmission(request.body)
        except NotUnderstood as wrong:
            return mistaken(HTTPStatus.UNPROCESSABLE_ENTITY, str(wrong))
        generation = self.policy.current()
        generation.hold()
        try:
            return await self._inject(generation, transmission, ends, user)
        finally:
            generation.release()

    async def _user(self, request: Request, ends: Ends) -> str | Answer:
        """Who sends, empty when the address or a certificate is enough; or the refusal."""
        options = self.options(ends[0][0])
        if options.certificate_is_enough and request.verified:
            return ""
        if within(ends[0][0], options.networks):
            return ""
        if not options.authentication or self.authenticator is None:
            return plain(HTTPStatus.FORBIDDEN)
        presented = _basic(request.headers.get("authorization", ""))
        if presented is None:
            return Answer(HTTPStatus.UNAUTHORIZED, headers=(CHALLENGE,))
        try:
            good = await self.authenticator.check(presented)
        except Exception as error:
            self.log.panic("auth", f"credentials could not be checked: {error}; answered 503")
            return _again("credentials can't be checked at present")
        user = presented.user.decode("latin-1")
        return user if good else Answer(HTTPStatus.UNAUTHORIZED, headers=(CHALLENGE,))

    async def _inject(
        self, generation: Generation, transmission: Transmission, ends: Ends, user: str
    ) -> Answer:
        options, now = self.options(ends[0][0]), self.now()
        session = _Session(options, ends, user, now, IDS.next())
        copies = session.copies(transmission)
        staying: list[Message] = []
        refusals = 0
        for at, copy in enumerate(copies):
            if at % TURN == TURN - 1:
                await asyncio.sleep(0)
            accept, vctx = session.asked_about(copy)
            steps = enqueue_over_http(
                generation, copy, accept, vctx, now, default_binding=options.default_binding
            )
            state = PolicyState(accept=accept, vctx=vctx)
            judged = await judged_by(steps, generation, state, copy, self.log, self.events)
            if judged.fate is Fate.DEFER:
                self._refused(session, generation, copy, judged.verdict)
                return _again("try again later")
            if judged.fate is Fate.REFUSE:
                self._refused(session, generation, copy, judged.verdict)
                refusals += 1
            elif judged.fate is Fate.KEEP:
                staying.append(copy)
        if staying:
            try:
                await self.keeper.keep(staying, session.reception(generation, transmission))
            except SpoolError as error:
                self.log.panic("spool", f"{error}; request refused with 503")
                full = isinstance(error, SpoolFull)
                return _again("not enough storage" if full else "mail can't be stored at present")
        if refusals == len(copies):
            return mistaken(HTTPStatus.UNPROCESSABLE_ENTITY, "policy refused every recipient")
        return _json(
            HTTPStatus.OK,
            {
                "results": {
                    "total_accepted_recipients": len(copies) - refusals,
                    "total_rejected_recipients": refusals,
                    "id": copies[0].batch_id.text,
                }
            },
        )

    def _refused(
        self, session: _Session, generation: Generation, copy: Message, verdict: Verdict | None
    ) -> None:
        verdict = verdict or Verdict(550, "refused by policy")
        refusal = Refusal(
            phase=OVER_HTTP.log_phase,
            module=verdict.module,
            remote=session.remote,
            local=session.local,
            conn_id=session.conn_id.text,
            pathway="default",
            pathway_group="",
            conn=copy.conn,
            mess=copy.mess,
            decided_by=verdict.decided_by,
            message_id=copy.id.text,
            batch_id=copy.batch_id.text,
            sender=copy.sender or "",
            recipient=copy.recipient,
            generation=generation.number,
        )
        self.log.reject(refusal, verdict.code, verdict.text)


@dataclass(frozen=True, slots=True)
class _Session:
    """One request, in the words of a session."""

    options: InjectionOptions
    ends: Ends
    user: str
    now: float
    conn_id: Id

    @property
    def remote(self) -> str:
        return endpoint(*self.ends[0])

    @property
    def local(self) -> str:
        return endpoint(*self.ends[1])

    def copies(self, transmission: Transmission) -> list[Message]:
        """One message for each recipient; they share the body."""
        identity = IDS.next()
        hostname = self.options.hostname
        trace = received(
            helo="",
            remote_ip=self.ends[0][0],
            hostname=hostname,
            protocol="HTTP",
            message_id=identity.text,
            recipient="",
            now=self.now,
        )
        own = missing_fields(transmission, identity.text, hostname, self.now)
        conn = {"pathway": "default", "can_relay": "true"}
        if self.user:
            conn["auth_user"] = self.user
        first = Message(
            id=identity,
            batch_id=identity,
            conn_id=self.conn_id,
            mailfrom=transmission.sender,
            conn=conn,
            mess=_parts("mailfrom", transmission.sender),
            recv_method=P_REST,
            listener=self.ends[1],
            peer=self.ends[0],
            creation_time=int(self.now),
        )
        first.content = trace + own + transmission.content
        copies = []
        for at, recipient in enumerate(transmission.recipients):
            copy: Message = first.copy_for(recipient.address, None if at else identity)
            copy.mess.update(_parts("rcptto", recipient.address))
            if recipient.to:
                copy.header("To", recipient.to, "append")
            copies.append(copy)
        return copies

    def asked_about(self, copy: Message) -> tuple[Accept, ValidationContext]:
        """What policy sees of the session."""
        accept = Accept(
            remote=self.ends[0],
            local=self.ends[1],
            conn_id=self.conn_id,
            listener=self.options.listener,
        )
        vctx = ValidationContext(conn=copy.conn, mess=copy.mess)
        accept.vctx, accept.message = vctx, copy
        return accept, vctx

    def reception(self, generation: Generation, transmission: Transmission) -> Reception:
        addresses = [transmission.sender, *(one.address for one in transmission.recipients)]
        return Reception(
            conn_id=self.conn_id.text,
            protocol="HTTP",
            remote=self.remote,
            local=self.local,
            received_at=self.now,
            generation=generation.number,
            auth_user=self.user,
            utf8=not all(map(str.isascii, addresses)),
            eight_bit=not transmission.content.isascii(),
        )


def mistaken(status: int, message: str) -> Answer:
    """An answer that says what was wrong with the request."""
    return _json(status, {"errors": [{"message": message}]})


def _again(message: str) -> Answer:
    answer = mistaken(HTTPStatus.SERVICE_UNAVAILABLE, message)
    return Answer(answer.status, answer.body, (("retry-after", str(AGAIN_S)),))


def _json(status: int, words: Any) -> Answer:
    return Answer(int(status), json.dumps(words).encode() + b"\n")


def _basic(text: str) -> Credentials | None:
    """User and password of an Authorization field; None when there are none."""
    scheme, _, rest = text.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return Credentials("PLAIN", user, password) if colon else None


def _parts(name: str, address: str) -> dict[str, str]:
    localpart, _, domain = address.rpartition("@")
    return {f"{name}_localpart": localpart or domain, f"{name}_domain": domain if localpart else ""}
