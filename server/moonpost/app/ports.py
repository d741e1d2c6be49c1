"""Builds the ports from a configuration: the only place where `msys` meets the real world."""

from __future__ import annotations

from moonpost.adapters.clock import LoopClock
from moonpost.adapters.database import Databases, Datasource
from moonpost.adapters.dns import Resolver
from moonpost.adapters.files import PolicyFiles
from moonpost.adapters.http import HttpClient
from moonpost.config.model import Config


def resolver(config: Config, clock: LoopClock) -> Resolver:
    """Asks `Nameservers` when they are given, else those of `Resolv_Conf`."""
    return Resolver(
        tuple(config.option("nameservers") or ()),
        now=clock.monotonic,
        resolv_conf=config.option("resolv_conf"),
        trusted={"yes": True, "no": False}.get(config.option("dns_trust_ad")),
    )


def databases(config: Config, clock: LoopClock) -> Databases:
    """The `Datasource` stanzas."""
    sources = {
        stanza["instance"]: Datasource(
            uris=tuple(absolute_uri(uri, config.folder) for uri in stanza["uri"] or ()),
            cache_life_s=stanza["cache_life"],
            cache_size=stanza["cache_size"],
            max_rows=stanza["max_rows"],
            no_cache=bool(stanza["no_cache"]),
        )
        for stanza in config.modules("datasource")
    }
    return Databases(sources, now=clock.monotonic)


def files(config: Config, http: HttpClient) -> PolicyFiles:
    """Relative paths of policy are looked for where its scripts are."""
    return PolicyFiles(
        config.script_folders, tuple(config.option("readfile_schemes") or ("file",)), http
    )


def absolute_uri(uri: str, folder: str) -> str:
    """A SQLite path that is relative is relative to the configuration."""
    scheme, _, path = uri.partition(":")
    if scheme == "sqlite" and path and not path.startswith(("/", ":")):
        return f"sqlite:{folder}/{path}"
    return uri
