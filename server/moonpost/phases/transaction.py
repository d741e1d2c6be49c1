"""One SMTP session as a pure machine: events in, actions out, time as an argument.

Each event method returns steps, a generator of actions (see `actions`); the driver performs them in order and begins
the next event when they are used up. What may follow what is a table. Replies are worded in `replies`, moments of
policy are rows of `table`; what happens after the final dot is in `acceptance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from moonpost.phases import replies
from moonpost.phases.acceptance import accept_content
from moonpost.phases.actions import (
    Authenticate,
    Close,
    Note,
    Pause,
    ReadChunk,
    ReadContent,
    RunDealloc,
    StartTls,
    Steps,
)
from moonpost.phases.addresses import (
    MAIL_PARAMETERS,
    RCPT_PARAMETERS,
    BadParameter,
    Fallback,
    Path,
    parse_parameters,
    parse_path,
)
from moonpost.phases.asking import ask
from moonpost.phases.options import SessionOptions, within
from moonpost.phases.session import Envelope, Problem, Session
from moonpost.phases.table import CONNECT, EHLO, MAILFROM, RCPTTO, RCPTTO_LIST, Moment
from moonpost.phases.verdicts import Verdict
from msys.constants import MC_STATE_RELAYING_DENIED
from msys.ecstring import EcString


class State(Enum):
    """Where a session is."""

    READY = auto()  # no transaction
    MAIL = auto()  # a sender was accepted
    CHUNKS = auto()  # BDAT has begun
    REFUSED = auto()  # policy refused the connection and left it open
    CLOSED = auto()


# (state, verb) -> what is said instead of doing it. What is not here is allowed.
OUT_OF_ORDER: dict[tuple[State, str], bytes] = {
    (State.MAIL, "MAIL"): replies.NESTED_MAIL,
    (State.READY, "RCPT"): replies.NEED_MAIL,
    (State.READY, "DATA"): replies.NEED_MAIL,
    (State.CHUNKS, "MAIL"): replies.NESTED_MAIL,
    (State.CHUNKS, "RCPT"): replies.BDAT_UNDERWAY,
    (State.CHUNKS, "DATA"): replies.BDAT_UNDERWAY,
    (State.MAIL, "STARTTLS"): replies.NESTED_MAIL,
    (State.CHUNKS, "STARTTLS"): replies.NESTED_MAIL,
    (State.MAIL, "AUTH"): replies.NESTED_MAIL,  # RFC 4954 section 4
    (State.CHUNKS, "AUTH"): replies.NESTED_MAIL,
}
BEFORE_EHLO = frozenset(("EHLO", "HELO", "QUIT", "NOOP", "RSET", "STARTTLS", "HELP", "XCLIENT"))
BEFORE_AUTH = BEFORE_EHLO | {"AUTH"}
"""
