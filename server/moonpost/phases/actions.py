"""What the pure machine asks of whoever drives it.

A step of the machine is a generator: it yields actions in order, and `send` gives it what an action came to. Plain
`bytes` are the reply to write; every other action is one of these classes. Only drivers wait, write or sleep.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from moonpost.policy.interface import PolicyError
from msys.message import Message


@dataclass(slots=True)
class Run:
    """Run a callout in every module that has it. Answered with an Outcome."""

    callout: str
    args: tuple[Any, ...]
    message: Any = None


@dataclass(slots=True)
class RunDealloc:
    """Run validate_dealloc in the modules that ran in this session. Answered with an Outcome."""


@dataclass(slots=True)
class Pause:
    """Hold the session this long."""

    seconds: float
    watch: bool = (
        False  # answered with whether the peer spoke meanwhile, and ends early when it did
    )


class Stored(Enum):
    """What became of messages that were to be kept."""

    KEPT = auto()
    FULL = auto()  # no room: 452
    FAILED = auto()  # 451


@dataclass(slots=True)
class Keep:
    """Commit these messages to the spool, all or none. Answered with Stored."""

    messages: list[Message]
    reception: Reception


@dataclass(slots=True)
class BeginMessage:
    """Ask whether the rate of messages leaves room for one more. Answered with a bool."""


@dataclass(slots=True)
class Expand:
    """Look behind aliases. Answered with alias -> addresses for those that are some; None: nobody could say."""

    recipients: list[str]
    pathway: str


@dataclass(slots=True)
class Bounce:
    """Tell the sender that policy refused some of the recipients. Answered with Stored."""

    refusals: list[tuple[Message, int, str]]


@dataclass(slots=True)
class Note:
    """A line for the reject log: what was refused, and where in the session."""

    code: int
    text: str
    phase: str  # in the words of the reject log
    state: int  # the MC_STATE number that core_log_rejection sees
    module: str  # who refused: `scriptlet`, or the part of the server
    decided_by: str = ""
    message: Message | None = None  # whom it is about, when that is not the message at hand
    discarded: bool = False  # the peer is told that all is well


@dataclass(slots=True)
class Failed:
    """Policy failed; for the panic log and the counter."""

    error: PolicyError
    callout: str


@dataclass(slots=True)
class ReadContent:
    """Read up to the end of data; the content comes back as the next event."""

    limit_bytes: int


@dataclass(slots=True)
class ReadChunk:
    """Read exactly so many bytes; they come back as the next event."""

    size: int
    discard: bool = False


@dataclass(slots=True)
class StartTls:
    """Say 220 and shake hands. Answered with connection keys, or None: bytes were there that may not be."""

    injection_is_error: bool


@dataclass(slots=True)
class Authenticate:
    """Go through an AUTH exchange. Answered with mechanism, user and password; None when it ended without them."""

    argument: str


@dataclass(slots=True)
class CheckCredentials:
    """Ask whoever knows whether these are good. Answered with AuthStatus."""

    mechanism: str
    user: str
    password: str


class AuthStatus(Enum):
    """How an AUTH attempt went; the values are what policy reads in `auth_status`."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"


@dataclass(slots=True)
class Close:
    """Write what is to be written, then hang up."""


@dataclass(slots=True)
class Reception:
    """How a message came in: what the spool keeps and the logs say beside the message itself."""

    conn_id: str
    protocol: str  # SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA: RFC 3848
    remote: str  # `ip:port`
    local: str
    received_at: float
    generation: int = 0
    decided_by: str = ""  # the line of policy that spoke last
    auth_user: str = ""
    utf8: bool = False
    eight_bit: bool = False
    parameters: dict[str, str] = field(default_factory=dict)  # RET, ENVID
    recipient_parameters: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # NOTIFY, ORCPT by recipient


Steps = Generator[Any, Any, None]
