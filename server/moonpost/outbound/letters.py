"""What a conversation is given, and what it reports: settings, letters and events. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from moonpost.outbound.answers import Outcome
from moonpost.outbound.auth import Credentials

NO, IF_AVAILABLE, REQUIRED = "no", "ifavailable", "required"


class Tap(Protocol):
    """Somebody who writes a connection out, line by line; `moonpost.observe.trace.Tap` is one."""

    def sent(self, data: bytes, *, content: bool = False) -> None: ...
    def heard(self, data: bytes, *, content: bool = False) -> None: ...
    def event(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """How to speak on one connection."""

    hostname: str = "localhost"  # said in EHLO
    protocol: str = "ESMTP"  # ESMTP, SMTP (HELO only) or LMTP
    tls: str = NO  # NO, IF_AVAILABLE, REQUIRED
    announce_8bit: bool = False  # say BODY=8BITMIME for content that needs it
    credentials: Credentials | None = None  # log in before any letter
    xclient: str = NO  # NO, IF_AVAILABLE, REQUIRED: tell who sent a letter to us


@dataclass(frozen=True, slots=True)
class Letter:
    """One transaction: a content for several recipients."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    utf8: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)  # RET, ENVID, as received
    rcpt_parameters: tuple[Mapping[str, str], ...] = ()  # NOTIFY, ORCPT of each, as received
    client: Mapping[str, str] = field(default_factory=dict)  # who sent it to us, for XCLIENT


@dataclass(frozen=True, slots=True)
class StartTls:
    """Do the TLS handshake now, then call `tls_started` or `lose`."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A letter can be sent."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The letter is done: one outcome for each recipient, in order."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Unusable:
    """Nothing (more) can be sent on this connection. While a letter was under way, its Finished came before."""

    outcome: Outcome


Event = StartTls | Ready | Finished | Unusable
