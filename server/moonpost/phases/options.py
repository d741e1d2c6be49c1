"""What one SMTP session is allowed and told: the listener's options, resolved for one peer.

Plain data with the documented defaults; the configuration fills it. Knows nothing of sockets, TLS or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from moonpost.phases.content import mended

Network = IPv4Network | IPv6Network

# Named by default. PIPELINING, 8BITMIME and SIZE are always offered, STARTTLS only with a certificate.
EXTENSIONS = ("SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING", "STARTTLS")
XCLIENT_ATTRIBUTES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
TRUSTED_EXTENSIONS = ("XCLIENT", "XREMOTEIP", "XSETCONTEXT", "XDUMPCONTEXT", "XAGE")
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")  # of AUTH, in the order of preference


@dataclass(frozen=True)
class SessionOptions:
    """One session's options. Zero means no limit, as in the configuration."""

    hostname: str = "localhost"  # in the banner, in replies and in 421
    received_hostname: str = ""  # in Received; empty: hostname
    banner: str = ""  # whole text after 220; empty: `<hostname> ESMTP`
    banner_before: str = ""  # lines ahead of the banner, `220-Welcome`; or all of it, `220 Welcome`
    banner_delay_s: float = 0.0  # how long to watch for peers that talk before the banner
    early_talker_reply: str = ""  # set: they get it and are sent away, and policy is not asked
    max_message_bytes: int = 0
    max_line_bytes: int = (
        0  # of content, with CR LF; RFC 5321 4.5.3.1.6 says 1000, senders say more
    )
    max_receptions_per_connection: int = 0
    max_recipients_per_message: int = 0
    max_recipients_per_connection: int = 0
    max_bad_commands: int = 20  # chosen: unknown or malformed commands before 421
    date_header: str = (
        "ignore"  # a content without Date: ignore, ifneeded (add one), pedantic (refuse)
    )
    message_id_header: str = "ignore"
    allow_missing_headers: bool = True  # a content without any header gets ours and a blank line
    trace_header: bool = True  # add Received
    mend_header: bool = False  # a lone CR or LF becomes CR LF; else the content is refused
    mend_body: bool = False
    pedantic_addresses: bool = False  # refuse a..b@x and a.@x
    max_received_headers: int = 0  # more of them: a loop; 0: not looked at
    notice_own_address: bool = False  # a peer at this server's own address: a loop
    loop_code: int = 554  # what a looping mail gets; below 400 it is only noted for policy
    throttled: bool = False  # the rate of messages is limited
    require_ehlo: bool = False
    require_auth: bool = False
    auth_mechanisms: Sequence[str] = ()  # of MECHANISMS; empty: those the extensions name
    auth_requires_tls: bool = False  # hide AUTH, and refuse it, outside TLS
    allow_null_envelope_sender: bool = True
    allow_ip_literal: bool = True
    allow_trailing_whitespace_in_commands: bool = False
    domain_for_unqualified_sender_address: str = ""
    domain_for_unqualified_recipient_addresses: str = ""
    open_relay: bool = False
    relay_hosts: Sequence[str] = ()  # networks that may relay
    relay_domains: Sequence[str] = ()  # recipient domains accepted from anybody; `*.example.com`
    relay_for_sending_domains: Sequence[str] | None = None  # sender domains that may relay; () all
    tls_verified_peer_can_relay: bool = False
    extensions: Sequence[str] = EXTENSIONS
    starttls_injection_policy: str = "reject"  # anything else: what came before TLS is forgotten
    reconfig_message: str = ""  # set: a session of an old generation gets 421 with it
    context: Mapping[str, str] = field(default_factory=dict)  # first connection keys
    pathway: str = "default"
    pathway_group: str = ""
    default_binding: str = ""  # "none": a message that ends in the default binding gets 451
    expands_aliases: bool = False
    bounce_refused_recipients: bool = True  # generate_bounces_for_multi_recipient_policy_rejections

    @cached_property
    def _keywords(self) -> frozenset[str]:
        return frozenset(line.partition(" ")[0].upper() for line in self.extensions)

    def offers(self, keyword: str) -> bool:
        """Whether the extensions name it."""
        return keyword in self._keywords

    @cached_property
    def mechanisms(self) -> tuple[str, ...]:
        """What AUTH offers: `AUTH LOGIN` among the extensions, or the option of its own."""
        named = {
            word.upper()
            for line in self.extensions
            if line[:5].upper() == "AUTH "
            for word in line[5:].split()
        } | {word.upper() for word in self.auth_mechanisms}
        return tuple(word for word in MECHANISMS if word in named)

    @cached_property
    def mend(self) -> Callable[[bytes], bytes] | None:
        """What is done about lone CR and LF; None: they are refused."""
        if not self.mend_header and not self.mend_body:
            return None
        return partial(mended, header=self.mend_header, body=self.mend_body)

    @cached_property
    def relay_networks(self) -> tuple[Network, ...]:
        return tuple(ip_network(text, strict=False) for text in self.relay_hosts)

    @cached_property
    def relay_domain_set(self) -> DomainSet:
        return DomainSet(self.relay_domains)

    @cached_property
    def sending_domain_set(self) -> DomainSet | None:
        if self.relay_for_sending_domains is None:
            return None
        return DomainSet(self.relay_for_sending_domains or ("*",))


class DomainSet:
    """Domain names and `*.example.com` wildcards, matched without regard to case."""

    def __init__(self, patterns: Sequence[str]) -> None:
        lowered = [pattern.lower().rstrip(".") for pattern in patterns]
        self._exact = frozenset(pattern for pattern in lowered if "*" not in pattern)
        self._suffixes = tuple(pattern[1:] for pattern in lowered if pattern.startswith("*"))

    def __contains__(self, domain: object) -> bool:
        name = str(domain).lower().rstrip(".")
        return name in self._exact or (bool(self._suffixes) and name.endswith(self._suffixes))


def within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an IP address lies in one of the networks; no address lies in none."""
    if not networks or not address:
        return False
    ip = ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        ip = mapped
    return any(ip in network for network in networks if network.version == ip.version)
