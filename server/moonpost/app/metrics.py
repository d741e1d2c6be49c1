"""The port that Prometheus and load balancers ask: `/metrics` and `/health`.

Plain HTTP on loopback unless the `metrics` stanza says otherwise; it tells names of domains, and takes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from moonpost.app.starting import CannotStart
from moonpost.config.validate import endpoint
from moonpost.observe.metrics import CONTENT_TYPE, Figures, Gauge, Gauges, single
from moonpost.observe.tallies import MOST_DOMAINS, OTHER, Bounded, Tallies

if TYPE_CHECKING:
    from moonpost.app.server import Server

ADDRESS = "127.0.0.1:9464"  # the port the Prometheus project lists for exporters of applications
LAG_EVERY_S = 0.5
HEALTHY, ILL = 200, 503


@dataclass(slots=True)
class Lag:
    """How late the event loop was, at worst, since somebody asked."""

    worst_s: float = 0.0
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def take(self) -> float:
        worst, self.worst_s = self.worst_s, 0.0
        return worst

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LAG_EVERY_S)
            self.worst_s = max(self.worst_s, time.perf_counter() - before - LAG_EVERY_S)


class MetricsListener:
    """One HTTP server, for as long as the server runs."""

    def __init__(self, figures: Figures, health: Callable[[], Mapping[str, Any]]) -> None:
        self._figures, self._health = figures, health
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def start(self, host: str, port: int) -> None:
        """OSError when it cannot listen."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/health", self._answer_health)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, shutdown_timeout=1.0)
        await site.start()
        self.address = f"{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._figures.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _answer_health(self, _request: web.Request) -> web.Response:
        said = self._health()
        return web.json_response(said, status=HEALTHY if said["status"] == "ok" else ILL)


async def start_metrics(server: Server, stack: AsyncExitStack) -> MetricsListener | None:
    """Listen where the `metrics` stanza says; None without one. CannotStart when that is not possible."""
    stanza = server.config.module("metrics")
    if stanza is None:
        return None
    tallies = Tallies(domains=int(stanza.get("labelled_domains") or MOST_DOMAINS))
    server.events.watchers.append(tallies.see)
    lag = Lag()
    lag.start()
    domains = Bounded(int(stanza.get("labelled_domains") or MOST_DOMAINS))
    figures = Figures(tallies, server.timings, lambda: gauges(server, lag, domains))
    listener = MetricsListener(figures, lambda: health(server))
    address = str(stanza.get("metrics_address") or ADDRESS)
    try:
        host, port = endpoint(address)
        await listener.start(host.strip("[]").replace("*", "0.0.0.0"), int(port))
    except (OSError, ValueError) as error:
        lag.stop()
        raise CannotStart(f"metrics_address = {address}: {error}") from None
    stack.callback(lag.stop)
    stack.push_async_callback(listener.stop)
    return listener


def health(server: Server) -> Mapping[str, Any]:
    """`status` is `ok`, or what is wrong: this server should be sent no mail then."""
    listeners = server.addresses()["esmtp"]
    status = "ok"
    if server.stopping.is_set():
        status = "stopping"
    elif not listeners:
        status = "no listener is open"
    elif server.spool.room() <= 0:
        status = "the disk of the spool is full"
    return {
        "status": status,
        "generation": server.host.current().number,
        "configuration": server.config.number,
        "listeners": listeners,
        "queued": sum(queue.total for queue in server.queues.queues.values()),
    }


def gauges(server: Server, lag: Lag, domains: Bounded) -> Gauges:
    """What there is at this moment."""
    queues = list(server.queues.queues.values())
    waiting: dict[tuple[str, ...], float] = {}
    for queue in sorted(queues, key=lambda one: -one.total):
        label = domains(queue.name.domain)
        for state, count in (("active", len(queue.held)), ("delayed", queue.delayed)):
            waiting[label, state] = waiting.get((label, state), 0) + count
    waiting.setdefault((OTHER, "delayed"), 0)
    held = server.adaptive.state.pairs.values() if server.adaptive is not None else ()
    tally = server.tally
    logs = server.logs.files
    return {
        "moonpost_queue_messages": Gauge("messages in queues", waiting, ("domain", "state")),
        "moonpost_queues": single("queues in memory", len(queues)),
        "moonpost_outbound_connections": single(
            "connections to hosts", sum(server.queues.workers(queue.name) for queue in queues)
        ),
        "moonpost_sessions": single("sessions of clients", tally.open),
        "moonpost_adaptive_holds": single(
            "queues suspended or blackholed", sum(bool(pair.holds) for pair in held)
        ),
        "moonpost_spool_room_bytes": single("room for messages on the disk", server.spool.room()),
        "moonpost_policy_generation": single("generation in force", server.host.current().number),
        "moonpost_policy_generations": single("generations in use", len(server.host.generations())),
        "moonpost_event_loop_lag_seconds": single(
            "worst delay of the event loop since the last scrape", lag.take()
        ),
        "moonpost_log_lines_lost": single(
            "lines that could not be written", sum(file.dropped for file in logs)
        ),
    }
