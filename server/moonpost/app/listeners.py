"""From the configuration's listener stanzas to what each socket needs to know."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from functools import cache, lru_cache
from ipaddress import ip_network
from typing import Any

from moonpost.app.authentication import mechanisms
from moonpost.app.injection import InjectionOptions
from moonpost.config.model import Config
from moonpost.inbound.http import HttpLimits
from moonpost.inbound.settings import Cap, ListenSettings, PeerSettings, Rate
from moonpost.inbound.tls import TlsOptions, server_context
from moonpost.phases.options import EXTENSIONS, SessionOptions
from msys.lua.bytestr import to_str

SCOPE = "ESMTP_Listener"
HTTP = "HTTP_Listener"
PEERS_CACHED = 4096  # chosen: addresses whose options are remembered

Option = Callable[..., Any]  # (name, peer="") -> value


def hostname(config: Config) -> str:
    """The name of this server: the configured one, or the machine's."""
    return str(config.option("hostname") or socket.getfqdn())


def esmtp_listeners(config: Config) -> list[ListenSettings]:
    """One for each `Listen` of an ESMTP_Listener, in file order."""
    return [_settings(config, name) for name in _listens(config, SCOPE)]


def http_listeners(config: Config) -> list[ListenSettings]:
    """One for each `Listen` of an HTTP_Listener, in file order."""
    return [_http_settings(config, name) for name in _listens(config, HTTP)]


def _listens(config: Config, scope: str) -> list[str]:
    """The names of the Listen stanzas that are not switched off."""
    return [
        listen.instance or ""
        for listener in config.root.named(scope.lower())
        for listen in listener.named("listen")
        if listen.get("enable") is not False and listener.get("enable") is not False
    ]


def address_of(text: str) -> tuple[str, int, str]:
    """Address, port and socket path of a `Listen`: `:25`, `*:25`, `10.0.0.1:25`, `[::1]:25`, `/run/smtp.sock`."""
    if "/" in text:
        return "", 0, text
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    return "0.0.0.0" if host in ("", "*") else host, int(port), ""


def _settings(config: Config, listen: str) -> ListenSettings:
    def option(name: str, peer: str = "") -> Any:
        return config.listener_option(name, SCOPE, listen, peer)

    address, port, path = address_of(listen)
    context = cache(server_context)
    tls = _tls(option, "", context)

    @lru_cache(PEERS_CACHED)
    def by_peer(peer: str) -> PeerSettings:
        of_peer = _tls(option, peer, context)
        return PeerSettings(
            options=session_options(config, listen, peer, of_peer is not None),
            caps=_caps(config, listen, peer),
            rate=_rate(config, listen, peer),
            idle_time_s=float(option("idle_time", peer) or 0),
            proxy_header=bool(option("proxy_protocol", peer)),
            proxy_header_timeout_s=float(option("proxy_protocol_timeout", peer)),
            tls=of_peer,
        )

    for peer in _peers(config, listen):
        by_peer(peer)  # a certificate that can't be loaded is told now
    return ListenSettings(
        name=listen,
        address=address,
        port=port,
        unix_path=path,
        file_mode=option("file_mode"),
        backlog=option("listen_backlog"),
        listener_sessions=option("listener_sessions"),
        service_sessions=option("service_sessions"),
        tls=tls,
        tls_from_start=bool(option("use_ssl")),
        peer=by_peer(""),
        by_peer=by_peer,
    )


def _http_settings(config: Config, listen: str) -> ListenSettings:
    def option(name: str, _peer: str = "") -> Any:
        return config.listener_option(name, HTTP, listen, "")

    address, port, path = address_of(listen)
    return ListenSettings(
        name=listen,
        address=address,
        port=port,
        unix_path=path,
        file_mode=option("file_mode"),
        backlog=option("listen_backlog"),
        tls=_tls(option, "", server_context) if option("use_ssl") else None,
        tls_from_start=bool(option("use_ssl")),
    )


def http_limits(config: Config, listen: str, peer: str) -> HttpLimits:
    """What one request may cost."""

    def option(name: str) -> Any:
        return config.listener_option(name, HTTP, listen, peer)

    return HttpLimits(
        max_body_bytes=int(option("max_request_size")),
        idle_s=float(option("idle_time") or 0),
        chunked=not option("disable_chunked"),
    )


def injection_options(config: Config, listen: str, peer: str) -> InjectionOptions:
    """Who may inject over HTTP, and how it is logged."""

    def option(name: str) -> Any:
        return config.listener_option(name, HTTP, listen, peer)

    return InjectionOptions(
        listener=listen,
        hostname=hostname(config),
        networks=tuple(ip_network(text, strict=False) for text in config.option("relay_hosts")),
        authentication=bool(option("enable_authentication")),
        certificate_is_enough=bool(option("tls_verified_peer_is_authorized")),
        default_binding=str(config.option("default_binding") or ""),
        log_requests=bool(option("log_requests_to_paniclog")),
    )


def _peers(config: Config, listen: str) -> list[str]:
    """No address, and the first one of each Peer stanza."""
    found = [""]
    for listener in config.root.named(SCOPE.lower()):
        socket_scope = listener.child("listen", listen)
        for scope in (listener, socket_scope):
            for node in scope.named("peer") if scope is not None else ():
                found.append(str(ip_network(node.instance or "", strict=False)[0]))
    return found


def _caps(config: Config, listen: str, peer: str) -> tuple[Cap, ...]:
    """The limits that Peer stanzas set for the block an address lies in."""
    found = []
    for name, everywhere in (("listener_sessions", False), ("service_sessions", True)):
        block = config.listener_scope(name, SCOPE, listen, peer)
        sessions = config.listener_option(name, SCOPE, listen, peer)
        if block is not None and block.row.name == "Peer" and sessions:
            found.append(Cap(block.instance or "", int(sessions), everywhere))
    return tuple(found)


def _rate(config: Config, listen: str, peer: str) -> Rate | None:
    """The limit of messages in time, counted in the scope that sets it."""
    name = "inbound_throttle_messages"
    throttle = config.listener_option(name, SCOPE, listen, peer)
    scope = config.listener_scope(name, SCOPE, listen, peer)
    if throttle is None or scope is None:
        return None
    return Rate(f"{scope.row.name} {scope.instance or ''}", throttle.events, throttle.seconds)


def session_options(config: Config, listen: str, peer: str, tls: bool) -> SessionOptions:
    """The options of one peer's session."""

    def option(name: str) -> Any:
        return config.listener_option(name, SCOPE, listen, peer)

    extensions = option("smtp_extensions")
    name = str(option("banner_hostname") or hostname(config))
    sending = option("relay_for_sending_domains")
    conntrol = config.module("conntrol") or {}
    loops = config.module("mail_loop")
    return SessionOptions(
        hostname=name,
        received_hostname=str(option("received_hostname") or ""),
        banner=str(option("static_banner") or ""),
        banner_before=_reply_text(conntrol.get("banner")),
        banner_delay_s=float(conntrol.get("pause_time") or 0),
        early_talker_reply=_reply_text(conntrol.get("disconnect_ratware")),
        max_message_bytes=int(option("max_message_size") or 0),
        max_receptions_per_connection=int(option("max_receptions_per_connection") or 0),
        max_recipients_per_message=int(option("max_recipients_per_message") or 0),
        max_recipients_per_connection=int(option("max_recipients_per_connection") or 0),
        max_bad_commands=int(option("max_bad_commands")),
        max_line_bytes=_max_line_bytes(option),
        date_header=str(option("rfc2822_date_header")),
        message_id_header=str(option("rfc2822_messageid_header")),
        allow_missing_headers=option("rfc2822_missing_headers") == "allow",
        trace_header=bool(option("rfc2822_trace_headers")),
        mend_header=option("rfc2822_lone_lf_in_headers") == "fix",
        mend_body=option("rfc2822_lone_lf_in_body") == "fix",
        pedantic_addresses=bool(option("rfc2821_pedantic_address_rules")),
        max_received_headers=int(loops["max_received_headers"]) if loops else 0,
        notice_own_address=bool(loops and loops["use_ip"]),
        loop_code=int(loops["code"]) if loops else 0,
        throttled=option("inbound_throttle_messages") is not None,
        require_ehlo=bool(option("require_ehlo")),
        require_auth=bool(option("require_authentication")),
        auth_requires_tls=bool(option("authentication_requires_tls")),
        allow_null_envelope_sender=bool(option("allow_null_envelope_sender")),
        allow_ip_literal=bool(option("allow_ip_literal")),
        allow_trailing_whitespace_in_commands=bool(
            option("allow_trailing_whitespace_in_commands")
            or option("rfc2821_allow_whitespace_in_envelope")
        ),
        domain_for_unqualified_sender_address=str(
            option("domain_for_unqualified_sender_address") or ""
        ),
        domain_for_unqualified_recipient_addresses=str(
            option("domain_for_unqualified_recipient_addresses") or ""
        ),
        open_relay=bool(option("open_relay")),
        relay_hosts=tuple(option("relay_hosts") or ()),
        relay_domains=tuple(option("relay_domains") or ()),
        relay_for_sending_domains=None if sending is None else tuple(sending),
        tls_verified_peer_can_relay=bool(option("tls_verified_peer_can_relay")),
        extensions=tuple(extensions) if extensions else EXTENSIONS,
        starttls_injection_policy=str(option("starttls_injection_policy")),
        reconfig_message=_set_reconfig_message(config, listen, peer),
        context={
            to_str(name.encode()): to_str(str(value).encode())
            for name, value in (option("context") or {}).items()
        },
        auth_mechanisms=mechanisms(option),
        pathway=str(option("pathway") or "default"),
        default_binding=str(config.option("default_binding") or ""),
        expands_aliases=bool(config.modules("alias")),
        bounce_refused_recipients=bool(
            option("generate_bounces_for_multi_recipient_policy_rejections")
        ),
    )


def _max_line_bytes(option: Option) -> int:
    """The longest line that is taken, with its CR LF; 0: any."""
    length = option("rfc2822_max_line_length")
    if length == "pedantic":
        return 1000  # RFC 5322 section 2.1.1
    if length == "ignore" or option("rfc2822_max_line_length_policy") != "reject":
        return 0
    return int(length) + 2


def _reply_text(text: Any) -> str:
    """Reply lines of a module's option, without the `\\r\\n` that people write at their ends."""
    return re.sub(r"\\r\\n|\r?\n", "\n", str(text or "")).strip()


def _set_reconfig_message(config: Config, listen: str, peer: str) -> str:
    """The text only where a configuration sets it: by default sessions move on without a 421."""
    for listener in config.root.named(SCOPE.lower()):
        setting = listener.settings.get("reconfig_message")
        if setting is not None:
            return str(setting.value)
    return ""


def _tls(
    option: Option, peer: str, context: Callable[[TlsOptions], ssl.SSLContext]
) -> ssl.SSLContext | None:
    certificate = option("tls_certificate", peer)
    if not certificate:
        return None
    options = TlsOptions(
        certificate=str(certificate),
        key=str(option("tls_key", peer) or ""),
        client_ca=str(option("tls_client_ca", peer) or ""),
        verify_mode=str(option("tls_verify_mode", peer) or ""),
        ciphers=str(option("tls_ciphers", peer) or ""),
        protocols=str(option("tls_protocols", peer) or ""),
    )
    try:
        return context(options)
    except (OSError, ValueError) as error:
        raise OSError(f"TLS with certificate {certificate}: {error}") from None
