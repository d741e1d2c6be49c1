"""The whole server: builds every part, starts them in order, stops them in the other order.

The only place that knows all parts. Order of the start: logs, spool, policy, queues, control, listeners. A part that
cannot start takes back what was started before it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from moonpost.adapters.clock import LoopClock
from moonpost.adaptive.driver import AdaptiveDelivery
from moonpost.app.adaptive import start_adaptive
from moonpost.app.console import start_console
from moonpost.app.delivery_hooks import DeliveryHooks
from moonpost.app.events import EventStream
from moonpost.app.http_reception import HttpReception
from moonpost.app.listeners import esmtp_listeners, hostname, http_listeners
from moonpost.app.log import ServerLog
from moonpost.app.metrics import MetricsListener, start_metrics
from moonpost.app.outbox import Injection, Outbox
from moonpost.app.own import listens, own_places
from moonpost.app.policy import How, Running, monitors, stanzas, start_policy
from moonpost.app.processes.book import SharedBook
from moonpost.app.processes.owner import owner_of, reachable, staged
from moonpost.app.processes.totals import merged
from moonpost.app.processes.workers import Workers
from moonpost.app.push import Push
from moonpost.app.receiving import Reception, services
from moonpost.app.sockets import Handed, Sockets
from moonpost.app.starting import CannotStart
from moonpost.app.storage import Logs, open_logs
from moonpost.app.trust import trust
from moonpost.app.vitals import start_vitals_of
from moonpost.config.diagnostics import ConfigurationError
from moonpost.config.live import LiveConfiguration
from moonpost.config.model import Config
from moonpost.control.login import nobody
from moonpost.control.settings import control_sockets
from moonpost.inbound.interface import Tally
from moonpost.inbound.settings import ListenSettings
from moonpost.observe.trace import Tracers
from moonpost.outbound.notices import Notices
from moonpost.policy.bridge import Bridge
from moonpost.policy.generation import Generation
from moonpost.policy.host import Host, Reloaded
from moonpost.policy.limits import Limits
from moonpost.policy.runner import Runner
from moonpost.policy.timing import TIMINGS, Spread
from moonpost.queue.journal import Everybody
from moonpost.queue.keeper import Internal, SpoolKeeper
from moonpost.queue.manager import QueueManager
from moonpost.spool.lmdb_store import LmdbSpool
from msys.bounce_codes import SMTP_RULES, match
from msys.ports import Ports
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
        handed: list[Handed] | None = None,
        one_process: bool = False,
    ) -> None:
        """view, limits (None: those of the configuration) and runner are for debuggers. handed: sockets of systemd.

        one_process: whatever `workers` says.
        """
        self.live = LiveConfiguration(config)
        self.clock = LoopClock()
        self._how = How(view, compiled, limits, runner)
        self._acceptors = 1 if one_process else int(config.option("workers"))
        self._stack = AsyncExitStack()
        self._sockets = Sockets(handed or [])
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
        self.running: Running
        self.keeper: SpoolKeeper
        self.notices: Notices
        self.adaptive: AdaptiveDelivery | None = None
        self.metrics: MetricsListener | None = None
        self.tracers = Tracers(self.clock.now, lambda: int(self.config.option("trace_smtp_mode")))
        self._stack.callback(self.tracers.close)
        self.http: HttpReception
        self.reception: Reception | None = None  # the sessions of this process
        self.workers: Workers | None = None  # or those of others

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
        at = self.workers or self.reception
        found = {"esmtp": at.addresses if at is not None else []}
        found |= {"http": self.http.addresses} if self.http.listeners else {}
        return found | ({"metrics": [self.metrics.address]} if self.metrics else {})

    @property
    def tally(self) -> Tally:
        """Counts of sessions since the start, of all processes."""
        at = self.workers or self.reception
        return at.tally if at is not None else Tally()

    def timings(self) -> Mapping[str, Spread]:
        """How long callouts took, in all processes."""
        reports = self.workers.reports() if self.workers else ()
        return merged([TIMINGS.all(), *(report.timings for report in reports)])

    async def _start(self) -> None:
        config = self.config
        self._open_logs(config)
        self.spool = LmdbSpool(Path(config.option("spoolbase")))
        self._stack.push_async_callback(self.spool.close)
        await self._start_policy()
        self.adaptive = await self._start_adaptive(config)
        self._build_queues(config)
        await self.queues.start()
        self._stack.push_async_callback(self.queues.stop)
        console = await start_console(self, self.bridge)
        self._stack.push_async_callback(console.stop)
        if self._acceptors > 1:
            await self._start_workers(config)
        else:
            await self._start_listeners(config)
        await self._start_http(config)
        self._sockets.refuse_rest(config)
        self.metrics = await start_metrics(self, self._stack)
        start_vitals_of(self, self._stack)

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

    async def _start_policy(self) -> None:
        how = self._how
        if self._acceptors > 1:
            self.shared_book = SharedBook(
                monitors(self.config), now=self.clock.now, tell=lambda _event: None
            )
            how = replace(how, book=self.shared_book)
        running = await start_policy(self.live, self.clock, self.log, self.events, self._stack, how)
        self.running = running
        self.bridge, self.ports = running.bridge, running.ports
        self.host, self.book = running.host, running.book

    async def _start_adaptive(self, config: Config) -> AdaptiveDelivery | None:
        stanza = config.module("adaptive")
        if stanza is None:
            return None
        return await start_adaptive(
            stanza,
            self.live,
            (self.host, self.bridge, self.ports),
            self.log,
            self.events,
            lambda: self.injection.inject,
            self._stack,
            hostname=hostname(config),
            classify=lambda text, domain: match(SMTP_RULES, text, domain),
            files=self.logs.files,
        )

    def _build_queues(self, config: Config) -> None:
        name = hostname(config)
        adaptive = self.adaptive
        journal = Everybody(self.logs.mail, self.events, *([adaptive] if adaptive else []))

        def scope_of(*key: str) -> str:
            return self.config.delivery_scope(*key)

        self.queues = QueueManager(
            self.spool,
            self.ports.dns,
            self.clock,
            adaptive.option if adaptive else self.live.delivery_option,
            hostname=name,
            journal=journal,
            scope_of=adaptive.scope_of(scope_of) if adaptive else scope_of,
            most_connections=config.option("server_max_outbound_connections"),
            host_option=lambda *key: self.config.host_option(*key),
            trust=trust(config, self.ports.dns, self.clock.now),
            is_ours=lambda address, port: listens(address, port, own_places(self.config)),
            static_route=lambda: str(
                (self.config.module("static_routes") or {}).get("target") or ""
            ),
        )
        self.live.on_change.append(self._refresh_soon)
        self.queues.tap = self.tracers.outbound
        if adaptive:
            adaptive.changed = self.queues.reconsider
            self.events.watchers.append(adaptive.see)
            self.live.suspensions.append(adaptive.suspends)
            self.queues.revisers.append(adaptive.revise)
            self.host.on_swap.append(lambda _generation: self._refresh_soon())
        self.keeper = SpoolKeeper(
            self.spool,
            self.queues.accepted,
            self.live.delivery_option,
            journal,
            self.clock.now,
            hostname=name,
            group_of=lambda binding: self.config.group_of(binding),
        )
        injection = self.injection = Injection(
            self.host, self.keeper, self.clock, self.log, self.events
        )
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
        self.queues.push = Push(self.host, self.ports.http, self.log, self.events).send
        self.ports.outbox = Outbox(
            injection,
            self.queues.delay_domain,
            self.queues.domain_record,
            self.queues.failure_rate,
        )

    def _refresh_soon(self, *_changed: Config) -> None:
        """Queues read their options anew once the change is in force, which is after everyone agreed."""
        asyncio.get_running_loop().call_soon(self.queues.refresh)

    async def _start_listeners(self, config: Config) -> None:
        self.reception = Reception(
            *services(
                self.live,
                self.running,
                self.keeper,
                self.notices,
                self.log,
                self.events,
                self.clock.now,
                self.tracers.inbound,
            )
        )
        self._stack.push_async_callback(self.reception.stop)
        self.live.on_change.append(lambda _old, _new: self._change_soon())
        for settings in esmtp_listeners(config):
            (listening,) = self._sockets.open(config, settings)
            await self.reception.open(settings, listening)

    async def _start_http(self, config: Config) -> None:
        self.http = HttpReception(
            self.live, self.running, self.keeper, self.log, self.events, self.clock.now
        )
        self._stack.push_async_callback(self.http.stop)
        await self.http.start(config, self._sockets)

    def _change_soon(self) -> None:
        """Sessions to come go by a change of the console once it is in force."""
        if self.reception is not None:
            reception = self.reception
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: reception.change(esmtp_listeners(self.config)))

    async def _start_workers(self, config: Config) -> None:
        await reachable(self.ports.state)
        sockets = {
            settings.name: self._sockets.open(config, settings, self._acceptors)
            for settings in esmtp_listeners(config)
        }
        self.workers = Workers(
            owner_of(self),
            sockets,
            self._acceptors,
            lambda: staged(self.host.current(), self.config),
            ahead=self._how.compiled,
        )
        self._stack.push_async_callback(self.workers.stop)
        await self.workers.start()
        self.tracers.changed = self.workers.trace
        self.host.agree = lambda generation: self._agree(self.config, generation)
        self.host.on_swap.append(lambda _generation: self._adopted())
        self.live.on_change.append(lambda _old, _new: self._configure_soon())

    async def _agree(self, config: Config, generation: Generation) -> list[str]:
        return await self.workers.agree(staged(generation, config)) if self.workers else []

    def _adopted(self) -> None:
        if self.workers is not None:
            self.workers.adopt()

    def _configure_soon(self) -> None:
        """Acceptors hear of a change once it is in force."""
        if self.workers is not None:
            workers = self.workers
            asyncio.get_running_loop().call_soon(lambda: workers.configure(self.config))

    # --- while running -----------------------------------------------------------------------------------

    async def reload(self, path: str | None = None) -> Reloaded:
        """Read configuration (of another file, when given) and policy again; both are adopted, or neither."""
        async with self._reloading:
            try:
                config = self.live.prepare(path)
                new = self._bind_new(config)
            except (ConfigurationError, CannotStart) as error:
                for line in str(error).splitlines():
                    self.log.panic("config", line)
                return Reloaded(False, self.host.current().number, problems=[str(error)])
            outcome = await self.host.reload(
                stanzas(config),
                registrations(config.judging),
                agree=partial(self._agree, config),
            )
            if outcome.problems:
                for _, listening in new:
                    listening.close()
                return outcome
            outcome.warnings += later(self.config, config, self.workers)
            self.live.adopt(config)
            await self._change_listeners(config, new)
            return outcome

    async def _change_listeners(
        self, config: Config, new: list[tuple[ListenSettings, socket.socket]]
    ) -> None:
        wanted = esmtp_listeners(config)
        if self.workers is not None:
            self.workers.keep_only({settings.name for settings in wanted})
        if self.reception is not None:
            for settings, listening in new:
                await self.reception.open(settings, listening)
            self.reception.change(wanted)
        self.http.change(config)

    def reopen_logs(self) -> None:
        """Go on in the files that have the names now."""
        self.logs.reopen()
        if self.workers is not None:
            self.workers.reopen_logs()

    def _bind_new(self, config: Config) -> list[tuple[ListenSettings, socket.socket]]:
        """Sockets for listeners that a reload adds, bound before anything changes: a refusal changes nothing."""
        found: list[tuple[ListenSettings, socket.socket]] = []
        if self.reception is None:
            return found
        try:
            for settings in esmtp_listeners(config):
                if settings.name not in self.reception.listeners:
                    found.append((settings, self._sockets.open(config, settings)[0]))
        except CannotStart:
            for _, listening in found:
                listening.close()
            raise
        return found

    async def stop(self) -> None:
        """Finish what was promised, then end: listeners first, the spool last."""
        listening = [each for each in (self.reception, self.workers, self.http) if each is not None]
        await asyncio.gather(*(each.stop() for each in listening))
        await self._stack.aclose()


def later(old: Config, new: Config, workers: Workers | None) -> list[str]:
    """What a reload does not change while the server runs, in words."""
    sockets: dict[str, Callable[[Config], object]] = {
        "Control_Listener": lambda config: control_sockets(config, lambda _: nobody),
        "HTTP_Listener": lambda config: [each.name for each in http_listeners(config)],
    }
    found = [
        f"the {name} changed: its sockets are as before until the server is restarted"
        for name, of in sockets.items()
        if of(old) != of(new)
    ]
    if workers is not None:
        names = [settings.name for settings in esmtp_listeners(new)]
        found += [
            f'Listen "{name}" is new: acceptors listen there once the server is restarted'
            for name in names
            if name not in workers.names
        ]
        if int(new.option("workers")) != len(workers.workers):
            found.append(
                "Workers changed: there are as many as before until the server is restarted"
            )
    return found
