"""What `scanner` and `mstore` stanzas mean: the ports behind msys.av, the anti-spam packages and msys.mstore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from moonpost.adapters.mstore import EmbeddedMessages, RiakMessages
from moonpost.adapters.scanners import Engines, EngineScanners
from moonpost.config.model import Config
from msys.ports import Http, MessageStore

# Modules of anti-spam packages; a scanner of another name looks for viruses
ANTI_SPAM = frozenset(("brightmail", "cloudmark", "commtouch_ctasd", "eleven", "beik"))


def engines(config: Config) -> Engines:
    """The `scanner` stanzas: virus engines in their order, and what stands behind anti-spam packages."""
    virus: dict[str, dict[str, Any]] = {}
    modules: dict[str, dict[str, Any]] = {}
    for stanza in config.modules("scanner"):
        options = {key: value for key, value in stanza.items() if value is not None}
        name = options["instance"]
        engine = options.setdefault("engine", "rspamd" if name in ANTI_SPAM else "clamd")
        (virus if engine == "clamd" else modules)[name] = options
    return Engines(virus, modules)


def scanners(current: Callable[[], Config], http: Http) -> EngineScanners:
    """Scanners as the configuration in force says."""
    known: list[tuple[Config, Engines]] = []

    def read() -> Engines:
        config = current()
        if not known or known[0][0] is not config:
            known[:] = [(config, engines(config))]
        return known[0][1]

    return EngineScanners(read, http)


def message_store(
    config: Config, http: Http, now: Callable[[], float]
) -> tuple[MessageStore | None, Callable[[], None]]:
    """The store of the `mstore` stanza, None without one; and how to close it."""
    stanza = config.module("mstore")
    if stanza is None:
        return None, lambda: None
    if stanza["servers"]:
        return RiakMessages(stanza["servers"], http), lambda: None
    folder = Path(config.option("spoolbase")) / "mstore"
    store = EmbeddedMessages(folder, now, stanza["retention"])
    return store, store.close
