"""The listeners of one process: opened with the configuration, changed by a reload, closed at the end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any

from moonpost.app.aliases import Aliases
from moonpost.app.authentication import SchemeAuthenticator
from moonpost.app.events import EventStream
from moonpost.app.listeners import SCOPE
from moonpost.app.log import ServerLog
from moonpost.app.policy import Running
from moonpost.config.live import LiveConfiguration
from moonpost.inbound.interface import Tally, Tap
from moonpost.inbound.listener import Listener
from moonpost.inbound.service import Service
from moonpost.inbound.settings import ListenSettings
from moonpost.outbound.notices import Notices
from moonpost.queue.keeper import SpoolKeeper

MakeTap = Callable[[str, str], Tap | None]
MakeService = Callable[[ListenSettings], Service]


def services(
    live: LiveConfiguration,
    running: Running,
    keeper: SpoolKeeper,
    notices: Notices,
    log: ServerLog,
    events: EventStream,
    now: Callable[[], float],
    tap: MakeTap | None = None,
) -> tuple[MakeService, Tally]:
    """How to make what surrounds the sessions of one listener, and the counts that all of them share."""
    tally = Tally()  # one for all listeners: service_sessions limits them together

    def make(settings: ListenSettings) -> Service:
        def option(name: str) -> Any:
            return live.current.listener_option(name, SCOPE, settings.name, "")

        return Service(
            settings,
            running.host,
            keeper,
            log,
            running.book,
            asyncio.get_running_loop(),
            bouncer=notices,
            authenticator=SchemeAuthenticator(running.host, running.bridge, running.ports, option),
            expander=Aliases(lambda: live.current, running.ports.database),
            witness=events,
            tap=tap,
            tally=tally,
            now=now,
        )

    return make, tally


class Reception:
    """Every listener of the process, by the name of its Listen."""

    def __init__(self, make: MakeService, tally: Tally) -> None:
        self.tally = tally
        self.listeners: dict[str, Listener] = {}
        self._make = make
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def addresses(self) -> list[str]:
        """`address:port` of each, with the ports that were found for port 0."""
        found = (where for each in self.listeners.values() for where in each.addresses)
        return [f"{host}:{port}" for host, port in found]

    async def open(self, settings: ListenSettings, listening: socket.socket) -> None:
        """Begin to accept at a socket."""
        listener = Listener(self._make(settings))
        await listener.start(listening)
        self.listeners[settings.name] = listener

    def change(self, wanted: Iterable[ListenSettings]) -> None:
        """Sessions to come go by these settings; listeners that are not among them end when their sessions have."""
        settings = {each.name: each for each in wanted}
        for name, listener in list(self.listeners.items()):
            if name in settings:
                listener.service.settings = settings[name]
            else:
                del self.listeners[name]
                task = asyncio.ensure_future(listener.stop())
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

    async def stop(self) -> None:
        """Accept no more, and let every reply under way go out."""
        stopping = [listener.stop() for listener in self.listeners.values()]
        await asyncio.gather(*stopping, *self._ending)
        self.listeners.clear()
