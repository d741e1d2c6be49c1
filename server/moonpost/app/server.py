"""The whole server: builds every part, starts them in order, stops them in the other order.

The only place that knows all parts. Order of the start: logs, spool, policy, queues, control, listeners. A part that
cannot start takes back what was started before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NoReturn

from moonpost.adapters.clock import LoopClock
from moonpost.adapters.http import HttpClient
from moonpost.adapters.pools import LoopPools
from moonpost.adapters.sessions import SessionBook
from moonpost.app import ports as real
from moonpost.app.authentication import SchemeAuthenticator
from moonpost.app.console import start_console
from moonpost.app.delivery_hooks import DeliveryHooks
from moonpost.app.engines import message_store, scanners
from moonpost.app.events import EventStream
from moonpost.app.listeners import SCOPE, esmtp_listeners, hostname
from moonpost.app.log import ServerLog
from moonpost.app.outbox import Injection, Outbox
from moonpost.app.starting import listening_at
from moonpost.app.storage import Logs, open_logs
from moonpost.config.diagnostics import ConfigurationError
from moonpost.config.live import LiveConfiguration
from moonpost.config.model import Config
from moonpost.inbound.interface import Tally
from moonpost.inbound.listener import Listener
from moonpost.inbound.service import Service
from moonpost.outbound.notices import Notices
from moonpost.policy.bridge import Bridge
from moonpost.policy.host import Host, HostSettings, Reloaded
from moonpost.policy.limits import Limits
from moonpost.policy.loader import Loader, LoaderSettings, ScriptStanza
from moonpost.policy.runner import Runner
from moonpost.queue.journal import Everybody
from moonpost.queue.keeper import Internal, SpoolKeeper
from moonpost.queue.manager import QueueManager
from moonpost.spool.lmdb_store import LmdbSpool
from msys.bounce_codes import SMTP_RULES, match
from msys.message import Message
from msys.ports import PortError, Ports
from msys.ports.memory_state import MemoryState
from msys.validate.automatic import registrations


class Server:
    """One process that receives, judges, keeps and delivers."""

    def __init__(
        self,
        config: Config,
        *,
        view: str = "py",
        compiled: bool = False,
        limits: Limits | None = None,
        runner: Callable[..., Runner] = Runner,
    ) -> None:
        """view, limits (None: those of the configuration) and runner are for debuggers."""
        self.live = LiveConfiguration(config)
        self.clock = LoopClock()
        self._view = view
        self._compiled = compiled
        self._limits = limits
        self._runner = runner
        self._stack = AsyncExitStack()
        self._listeners: list[Listener] = []
        self._reloading = asyncio.Lock()
        self.stopping = asyncio.Event()  # somebody asked the server to stop
        self.logs: Logs
        self.log: ServerLog
        self.events: EventStream
        self.spool: LmdbSpool
        self.queues: QueueManager
        self.bridge: Bridge
        self.host: Host
        self.ports: Ports
        self.keeper: SpoolKeeper
        self.notices: Notices

    @property
    def config(self) -> Config:
        return self.live.current

    async def start(self) -> dict[str, list[str]]:
        """Start everything; returns the addresses of the listeners by kind. Raises what prevented it."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self.addresses()

    def addresses(self) -> dict[str, list[str]]:
        """Where the server listens, with the ports that were found for port 0."""
        found = [f"{host}:{port}" for each in self._listeners for host, port in each.addresses]
        return {"esmtp": found}

    async def _start(self) -> None:
        config = self.config
        self._open_logs(config)
        self.spool = LmdbSpool(Path(config.option("spoolbase")))
        self._stack.push_async_callback(self.spool.close)
        await self._start_policy(config)
        self._build_queues(config)
        await self.queues.start()
        self._stack.push_async_callback(self.queues.stop)
        console = await start_console(self, self.bridge)
        self._stack.push_async_callback(console.stop)
        await self._start_listeners(config)

    def _open_logs(self, config: Config) -> None:
        self.logs = open_logs(
            config, self.clock.now, lambda text, domain: match(SMTP_RULES, text, domain)
        )
        self._stack.callback(self.logs.close)
        self.events = EventStream(self.logs.events, self.clock.now)
        self.log = ServerLog(self.logs.troubles, self.events)
        heartbeat = asyncio.ensure_future(self._beat())
        self._stack.callback(heartbeat.cancel)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.logs.heartbeat_s)
            self.logs.heartbeat(self.clock.now())

    async def _start_policy(self, config: Config) -> None:
        limits = self._limits or Limits(
            config.option("callout_cpu_limit"), config.option("callout_time_limit")
        )
        self.bridge = bridge = Bridge(limits)
        http = HttpClient()
        self._stack.push_async_callback(http.close)
        databases = real.databases(config, self.clock)
        self._stack.push_async_callback(databases.close)
        mstore, close_mstore = message_store(config, http, self.clock.now)
        self._stack.callback(close_mstore)
        self.book = SessionBook(_monitors(config), now=self.clock.now)
        pools = LoopPools(
            bridge.start,
            self.clock,
            self.log,
            {name: pool.concurrency for name, pool in config.thread_pools().items()},
        )
        self._stack.push_async_callback(pools.close)
        self.ports = Ports(
            clock=self.clock,
            dns=real.resolver(config, self.clock),
            http=http,
            files=real.files(config, http),
            database=databases,
            log=self.log,
            outbox=_NotYet(),
            state=MemoryState(now=self.clock.now),
            configuration=self.live,
            pools=pools,
            sessions=self.book,
            scanners=scanners(lambda: self.config, http),
            mstore=mstore,
        )
        loader = Loader(
            LoaderSettings(
                roots=tuple(Path(folder) for folder in config.script_folders),
                cache=Path(
                    config.option("policy_cache") or Path(config.option("spoolbase")) / "policy"
                ),
                view=self._view,
                allow_writable=config.option("allow_writable_policy"),
                compiled=self._compiled,
            )
        )
        self._stack.push_async_callback(loader.close)
        scriptlet = config.module("scriptlet") or {}
        self.host = Host(
            self.ports,
            bridge,
            loader,
            HostSettings(
                script_ttl_s=float(scriptlet.get("script_ttl", 300)),
                missing_return=config.option("missing_return"),
            ),
            runner=self._runner,
        )
        self.host.on_swap.append(self.events.loaded)
        self.host.on_refusal.append(self.events.load_refused)
        await self.host.start(stanzas(config), registrations(config.module))
        self._stack.push_async_callback(self.host.stop)

    def _build_queues(self, config: Config) -> None:
        name = hostname(config)
        journal = Everybody(self.logs.mail, self.events)
        self.queues = QueueManager(
            self.spool,
            self.ports.dns,
            self.clock,
            self.live.delivery_option,
            hostname=name,
            journal=journal,
            scope_of=lambda *key: self.config.delivery_scope(*key),
            most_connections=config.option("server_max_outbound_connections"),
        )
        self.live.on_change.append(self._refresh_soon)
        self.keeper = SpoolKeeper(
            self.spool,
            self.queues.accepted,
            self.live.delivery_option,
            journal,
            self.clock.now,
            hostname=name,
            group_of=lambda binding: self.config.group_of(binding),
        )
        injection = Injection(self.host, self.keeper, self.clock, self.log, self.events)
        hooks = DeliveryHooks(self.host, self.log, self.queues.domain_record, self.events)
        self.notices = Notices(
            injection.inject,
            self.live.delivery_option,
            self.clock.now,
            name,
            lambda message: self.keeper.record(message, Internal(self.clock.now())),
            hooks,
        )
        self.queues.notify_through(self.notices, hooks)
        self.ports.outbox = Outbox(
            injection,
            self.queues.delay_domain,
            self.queues.domain_record,
            self.queues.failure_rate,
        )

    def _refresh_soon(self, _old: Config, _new: Config) -> None:
        """Queues read their options anew once the change is in force, which is after everyone agreed."""
        asyncio.get_running_loop().call_soon(self.queues.refresh)

    def _authenticator(self, listen: str) -> SchemeAuthenticator:
        def option(name: str) -> Any:
            return self.config.listener_option(name, SCOPE, listen, "")

        return SchemeAuthenticator(self.host, self.bridge, self.ports, option)

    async def _start_listeners(self, config: Config) -> None:
        loop = asyncio.get_running_loop()
        tally = Tally()  # one for all listeners: service_sessions limits them together
        for settings in esmtp_listeners(config):
            service = Service(
                settings,
                self.host,
                self.keeper,
                self.log,
                self.book,
                loop,
                bouncer=self.notices,
                authenticator=self._authenticator(settings.name),
                witness=self.events,
                tally=tally,
                now=self.clock.now,
            )
            listener = Listener(service)
            with listening_at(config, settings.name):
                await listener.start()
            self._listeners.append(listener)
            self._stack.push_async_callback(listener.stop)

    # --- while running -----------------------------------------------------------------------------------

    async def reload(self, path: str | None = None) -> Reloaded:
        """Read configuration (of another file, when given) and policy again; both are adopted, or neither."""
        async with self._reloading:
            try:
                config = self.live.prepare(path)
            except ConfigurationError as error:
                for line in str(error).splitlines():
                    self.log.panic("config", line)
                return Reloaded(False, self.host.current().number, problems=[str(error)])
            outcome = await self.host.reload(stanzas(config), registrations(config.module))
            if not outcome.problems:
                self.live.adopt(config)
                for listener, settings in zip(
                    self._listeners, esmtp_listeners(config), strict=False
                ):
                    listener.service.settings = settings
            return outcome

    async def stop(self) -> None:
        """Finish what was promised, then end: listeners first, the spool last."""
        for listener in self._listeners:
            await listener.stop()
        await self._stack.aclose()


class _NotYet:
    """The outbox while queues do not exist: scripts that send mail from their main chunk are told so."""

    def submit(self, message: Message, mailfrom: str, recipients: Sequence[str]) -> None:
        self._refuse()

    def delay_domain(self, domain: str, note: str) -> None:
        self._refuse()

    def domain(self, name: str) -> None:
        self._refuse()

    def failure_rate(self, binding: str, domain: str, period_s: float) -> float:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise PortError(
            "EAGAIN", "there are no queues while policy is loading: use a callout or a timer"
        )


def stanzas(config: Config) -> list[ScriptStanza]:
    """The scripts to load, in order."""
    return [ScriptStanza(script.name, script.source) for script in config.scripts()]


def _monitors(config: Config) -> list[str]:
    audit: Any = config.module("inbound_audit") or {}
    return list(audit.get("monitors") or ())
