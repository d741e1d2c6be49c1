"""What a session knows: who is there, what was said so far, and the mail that is being handed over.

Data and small questions about it; what happens when is in the step modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from ipaddress import ip_address

from moonpost.phases.actions import Reception
from moonpost.phases.addresses import Fallback, Path
from moonpost.phases.options import SessionOptions, within
from moonpost.phases.table import FINAL, SET_BINDING, Moment, registered
from moonpost.policy.interface import Generation, Policy, PolicyState
from msys.accept import Accept
from msys.identity import IDS, Id
from msys.message import Message
from msys.vctx import ValidationContext

KEPT_PARAMETERS = frozenset(("RET", "ENVID"))  # of MAIL: what bounces need later


class State(Enum):
    """Where a session is."""

    READY = auto()  # no transaction
    MAIL = auto()  # a sender was accepted
    CHUNKS = auto()  # BDAT has begun
    REFUSED = auto()  # policy refused the connection and left it open
    CLOSED = auto()


@dataclass(frozen=True)
class Peer:
    """The two ends of a connection. Addresses are text; a Unix socket has empty ones."""

    remote_ip: str
    remote_port: int
    local_ip: str
    local_port: int

    @cached_property
    def remote(self) -> str:
        return endpoint(self.remote_ip, self.remote_port)

    @property
    def is_own_address(self) -> bool:
        """Whether this server seems to have connected to itself; loopback is what local clients use."""
        same = bool(self.remote_ip) and self.remote_ip == self.local_ip
        return same and not ip_address(self.remote_ip.partition("%")[0]).is_loopback

    @cached_property
    def local(self) -> str:
        return endpoint(self.local_ip, self.local_port)


def endpoint(ip: str, port: int) -> str:
    """`ip:port`, `[v6]:port`, or empty."""
    if not ip:
        return ""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


@dataclass(slots=True)
class Transaction:
    """One mail, from MAIL FROM to its end."""

    message: Message
    sender: Path
    parameters: dict[str, str]
    recipient_parameters: dict[str, dict[str, str]] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)  # recipient -> its RCPT TO line
    rcpt_commands: int = 0  # RCPT TOs seen, accepted or not
    dropped: int = 0  # recipients that policy discarded silently
    complete: bool = False  # the content came with every field that a message must have
    chunks: list[bytes] = field(default_factory=list)  # of BDAT
    chunk_bytes: int = 0


@dataclass(slots=True)
class SessionState:
    """One session. `now` is the time of the event that is being handled."""

    options: SessionOptions
    peer: Peer
    policy: Policy
    generation: Generation
    asks: frozenset[Moment]  # the moments this generation has callouts for
    conn_id: Id
    accept: Accept
    vctx: ValidationContext
    fallback: Fallback  # a full address parser, for what the common one does not know
    options_of: Callable[[str], SessionOptions]  # what holds for another address
    now: float = 0.0
    policy_state: PolicyState = field(default_factory=PolicyState)
    state: State = State.READY
    helo: str = ""
    esmtp: bool = False
    tls_offered: bool = False
    tls: bool = False
    tls_verified: bool = False  # the client showed a certificate that we trust
    auth_user: str = ""
    transaction: Transaction | None = None
    message_count: int = 0
    rcpt_count: int = 0
    bad_commands: int = 0
    unknown_commands: int = 0
    auth_failures: int = 0
    early_talker: bool = False
    banner_sent: bool = False

    @property
    def protocol(self) -> str:
        """RFC 3848's word for how mail comes in."""
        if not self.esmtp:
            return "SMTP"
        return "ESMTP" + ("S" if self.tls else "") + ("A" if self.auth_user else "")

    def may_relay(self) -> bool:
        """Whether the peer's address, its certificate, or AUTH permits relaying."""
        options = self.options
        if options.open_relay or self.auth_user:
            return True
        if self.tls_verified and options.tls_verified_peer_can_relay:
            return True
        return bool(options.relay_hosts) and within(self.peer.remote_ip, options.relay_networks)

    def first_context(self) -> dict[str, str]:
        """The connection keys every session begins with."""
        options = self.options
        context = {"pathway": options.pathway, **options.context}
        if self.may_relay():
            context.setdefault("can_relay", "true")
        if options.notice_own_address and self.peer.is_own_address:
            context["mail_loop_ip"] = "match"
        return context

    @property
    def judges_last(self) -> bool:
        """Whether the last steps before the spool can change anything."""
        return (
            SET_BINDING in self.asks
            or FINAL in self.asks
            or self.options.default_binding == "none"
            or self.generation.has("core_ec_message_enqueue")
        )

    def use(self, generation: Generation) -> None:
        """Go on with another generation of policy."""
        generation.hold()
        self.generation.release()
        self.generation = generation
        self.asks = registered(generation)

    def end_transaction(self) -> None:
        """Forget the mail at hand, if any; the message dictionary is emptied."""
        self.transaction = None
        self.accept.message = None
        self.vctx.mess = {}
        self.vctx.recipients = []
        if self.state is not State.REFUSED:
            self.state = State.READY

    def reception(self, transaction: Transaction) -> Reception:
        parameters = transaction.parameters
        return Reception(
            conn_id=self.conn_id.text,
            protocol=self.protocol,
            remote=self.peer.remote,
            local=self.peer.local,
            received_at=self.now - int(parameters.get("XAGE") or 0),
            generation=self.generation.number,
            auth_user=self.auth_user,
            utf8="SMTPUTF8" in parameters,
            eight_bit=parameters.get("BODY", "").upper() == "8BITMIME",
            parameters={key: parameters[key] for key in KEPT_PARAMETERS & parameters.keys()}
            if parameters
            else parameters,
            recipient_parameters=transaction.recipient_parameters,
        )


def begin(
    options: SessionOptions,
    peer: Peer,
    policy: Policy,
    fallback: Fallback,
    *,
    listener: str = "",
    capabilities: list[str],
    tls_offered: bool = False,
    tls_keys: Mapping[str, str] | None = None,
    options_of: Callable[[str], SessionOptions] | None = None,
) -> SessionState:
    """A new session, on the newest generation of policy.

    capabilities: what EHLO lists. tls_keys: connection keys of TLS that was there from the start.
    options_of: the options of another address, for XCLIENT; None: the same for all.
    """
    generation = policy.current()
    generation.hold()
    accept = Accept(
        remote=(peer.remote_ip, peer.remote_port),
        local=(peer.local_ip, peer.local_port),
        conn_id=IDS.next(),
        listener=listener,
        capabilities=capabilities,
    )
    vctx = ValidationContext()
    accept.vctx = vctx
    session = SessionState(
        options,
        peer,
        policy,
        generation,
        registered(generation),
        accept.conn_id,
        accept,
        vctx,
        fallback,
        options_of or (lambda _ip: options),
    )
    session.tls_offered = tls_offered
    session.tls = tls_keys is not None
    session.tls_verified = (tls_keys or {}).get("tls_client_verified") == "yes"
    session.policy_state.accept, session.policy_state.vctx = accept, vctx
    vctx.conn.update(session.first_context())
    vctx.conn.update(tls_keys or {})
    return session
