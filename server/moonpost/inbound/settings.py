"""How one socket listens: its address, its limits, TLS, and what differs by peer.

Plain data; the configuration fills it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from moonpost.phases.options import SessionOptions

IDLE_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7 asks receivers to wait at least five minutes
PROXY_HEADER_SECONDS = 60.0  # Momentum's default


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many sessions of one block of addresses, together."""

    block: str  # the network as configured; a session counts for the smallest block it lies in
    sessions: int
    everywhere: bool = False  # over all listeners, not this one alone


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many messages in so many seconds, for all sessions of one scope together."""

    scope: str
    messages: int
    seconds: float


@dataclass(frozen=True)
class PeerSettings:
    """What holds for the sessions of one address. Zero means no limit."""

    options: SessionOptions = field(default_factory=SessionOptions)
    caps: tuple[Cap, ...] = ()
    rate: Rate | None = None
    idle_time_s: float = IDLE_SECONDS
    proxy_header: bool = False  # a trusted proxy: its connections begin with a PROXY header
    proxy_header_timeout_s: float = PROXY_HEADER_SECONDS
    tls: ssl.SSLContext | None = None  # None: that of the listener


@dataclass(frozen=True)
class ListenSettings:
    """One listening socket. Zero means no limit."""

    name: str = "esmtp"  # as the console and ac:inbound_session_count know it
    address: str = "127.0.0.1"
    port: int = 25  # 0: any free one
    unix_path: str = ""  # a socket in the file system instead of address and port
    file_mode: int = 0o660  # of unix_path
    backlog: int = 500
    reuse_port: bool = False  # several acceptor processes share the port
    listener_sessions: int = 0
    service_sessions: int = 0
    stop_grace_s: float = 30.0  # how long a stop waits for replies to final dots
    tls: ssl.SSLContext | None = None
    tls_from_start: bool = False  # the handshake comes before the banner, as on port 465
    peer: PeerSettings = field(default_factory=PeerSettings)
    by_peer: Callable[[str], PeerSettings] | None = None  # by address; None: `peer` for all

    def of_peer(self, address: str) -> PeerSettings:
        """What holds for an address; an empty one is that of a Unix socket."""
        return self.by_peer(address) if self.by_peer else self.peer

    def tls_of(self, peer: PeerSettings) -> ssl.SSLContext | None:
        """The context of a peer's handshake, None when there is no TLS."""
        return peer.tls or self.tls
