"""The options of delivery: their defaults, and how one queue sees them.

The configuration is asked through `option(name, binding, domain)`, which knows the fallback between scopes; a None
from it means the default here. Values are read once for a queue and looked at again after a reload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from moonpost.outbound.push import OPTIONS as PUSH_OPTIONS
from moonpost.queue.login import LOGIN, Login
from moonpost.queue.schedule import RetryRules
from moonpost.queue.transcode import Transcode, transcoding

Option = Callable[[str, str, str], Any]  # (name, binding, domain) -> value or None

DEFAULTS: Mapping[str, Any] = {
    "retry_interval": 1200,
    "max_retry_interval": 43200,
    "max_retries": "auto",
    "message_expiration": 86400,
    "never_retry": False,
    "never_attempt_expired_messages": False,
    "max_outbound_connections": 32,
    "scope_max_outbound_connections": None,
    "connection_allocation_aggressiveness": "normal",
    "max_deliveries_per_connection": 0,
    "max_recipients_per_connection": 0,
    "max_recipients_per_batch": 100,
    "outbound_throttle_messages": None,
    "outbound_throttle_connections": None,
    "idle_timeout": 5,
    "connect_timeout": 300,
    "connect_timeout_to_delay": 900,
    "ehlo_timeout": 300,
    "mailfrom_timeout": 300,
    "rcptto_timeout": 300,
    "body_timeout": 600,
    "rset_timeout": 30,
    "mx_failures_to_delay": 50,
    "mx_failures_fallback_to_a": 3,
    "host_failure_retry": 120,
    "dns_failures_to_purge": 10,
    "use_ipv6": False,
    "gateway": "",
    "routes": (),
    "delivery_method": "ESMTP",
    "remote_smtp_port": 25,
    "lmtp_port": 2003,
    "bind_address": "*",
    "ehlo_hostname": "__hostname__",
    "tls": "no",
    "tls_ifavailable_fallback": True,
    "tls_verify": "no",
    "tls_ca": "",
    "tls_certificate": "",
    "tls_key": "",
    "tls_ciphers": "",
    "tls_protocols": "",
    "use_mta_sts": False,
    "enable_mta_sts": True,
    "use_dane": False,
    "enable_dane": True,
    "gcm_ttl": -1,
    "gcm_delay_while_idle": False,
    "gcm_application_id": "",
    "gcm_dry_run": False,
    "gcm_authorization_token_id": "",
    "http_method": "POST",
    "http_uri": "",
    "http_host": "",
    "http_basic_auth": "",
    "delivery_response_timeout": 5000,
    "xclient": "no",
    "outbound_smtp_auth_type": "",
    "outbound_smtp_auth_user": "",
    "outbound_smtp_auth_pass": "",
    "response_transcode_pattern": "",
    "response_transcode_replace": "",
    "send_8bitmime": False,
    "prohibited_hosts": (),
    "suspend_delivery": False,
    "blackhole": False,
    "generate_bounces": True,
    "bounces_inline_original": "headers",
    "mailerdaemon": "",
    "mdn_failures_notify": "",
    "generate_delay_dsn": False,
    "delay_dsn_retry_interval": 3600,
    "delay_dsn_max_retry_interval": 43200,
    "max_resident_active_queue": 250,
}

TIMEOUTS = (
    "connect_timeout", "ehlo_timeout", "mailfrom_timeout", "rcptto_timeout", "body_timeout",
    "rset_timeout", "idle_timeout",
)  # fmt: skip

AGGRESSIVENESS = {"normal": 0.3, "high": 0.75}  # share of the way to one connection per message


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What one queue goes by."""

    retry: RetryRules
    timeouts: Mapping[str, float]
    max_connections: int
    scope_max_connections: float  # of all queues that get it from the same scope
    aggressiveness: float
    max_deliveries_per_connection: int
    max_recipients_per_connection: int
    max_recipients_per_batch: int
    throttle_messages: tuple[float, float] | None  # so many per so many seconds
    throttle_connections: tuple[float, float] | None
    connect_timeout_to_delay: float
    mx_failures_to_delay: int
    mx_failures_fallback_to_a: int
    host_failure_retry: float
    dns_failures_to_purge: int
    use_ipv6: bool
    routes: tuple[str, ...]
    protocol: str  # ESMTP, SMTP, LMTP or GCM
    port: int
    source: str | None
    ehlo_hostname: str
    tls: str
    tls_fallback: bool
    tls_verify: str
    tls_ca: str
    tls_certificate: str
    tls_key: str
    tls_ciphers: str
    tls_protocols: str
    push: Mapping[str, Any]  # for push notifications, by the names of the options
    response_timeout_s: float
    mta_sts: bool
    dane: bool
    xclient: str
    login: Login
    transcode: Transcode | None
    announce_8bit: bool
    prohibited_hosts: tuple[str, ...]
    suspended: bool
    blackhole: str  # "", "inline" or "internal"
    generate_bounces: bool
    inline_original: str
    mailerdaemon: str
    failures_notify: str
    delay_notices: (
        tuple[float, float] | None
    )  # first interval and cap; None: senders are not warned
    max_resident: int

    @property
    def pushed(self) -> bool:
        """Whether mail leaves as push notifications, not by SMTP or LMTP."""
        return self.protocol == "GCM"


def resolve(option: Option, binding: str, domain: str) -> QueueOptions:
    """The options of one queue, typed."""

    def get(name: str) -> Any:
        value = option(name, binding, domain)
        return DEFAULTS[name] if value is None else value

    protocol = str(get("delivery_method")).upper()
    source = str(get("bind_address"))
    return QueueOptions(
        retry=RetryRules(
            float(get("retry_interval")), float(get("max_retry_interval")), get("max_retries"),
            float(get("message_expiration")), bool(get("never_retry")),
            bool(get("never_attempt_expired_messages")),
        ),
        timeouts={name: float(get(name)) for name in TIMEOUTS},
        max_connections=int(get("max_outbound_connections")),
        scope_max_connections=_unlimited(get("scope_max_outbound_connections")),
        aggressiveness=_aggressiveness(get("connection_allocation_aggressiveness")),
        max_deliveries_per_connection=int(get("max_deliveries_per_connection")),
        max_recipients_per_connection=int(get("max_recipients_per_connection")),
        max_recipients_per_batch=max(1, int(get("max_recipients_per_batch"))),
        throttle_messages=throttle(get("outbound_throttle_messages")),
        throttle_connections=throttle(get("outbound_throttle_connections")),
        connect_timeout_to_delay=float(get("connect_timeout_to_delay")),
        mx_failures_to_delay=int(get("mx_failures_to_delay")),
        mx_failures_fallback_to_a=int(get("mx_failures_fallback_to_a")),
        host_failure_retry=float(get("host_failure_retry")),
        dns_failures_to_purge=int(get("dns_failures_to_purge")),
        use_ipv6=bool(get("use_ipv6")),
        routes=_texts(get("routes")),
        protocol=protocol,
        port=int(get("lmtp_port" if protocol == "LMTP" else "remote_smtp_port")),
        source=None if source in ("*", "") else source,
        ehlo_hostname=str(get("ehlo_hostname")),
        tls=str(get("tls")),
        tls_fallback=bool(get("tls_ifavailable_fallback")),
        tls_verify=str(get("tls_verify")),
        tls_ca=str(get("tls_ca")),
        tls_certificate=str(get("tls_certificate")),
        tls_key=str(get("tls_key")),
        tls_ciphers=str(get("tls_ciphers")),
        tls_protocols=str(get("tls_protocols")),
        push={name: get(name) for name in PUSH_OPTIONS},
        response_timeout_s=float(get("delivery_response_timeout")) / 1000,
        mta_sts=bool(get("use_mta_sts") and get("enable_mta_sts")),
        dane=bool(get("use_dane") and get("enable_dane")),
        xclient=str(get("xclient")),
        login={name: _unless_false(get(name)) for name in LOGIN},
        transcode=transcoding(
            str(get("response_transcode_pattern")), str(get("response_transcode_replace"))
        ),
        announce_8bit=get("send_8bitmime") not in (False, "no"),
        prohibited_hosts=_texts(get("prohibited_hosts")),
        suspended=bool(get("suspend_delivery")),
        blackhole=_blackhole(get("blackhole")),
        generate_bounces=bool(get("generate_bounces")),
        inline_original=str(get("bounces_inline_original")),
        mailerdaemon=str(get("mailerdaemon")),
        failures_notify=str(get("mdn_failures_notify")),
        delay_notices=(
            (float(get("delay_dsn_retry_interval")), float(get("delay_dsn_max_retry_interval")))
            if get("generate_delay_dsn")
            else None
        ),
        max_resident=int(get("max_resident_active_queue")),
    )  # fmt: skip


def throttle(value: Any) -> tuple[float, float] | None:
    """`60/3` is 60 in 3 seconds, `60` is 60 a second; nothing and 0 are no limit."""
    if value in (None, "", 0, "0"):
        return None
    if isinstance(value, (tuple, list)):
        count, seconds = float(value[0]), float(value[1])
    else:
        text, _, per = str(value).partition("/")
        count, seconds = float(text), float(per or 1)
    return (count, seconds) if count > 0 and seconds > 0 else None


def _unlimited(value: Any) -> float:
    return inf if value is None or int(value) < 0 else int(value)


def _aggressiveness(value: Any) -> float:
    return float(AGGRESSIVENESS.get(value, value))


def _blackhole(value: Any) -> str:
    if value in (False, "false", "", None):
        return ""
    return "inline" if value in (True, "true") else str(value)


def _unless_false(value: Any) -> str:
    """Momentum 3 writes `false` for an option of the login that is not set."""
    return "" if value in (None, False, "false") else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, Sequence):
        return tuple(str(item) for item in value)
    return tuple(str(item) for item in value or ())
