"""Opens the console sockets of a running server, and gives their commands what they act on."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moonpost.adaptive.console import AdaptiveConsole
from moonpost.app.authentication import SchemeAuthenticator
from moonpost.app.processes.link import Alive
from moonpost.app.processes.totals import AllPools, together
from moonpost.app.rebinding import rebinder
from moonpost.app.scripts import HostScripts
from moonpost.app.starting import writing
from moonpost.control.login import Login
from moonpost.control.server import ControlServer
from moonpost.control.services import ReloadFailed, Services
from moonpost.control.settings import SCOPE as CONTROL
from moonpost.control.settings import account_journal, control_sockets
from moonpost.inbound.interface import Credentials
from moonpost.policy.bridge import Bridge
from moonpost.queue.console import QueueConsole

if TYPE_CHECKING:
    from moonpost.app.server import Server


async def start_console(server: Server, bridge: Bridge) -> ControlServer:
    """Open every socket of the configuration. Raises CannotListen."""
    console = ControlServer(
        services(server, bridge), now=server.clock.now, journal=account_journal(server.config)
    )
    sockets = control_sockets(server.config, lambda listen: _login(server, bridge, listen))
    for settings in sockets:
        with writing("the folder of console socket", settings.path):
            Path(settings.path).parent.mkdir(parents=True, exist_ok=True)
    await console.start(sockets)
    return console


def _login(server: Server, bridge: Bridge, listen: str) -> Login:
    """Logins of a console socket by the scheme that its `AuthLoginParameters` name."""

    def option(name: str) -> Any:
        return server.config.listener_option(name, CONTROL, listen)

    scheme = SchemeAuthenticator(server.host, bridge, server.ports, option)

    async def login(user: str, password: str) -> Sequence[str] | None:
        good = await scheme.check(Credentials("LOGIN", user.encode(), password.encode()))
        return await scheme.groups(user.encode()) if good else None

    return login


def reports(server: Server) -> Sequence[Alive]:
    """What each acceptor said of itself a moment ago."""
    return server.workers.reports() if server.workers else ()


def services(server: Server, bridge: Bridge) -> Services:
    """Everything the commands may call."""

    async def reload(path: str | None) -> Sequence[str]:
        outcome = await server.reload(path)
        if outcome.problems:
            raise ReloadFailed("\n".join(outcome.problems), policy=outcome.policy_refused)
        return [f"warning: {text}" for text in outcome.warnings]

    return Services(
        configuration=server.live,
        version=version("moonpost"),
        reload=reload,
        shutdown=server.stopping.set,
        reopen_logs=server.reopen_logs,
        panic_lines=lambda: together(server.log.lines(), reports(server)),
        scripts=HostScripts(
            server.host,
            bridge,
            server.ports,
            lambda: server.workers.generations() if server.workers else {},
        ),
        queues=QueueConsole(
            server.queues,
            rebinder(server.host, server.log, lambda name: server.config.group_of(name)),
        ),
        state=server.ports.state,
        pools=AllPools(server.ports.pools, lambda: reports(server)),
        sessions=server.book,
        acceptors=lambda: server.workers.rows() if server.workers else [],
        adaptive=AdaptiveConsole(server.adaptive) if server.adaptive is not None else None,
        tracing=server.tracers,
    )
