"""Which scopes exist, where they may stand, and whether they carry a name.

A table and look-ups in it; options and their values are elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GLOBAL: Final = "Global"
LISTENERS: Final = (
    "ESMTP_Listener",
    "ECStream_Listener",
    "HTTP_Listener",
    "Control_Listener",
    "ECCluster_Listener",
    "MSGCServer_Listener",
    "XMPP_Listener",
)

NAMED, ANONYMOUS, OPTIONAL = "named", "anonymous", "optional"
YES, HARMLESS, CONSEQUENTIAL = "yes", "harmless", "consequential"


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """One kind of scope.

    `free` contents are not looked at: the scope configures something moonpost has not got.
    """

    name: str
    naming: str
    parents: tuple[str, ...] = (GLOBAL,)
    support: str = YES
    module: bool = False
    free: bool = False


def _module(name: str, support: str = YES, naming: str = OPTIONAL) -> ScopeRow:
    return ScopeRow(name, naming, (GLOBAL,), support, module=True, free=support != YES)


_CORE: Final = (
    ScopeRow(GLOBAL, ANONYMOUS, ()),
    ScopeRow("Binding_Group", NAMED),
    ScopeRow("Binding", NAMED, (GLOBAL, "Binding_Group")),
    ScopeRow("Domain", NAMED, (GLOBAL, "Binding_Group", "Binding")),
    ScopeRow("Host", NAMED, (GLOBAL, "Binding_Group", "Binding")),
    ScopeRow("ESMTP_Listener", ANONYMOUS),
    ScopeRow("Control_Listener", ANONYMOUS),
    ScopeRow("ECStream_Listener", ANONYMOUS, support=CONSEQUENTIAL, free=True),
    ScopeRow("HTTP_Listener", ANONYMOUS),
    ScopeRow("ECCluster_Listener", ANONYMOUS, support=HARMLESS, free=True),
    ScopeRow("MSGCServer_Listener", ANONYMOUS, support=HARMLESS, free=True),
    ScopeRow("XMPP_Listener", ANONYMOUS, support=CONSEQUENTIAL, free=True),
    ScopeRow("Listen", NAMED, LISTENERS),
    ScopeRow("Peer", NAMED, (*LISTENERS, "Listen")),
    ScopeRow("Pathway_Group", NAMED),
    ScopeRow("Pathway", NAMED, (GLOBAL, "Pathway_Group")),
    ScopeRow("ThreadPool", NAMED),
    ScopeRow("Datasource", NAMED),
    ScopeRow("Scanner", NAMED),
    ScopeRow("EventLoop", NAMED, support=HARMLESS, free=True),
    ScopeRow("Security", ANONYMOUS),
    ScopeRow("Authorization", ANONYMOUS),
    ScopeRow("Role", NAMED, ("Authorization",)),
    ScopeRow("Replicate", OPTIONAL, ("Authorization",), HARMLESS, free=True),
    ScopeRow("SNMP", ANONYMOUS, support=HARMLESS, free=True),
    ScopeRow("SNMP_Traps", ANONYMOUS),
    ScopeRow("Destination", NAMED, ("SNMP_Traps",)),
    ScopeRow("Debug_Flags", ANONYMOUS),
    ScopeRow("Logs", OPTIONAL, support=HARMLESS, free=True),
    ScopeRow("Adaptive_Sweep_Rule", NAMED, (GLOBAL, "Binding_Group", "Binding", "Domain")),
    ScopeRow("Adaptive_Backstore_LevelDB", OPTIONAL, support=HARMLESS, free=True),
    ScopeRow("Adaptive_Backstore_Riak", OPTIONAL, support=HARMLESS, free=True),
)

_MODULES: Final = (
    *(
        _module(name)
        for name in (
            "scriptlet",
            "ec_logger",
            "bounce_logger",
            "opendkim",
            "dkim_sign",
            "dkim_validate",
            "dk_validate",
            "spf_v1",
            "senderid",
            "adaptive",
            "alerting",
            "alias",
            "inbound_audit",
            "metrics",
            "cidrdb",
            "dane",
            "gcm",
            "conntrol",
            "custom_logger",
            "ds_core",
            "fbl",
            "mail_loop",
            "mstore",
            "mxip",
            "outbound_smtp_auth",
            "response_transcode",
            "static_routes",
        )
    ),
    ScopeRow("script", NAMED, ("scriptlet",)),
    ScopeRow("Scheme", NAMED, ("alias",)),
    ScopeRow("dkim_domain", NAMED, ("opendkim",)),
    ScopeRow("dk_domain", NAMED, ("dkim_sign",)),
)

# Loading these changes nothing about mail that moonpost does not do by itself, or only observes.
_HARMLESS_MODULES: Final = """
    as_logger bzip2io cluster compress_spool dnsbuf gzipio http_io icu ilf_logger ipv6_lookup jlog
    msgc_client msgc_server outbound_audit persist_io pipe_io reception_timing signing_stats
    spf_macros suppress_spool syslog_io tls_macros
"""

# Mail would go another way, be judged otherwise, or not be logged where somebody looks for it.
_CONSEQUENTIAL_MODULES: Final = """
    ac_auth antivirus apn apn_logger auth_ds auth_radius beik bind_address_secondary
    bounce_classifier bounce_classifier_override brightmail chunk_logger clamav cloudmark
    commtouch_ctasd csapi curfew
    custom_bounce_logger delay_dsn dk_sign eleven exim_logger
    fingerprint gcm_logger httpsrv imageanalyzer maildir mm7 mm7_serv
    mms_bounce_logger mms_logger openarc pipe_transport postfix_logger
    regex_binding2 restinjector sched securecreds seedlist
    sendmail_logger sieve smpp smpp_bounce_logger smpp_logger smtp_auth_proxy smtp_cbv
    smtp_rcptto_proxy spamassassin url_ripper
"""

SCOPES: Final[dict[str, ScopeRow]] = {
    row.name.lower(): row
    for row in (
        *_CORE,
        *_MODULES,
        *(_module(name, HARMLESS) for name in _HARMLESS_MODULES.split()),
        *(_module(name, CONSEQUENTIAL) for name in _CONSEQUENTIAL_MODULES.split()),
    )
}

# Shorthands of the `scopes` column of options.tsv.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "delivery": ("global", "binding_group", "binding", "domain"),
    "inbound": ("esmtp_listener", "listen", "peer", "pathway", "pathway_group"),
    "listeners": (*(name.lower() for name in LISTENERS), "listen"),
    "module": tuple(name for name, row in SCOPES.items() if row.module),
}


def allowed_in(parent: str) -> list[str]:
    """Official names of the scopes that may stand in `parent`."""
    return [row.name for row in SCOPES.values() if parent in row.parents]
