"""Builds what finds out how connections to receiving hosts have to be protected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moonpost.adapters.dns import Resolver
from moonpost.adapters.mta_sts import Policies
from moonpost.config.model import Config
from moonpost.queue.trust import Trust
from msys.ports import Dns


def trust(config: Config, dns: Dns, now: Callable[[], float]) -> Trust:
    """MTA-STS policies beside the spool; DANE where the name servers are trusted. now: UTC seconds."""
    store = config.option("mta_sts_policy_store")
    folder = Path(store) if store else Path(config.option("spoolbase")) / "mtasts"
    policies = Policies(dns, folder, now)
    if isinstance(dns, Resolver) and dns.trusted:
        return Trust(dns.prove, policies.policy)
    servers = dns.servers if isinstance(dns, Resolver) else ""
    why = (
        f"the name servers {servers or '(none)'} are not trusted to validate DNSSEC; use a validating resolver on "
        "this machine, or say dns_trust_ad = yes when nobody can change answers on their way here"
    )
    return Trust(None, policies.policy, why)
