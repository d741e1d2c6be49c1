"""From the configuration's ESMTP_Listener stanzas to what each socket needs to know."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from moonpost.app.authentication import mechanisms
from moonpost.config.model import Config
from moonpost.inbound.settings import IDLE_SECONDS, ListenSettings
from moonpost.phases.options import EXTENSIONS, SessionOptions
from msys.lua.bytestr import to_str

SCOPE = "ESMTP_Listener"
PEERS_CACHED = 4096  # chosen: addresses whose options are remembered


def hostname(config: Config) -> str:
    """The name of this server: the configured one, or the machine's."""
    return str(config.option("hostname") or socket.getfqdn())


def esmtp_listeners(config: Config) -> list[ListenSettings]:
    """One for each `Listen` of an ESMTP_Listener, in file order."""
    found = []
    for listener in config.root.named(SCOPE.lower()):
        for listen in listener.named("listen"):
            if listen.get("enable") is not False and listener.get("enable") is not False:
                found.append(_settings(config, listen.instance or ""))
    return found


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
    tls = _tls(option)
    by_peer = lru_cache(PEERS_CACHED)(
        lambda peer: session_options(config, listen, peer, tls is not None)
    )
    return ListenSettings(
        name=listen,
        address=address,
        port=port,
        unix_path=path,
        file_mode=option("file_mode"),
        backlog=option("listen_backlog"),
        listener_sessions=option("listener_sessions"),
        service_sessions=option("service_sessions"),
        idle_time_s=option("idle_time") or IDLE_SECONDS,
        tls=tls,
        tls_from_start=bool(option("use_ssl")),
        options=by_peer(""),
        options_by_peer=by_peer,
    )


def session_options(config: Config, listen: str, peer: str, tls: bool) -> SessionOptions:
    """The options of one peer's session."""

    def option(name: str) -> Any:
        return config.listener_option(name, SCOPE, listen, peer)

    extensions = option("smtp_extensions")
    name = str(option("banner_hostname") or hostname(config))
    sending = option("relay_for_sending_domains")
    return SessionOptions(
        hostname=name,
        received_hostname=str(option("received_hostname") or ""),
        banner=str(option("static_banner") or ""),
        max_message_bytes=int(option("max_message_size") or 0),
        max_receptions_per_connection=int(option("max_receptions_per_connection") or 0),
        max_recipients_per_message=int(option("max_recipients_per_message") or 0),
        max_recipients_per_connection=int(option("max_recipients_per_connection") or 0),
        require_ehlo=bool(option("require_ehlo")),
        allow_null_envelope_sender=bool(option("allow_null_envelope_sender")),
        allow_ip_literal=bool(option("allow_ip_literal")),
        allow_trailing_whitespace_in_commands=bool(option("allow_trailing_whitespace_in_commands")),
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
        bounce_refused_recipients=bool(
            option("generate_bounces_for_multi_recipient_policy_rejections")
        ),
    )


def _set_reconfig_message(config: Config, listen: str, peer: str) -> str:
    """The text only where a configuration sets it: by default sessions move on without a 421."""
    for listener in config.root.named(SCOPE.lower()):
        setting = listener.settings.get("reconfig_message")
        if setting is not None:
            return str(setting.value)
    return ""


def _tls(option: Callable[..., Any]) -> ssl.SSLContext | None:
    certificate = option("tls_certificate")
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, option("tls_key") or certificate)
    return context
