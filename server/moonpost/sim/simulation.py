"""Policy loaded once, sessions played against it: what `moonpost sim` and the default of `moonpost debug` run.

The policy host, loader and compile cache are the server's; the outside is simulated (`outside`).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from moonpost.adapters.pools import LoopPools
from moonpost.adapters.sessions import SessionBook
from moonpost.app.aliases import Aliases
from moonpost.app.outbox import Injection, Outbox
from moonpost.config.live import LiveConfiguration
from moonpost.policy.bridge import Bridge
from moonpost.policy.cache import CacheRefused, CompileCache
from moonpost.policy.host import Host, HostSettings, Reloaded
from moonpost.policy.limits import Limits
from moonpost.policy.loader import Loader, LoaderSettings
from moonpost.sim.letter import Letter
from moonpost.sim.outside import (
    ReadOnlyFiles,
    SimulatedDatabase,
    SimulatedDns,
    SimulatedHttp,
    SimulatedScanners,
    SimulatedSnmp,
)
from moonpost.sim.player import Player
from moonpost.sim.report import Injected, Report
from moonpost.sim.setup import Setup
from moonpost.sim.snapshot import readable
from moonpost.sim.watching import AboutToRun, Watcher
from msys.message import Message
from msys.ports import Ports
from msys.ports.memory_state import MemoryState
from msys.testing.fakes import FakeClock, FakeLog, FakeStore
from msys.validate.automatic import registrations

NEVER_S = 10.0**9  # half a minute of virtual time must not make the host look for changed files


@dataclass(frozen=True, slots=True)
class How:
    """How to run: what debuggers see, limits on policy (None: those of the server), when it is."""

    view: str = "py"
    limits: Limits | None = None
    began_at: float | None = None  # None: now
    about_to_run: AboutToRun | None = None


class Simulation:
    """`async with Simulation(setup) as simulation: await simulation.play(letter)`. State lasts between sessions."""

    def __init__(self, setup: Setup, how: How | None = None) -> None:
        self._setup = setup
        self._how = how or How()
        self._stack = AsyncExitStack()
        self._submitted: list[Message] = []
        self.clock = FakeClock(time.time() if self._how.began_at is None else self._how.began_at)
        self.log = FakeLog()
        self.watcher = Watcher(self._how.about_to_run)
        self.aliases: Aliases
        self.host: Host
        self.loaded: Reloaded

    async def __aenter__(self) -> Simulation:
        """Load policy. Raises LoadFailed with everything that is wrong."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def play(self, letter: Letter) -> Report:
        """One session."""
        settings = self._setup
        options = settings.options_for(letter.client)
        self.watcher.take()
        self.log.lines.clear()
        self._submitted.clear()
        listener = settings.listener or "esmtp"
        entry = self.book.opened(letter.client, "SMTP", listener)
        try:
            player = Player(
                letter,
                options,
                self.host,
                self.clock,
                self.log,
                self.watcher,
                listener,
                self.aliases,
            )
            report = await player.play()
        finally:
            self.book.closed(entry)
        report.injected += [_injected(message) for message in self._submitted]
        report.log = [(level, module, readable(text)) for module, text, level in self.log.lines]
        return report

    async def _start(self) -> None:
        setup, config = self._setup, self._setup.config
        limits = self._how.limits or Limits(
            config.option("callout_cpu_limit"), config.option("callout_time_limit")
        )
        bridge = Bridge(limits)
        sizes = {name: pool.concurrency for name, pool in config.thread_pools().items()}
        pools = LoopPools(bridge.start, self.clock, self.log, sizes)
        self._stack.push_async_callback(pools.close)
        database = SimulatedDatabase(setup.datasources(), setup.sql)
        self.aliases = Aliases(lambda: config, database)
        self._stack.callback(database.close)
        audit: Any = config.module("inbound_audit") or {}
        self.book = SessionBook(list(audit.get("monitors") or ()), now=self.clock.now)
        asked = self.watcher.asked
        schemes = tuple(config.option("readfile_schemes") or ("file",))
        http = SimulatedHttp(asked)
        ports = Ports(
            clock=self.clock,
            dns=SimulatedDns(setup.records, asked),
            http=http,
            files=ReadOnlyFiles(config.script_folders, schemes, http),
            database=database,
            log=self.log,
            outbox=cast(Any, None),  # made below: it needs the host
            state=MemoryState(now=self.clock.now),
            configuration=LiveConfiguration(config),
            pools=pools,
            sessions=self.book,
            snmp=SimulatedSnmp(asked),
            scanners=SimulatedScanners(*setup.engines(), asked),
            mstore=None if config.module("mstore") is None else FakeStore(),
        )
        loader = Loader(
            LoaderSettings(
                roots=setup.roots,
                cache=cache_folder(),
                view=self._how.view,
                allow_writable=setup.bare or bool(config.option("allow_writable_policy")),
            )
        )
        self._stack.push_async_callback(loader.close)
        self.host = Host(
            ports,
            bridge,
            loader,
            HostSettings(NEVER_S, config.option("missing_return")),
            runner=self.watcher.runner,
        )
        injection = Injection(self.host, cast(Any, self), self.clock, self.log)
        ports.outbox = Outbox(
            injection, lambda _domain, _note: None, lambda _domain: None, lambda *_: 0.0
        )
        self.loaded = await self.host.start(setup.scripts, registrations(setup.config.module))
        self._stack.push_async_callback(self.host.stop)

    async def keep(self, messages: Sequence[Message], _reception: Any) -> None:
        """Where injected mail ends: in the report."""
        self._submitted += messages


def _injected(message: Message) -> Injected:
    return Injected(
        "policy",
        readable(message.sender),
        readable(message.recipient),
        message.id.text,
        len(message.content),
        message.binding_name or "default",
        message,
    )


def cache_folder() -> Path:
    """Compiled modules of simulations: the user's own cache, or a folder that goes with this process."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "moonpost" / "policy"
    try:
        CompileCache(folder)
    except (OSError, CacheRefused):
        return Path(tempfile.mkdtemp(prefix="moonpost-policy-"))
    return folder
