"""How one socket listens: its address, its limits, TLS, and the options of its sessions.

Plain data; the configuration fills it. Options of a session can differ by peer: `options_for` answers that.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from moonpost.phases.options import Network, SessionOptions

IDLE_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7 asks receivers to wait at least five minutes


@dataclass(frozen=True)
class PeerCap:
    """At most so many sessions from one network, together."""

    network: Network
    sessions: int


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
    peer_caps: tuple[PeerCap, ...] = ()  # most specific first
    idle_time_s: float = IDLE_SECONDS
    stop_grace_s: float = 30.0  # how long a stop waits for replies to final dots
    tls: ssl.SSLContext | None = None
    tls_from_start: bool = False  # the handshake comes before the banner, as on port 465
    proxy_protocol_timeout_s: float = 0.0  # above zero: every connection begins with a PROXY header
    options: SessionOptions = field(default_factory=SessionOptions)
    options_by_peer: Callable[[str], SessionOptions] | None = None  # by address; None: options

    def options_for(self, peer: str) -> SessionOptions:
        return self.options_by_peer(peer) if self.options_by_peer else self.options
