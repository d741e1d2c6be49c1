"""The Scanners port: which engine stands behind which module, and one client for each.

Modules are those of the configuration; what an engine says on the wire is in `clamd`, `rspamd` and `spamd`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from moonpost.adapters.clamd import Clamd
from moonpost.adapters.rspamd import MARK_AT, Rspamd
from moonpost.adapters.spamd import Spamd
from msys.ports import Envelope, Http, PortError, SpamReport, VirusReport

T = TypeVar("T")
SPAM_ENGINES = {"rspamd": "127.0.0.1:11333", "spamd": "127.0.0.1:783"}  # engine -> usual daemon
CLAMD = "127.0.0.1:3310"


@dataclass(frozen=True, slots=True)
class Engines:
    """What is configured.

    virus: options of each engine by name, in order. modules: options of each anti-spam module by name; `engine`
    and `daemon` say who really judges.
    """

    virus: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    modules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class EngineScanners:
    """Engines as `read` says they are now; a client lives as long as its options stay the same."""

    def __init__(self, read: Callable[[], Engines], http: Http) -> None:
        self._read = read
        self._http = http
        self._clients: dict[tuple[Any, ...], Any] = {}

    def settings(self, module: str) -> Mapping[str, Any] | None:
        engines = self._read()
        options = engines.virus.get(module)
        return engines.modules.get(module) if options is None else options

    def virus_engines(self) -> Sequence[str]:
        return list(self._read().virus)

    async def virus(self, engine: str, content: bytes) -> VirusReport:
        options = self._read().virus.get(engine)
        if options is None:
            raise PortError("NO_ENGINE", f"no virus engine '{engine}' is configured")
        daemon = str(options.get("daemon") or CLAMD)
        timeout_s = float(options.get("scan_timeout") or 10)
        most = int(options.get("max_concurrency") or 0)
        key = ("clamd", engine, daemon, timeout_s, most)
        client: Clamd = self._client(key, lambda: Clamd(daemon, timeout_s, most))
        return await client.scan(content)

    async def spam(self, module: str, content: bytes, envelope: Envelope) -> SpamReport:
        options = self._read().modules.get(module)
        if options is None:
            raise PortError("NO_ENGINE", f"no engine is configured behind '{module}'")
        engine = str(options.get("engine") or "rspamd").lower()
        if engine not in SPAM_ENGINES:
            known = " or ".join(SPAM_ENGINES)
            raise PortError("NO_ENGINE", f"{module}: unknown engine '{engine}'; use {known}")
        daemon = str(options.get("daemon") or SPAM_ENGINES[engine])
        timeout_s = float(options.get("scan_timeout") or 10)
        mark_at = float(options.get("mark_at") or MARK_AT)
        key = (engine, daemon, timeout_s, mark_at)
        client: Rspamd | Spamd = self._client(
            key,
            lambda: (
                Rspamd(daemon, self._http, timeout_s, mark_at)
                if engine == "rspamd"
                else Spamd(daemon, timeout_s)
            ),
        )
        return await client.scan(content, envelope)

    def _client(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        found: T | None = self._clients.get(key)
        if found is None:
            found = self._clients[key] = make()
        return found
