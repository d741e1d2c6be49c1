"""What receiving needs from the rest of the server.

The application puts the real ones here, tests put small fakes. Knows nothing of how they work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from moonpost.inbound.settings import Rate
from moonpost.phases.actions import Failed, Reception
from moonpost.queue.throttle import Throttle
from msys.message import Message


class Keeper(Protocol):
    """Takes responsibility for accepted mail."""

    async def keep(self, messages: Sequence[Message], reception: Reception) -> None:
        """Commit all of them, or none; returns when they are durable, and then the 250 is sent.

        Raises moonpost.spool.interface.SpoolFull (452) or SpoolError (451).
        """
        ...


class Bouncer(Protocol):
    """Tells senders about recipients that policy refused after others were accepted."""

    async def bounce(self, message: Message, code: int, text: str) -> None:
        """Queue a bounce for one copy; durable when it returns. Errors as Keeper.keep."""
        ...


class Expander(Protocol):
    """Knows what is behind aliases; `moonpost.app.aliases.Aliases` is one."""

    async def expand(self, recipients: Sequence[str], pathway: str) -> dict[str, list[str]]:
        """Alias -> addresses, for the recipients that are aliases. An exception puts the mail off with 451."""
        ...


class Book(Protocol):
    """Who is connected, for limits and for policy; `moonpost.adapters.sessions.SessionBook` is one."""

    def opened(self, ip: str, service: str = ..., listener: str = ...) -> Any:
        """A session began. The answer is handed back when it ends."""
        ...

    def closed(self, session: Any) -> None: ...

    def counted(self, kind: str, ip: str) -> None:
        """One of `receptions` and `rejections` happened; connections are counted by `opened`."""
        ...

    def count(self, cidr: str, service: str, listener: str | None = None) -> int: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client presented with AUTH. Bytes, as they came.

    For CRAM-MD5 the password is our challenge, a blank, and the client's answer in hexadecimal digits.
    """

    mechanism: str
    user: bytes
    password: bytes


class Authenticator(Protocol):
    """Checks credentials against whatever the configuration names."""

    async def check(self, credentials: Credentials) -> bool:
        """Whether they are good. An exception is answered with 454: it is us, not them."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the reject log is given: everything its line shows."""

    phase: str
    module: str
    remote: str  # `ip:port`
    local: str
    conn_id: str
    pathway: str
    pathway_group: str
    conn: dict[str, str]
    mess: dict[str, str]
    decided_by: str = ""
    message_id: str = ""
    batch_id: str = ""
    sender: str = ""
    recipient: str = ""
    generation: int = 0
    discarded: bool = False  # the peer was told that all is well


class Witness(Protocol):
    """Hears of policy that failed, beside the panic log."""

    def policy_failed(self, where: Refusal, failed: Failed) -> None:
        """where: the session and the message at hand."""
        ...


class Tap(Protocol):
    """Somebody who writes a session out, line by line; `moonpost.observe.trace.Tap` is one."""

    def sent(self, data: bytes, *, content: bool = False) -> None: ...
    def heard(self, data: bytes, *, content: bool = False) -> None: ...
    def event(self, text: str) -> None: ...


@dataclass(slots=True)
class Tally:
    """Counts since the start, one for all listeners of a service. The numbers from `connections` on only grow."""

    open: int = 0  # sessions at this moment
    by_block: Counter[str] = field(default_factory=Counter)  # of those, by the block of a Cap
    throttles: dict[Rate, Throttle] = field(default_factory=dict)
    connections: int = 0
    refused_connections: int = 0
    messages: int = 0
    rejections: int = 0
    policy_failures: int = 0
    timeouts: int = 0
