"""The HTTP listeners of the process that owns the queues."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moonpost.app.authentication import SchemeAuthenticator
from moonpost.app.events import EventStream
from moonpost.app.injection import Injector
from moonpost.app.listeners import HTTP, http_limits, http_listeners, injection_options
from moonpost.app.log import ServerLog
from moonpost.app.policy import Running
from moonpost.app.sockets import Sockets
from moonpost.config.live import LiveConfiguration
from moonpost.config.model import Config
from moonpost.inbound.http_listener import HttpListener
from moonpost.inbound.settings import ListenSettings
from moonpost.queue.keeper import SpoolKeeper


class HttpReception:
    """Every HTTP listener, by the name of its Listen. Options are those of the configuration in force."""

    def __init__(
        self,
        live: LiveConfiguration,
        running: Running,
        keeper: SpoolKeeper,
        log: ServerLog,
        events: EventStream,
        now: Callable[[], float],
    ) -> None:
        self.listeners: dict[str, HttpListener] = {}
        self._live, self._running, self._keeper = live, running, keeper
        self._log, self._events, self._now = log, events, now

    @property
    def addresses(self) -> list[str]:
        """`address:port` of each, with the ports that were found for port 0."""
        found = (where for each in self.listeners.values() for where in each.addresses)
        return [f"{host}:{port}" for host, port in found]

    async def start(self, config: Config, sockets: Sockets) -> None:
        """Open every listener. CannotStart when an address can't be had."""
        for settings in http_listeners(config):
            (listening,) = sockets.open(config, settings)
            listener = self._listener(settings)
            await listener.start(listening)
            self.listeners[settings.name] = listener

    def change(self, config: Config) -> None:
        """Connections to come go by these certificates; other addresses take a restart."""
        for settings in http_listeners(config):
            if settings.name in self.listeners:
                self.listeners[settings.name].settings = settings

    async def stop(self) -> None:
        """Accept no more, and let every answer under way go out."""
        for listener in self.listeners.values():
            await listener.stop()
        self.listeners.clear()

    def _listener(self, settings: ListenSettings) -> HttpListener:
        live, running, name = self._live, self._running, settings.name

        def option(key: str) -> Any:
            return live.current.listener_option(key, HTTP, name, "")

        injector = Injector(
            options=lambda peer: injection_options(live.current, name, peer),
            policy=running.host,
            keeper=self._keeper,
            log=self._log,
            events=self._events,
            authenticator=SchemeAuthenticator(running.host, running.bridge, running.ports, option),
            now=self._now,
        )
        return HttpListener(settings, injector, lambda peer: http_limits(live.current, name, peer))
