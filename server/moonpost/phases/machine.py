"""One SMTP session as a pure machine: events in, actions out, time as an argument.

Each event method returns steps, a generator of actions (see `actions`); the driver performs them in order and begins
the next event when they are used up. What may follow what is a table; what a command does is in `greeting` and
`transaction`, what happens after the final dot in `acceptance`.
"""

from __future__ import annotations

from collections.abc import Callable

from moonpost.phases import greeting, recipient, replies, sender, transaction, trusted
from moonpost.phases.acceptance import accept_content, refuse_content
from moonpost.phases.actions import Authenticate, Failed, Note, RunDealloc, Steps
from moonpost.phases.answering import bad_command, close
from moonpost.phases.asking import tell
from moonpost.phases.authentication import count_failure, credentials
from moonpost.phases.content import Problem
from moonpost.phases.state import SessionState, State
from moonpost.policy.interface import Outcome
from msys.constants import MC_STATE_EHLO

Handler = Callable[[SessionState, str, str], Steps]


def _noop(_session: SessionState, _line: str, _argument: str) -> Steps:
    yield replies.OK_NOOP


def _vrfy(session: SessionState, _line: str, argument: str) -> Steps:
    yield replies.CANNOT_VERIFY if argument else replies.ARGUMENT_NEEDED


def _help(_session: SessionState, _line: str, _argument: str) -> Steps:
    yield replies.HELP


def _quit(session: SessionState, _line: str, _argument: str) -> Steps:
    yield replies.goodbye(session.options.hostname)
    yield from close(session)


def _auth(session: SessionState, _line: str, argument: str) -> Steps:
    options = session.options
    if not options.mechanisms:
        yield from bad_command(session, replies.UNKNOWN_COMMAND)
        return
    if options.auth_requires_tls and not session.tls:
        yield replies.AUTH_NEEDS_TLS
        return
    if session.auth_user:
        yield replies.AUTH_DONE
        return
    presented = yield Authenticate(argument)
    if presented is not None:
        yield from credentials(session, *presented)
    if not session.auth_user and session.state is not State.CLOSED:
        yield from count_failure(session)


COMMANDS: dict[str, Handler] = {
    "MAIL": sender.mail,
    "RCPT": recipient.rcpt,
    "DATA": transaction.data,
    "BDAT": transaction.bdat,
    "RSET": transaction.rset,
    "EHLO": greeting.ehlo,
    "HELO": greeting.ehlo,
    "XCLIENT": trusted.xclient,
    "XREMOTEIP": trusted.xremoteip,
    "XSETCONTEXT": trusted.xsetcontext,
    "XDUMPCONTEXT": trusted.xdumpcontext,
    "STARTTLS": greeting.starttls,
    "AUTH": _auth,
    "NOOP": _noop,
    "VRFY": _vrfy,
    "HELP": _help,
    "QUIT": _quit,
}

# (state, verb) -> what is said instead of doing it. What is not here is allowed.
OUT_OF_ORDER: dict[tuple[State, str], bytes] = {
    (State.READY, "RCPT"): replies.NEED_MAIL,
    (State.READY, "DATA"): replies.NEED_MAIL,
    (State.MAIL, "MAIL"): replies.NESTED_MAIL,
    (State.MAIL, "STARTTLS"): replies.NESTED_MAIL,
    (State.MAIL, "AUTH"): replies.NESTED_MAIL,  # RFC 4954 section 4
    (State.MAIL, "XCLIENT"): replies.NESTED_MAIL,
    (State.CHUNKS, "MAIL"): replies.NESTED_MAIL,
    (State.CHUNKS, "RCPT"): replies.BDAT_UNDERWAY,
    (State.CHUNKS, "DATA"): replies.BDAT_UNDERWAY,
    (State.CHUNKS, "STARTTLS"): replies.NESTED_MAIL,
    (State.CHUNKS, "AUTH"): replies.NESTED_MAIL,
    (State.CHUNKS, "XCLIENT"): replies.NESTED_MAIL,
}
WITHOUT_EHLO = {"EHLO", "HELO", "QUIT", "NOOP", "RSET", "HELP", "STARTTLS"} | {
    "XCLIENT",
    "XREMOTEIP",
    "XSETCONTEXT",
    "XDUMPCONTEXT",
}
WITHOUT_AUTH = WITHOUT_EHLO | {"AUTH"}
COUNTED_CONTENT = frozenset(("BDAT",))  # their bytes follow whatever is answered


class Machine:
    """The session. `state` is all it knows."""

    def __init__(self, state: SessionState) -> None:
        self.state = state

    def connected(self, now: float) -> Steps:
        """The connection is there."""
        self.state.now = now
        return greeting.connected(self.state)

    def line(self, text: str, now: float, problem: Problem | None = None) -> Steps:
        """A command line came in, without its end."""
        session = self.state
        session.now = now
        if problem is Problem.BARE_NEWLINE:
            return self._injected()
        if problem is not None:
            return bad_command(session, replies.LINE_TOO_LONG)
        verb, _, argument = text.partition(" ")
        verb = verb.upper()
        handler = COMMANDS.get(verb)
        if handler is None:
            return self._unknown()
        refusal = OUT_OF_ORDER.get((session.state, verb)) or self._forbidden(verb)
        if refusal is not None and verb not in COUNTED_CONTENT:
            return self._say(refusal)
        return handler(session, text, argument.strip(" "))

    def content(self, data: bytes, now: float, problem: Problem | None = None) -> Steps:
        """The content of DATA is complete, unstuffed."""
        session = self.state
        session.now = now
        if problem is not None:
            return refuse_content(session, problem)
        return accept_content(session, data)

    def ended(self, now: float) -> Steps:
        """The connection is gone, by whichever side."""
        session = self.state
        session.now = now
        session.state = State.CLOSED
        try:
            if session.transaction is not None:
                values = {"accept": session.accept}
                yield from tell(session.generation, "core_server_esmtp_session_abort", values)
            if session.policy_state.entered and session.generation.has("validate_dealloc"):
                outcome: Outcome = yield RunDealloc()
                if outcome.error is not None:
                    yield Failed(outcome.error, "validate_dealloc")
        finally:
            session.generation.release()

    def timed_out(self, now: float) -> Steps:
        """Nothing came for too long."""
        self.state.now = now
        yield replies.closing(self.state.options.hostname, "timeout, closing connection")
        yield from close(self.state)

    def stopping(self, now: float) -> Steps:
        """The server shuts down between two commands."""
        self.state.now = now
        yield replies.closing(self.state.options.hostname, "service shutting down")
        yield from close(self.state)

    def spoke_early(self) -> None:
        """Bytes came before the banner went out."""
        greeting.spoke_early(self.state)

    def _forbidden(self, verb: str) -> bytes | None:
        session = self.state
        if session.state is State.REFUSED and verb != "QUIT":
            return replies.REFUSED_SESSION
        options = session.options
        if options.require_ehlo and not session.helo and verb not in WITHOUT_EHLO:
            return replies.NEED_EHLO
        if options.require_auth and not session.auth_user and verb not in WITHOUT_AUTH:
            return replies.AUTH_REQUIRED
        return None

    def _injected(self) -> Steps:
        """A bare CR or LF in a command: perhaps a command inside an address, so nothing that follows counts."""
        session = self.state
        yield Note(500, "bare CR or LF in a command", "awaiting command", MC_STATE_EHLO, "protocol")
        yield replies.BARE_NEWLINE
        yield from close(session)

    def _say(self, reply: bytes) -> Steps:
        yield reply

    def _unknown(self) -> Steps:
        session = self.state
        session.unknown_commands += 1
        session.vctx.conn["conntrol_unrecognized_commands"] = str(session.unknown_commands)
        return bad_command(session, replies.UNKNOWN_COMMAND)
