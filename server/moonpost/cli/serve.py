"""`moonpost serve`: the mail server in the foreground."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine
from importlib.metadata import packages_distributions
from pathlib import Path

import click

from moonpost.app.server import Server
from moonpost.app.sockets import inherited
from moonpost.app.starting import CannotStart, reason
from moonpost.app.systemd import Manager, forget
from moonpost.config.diagnostics import ConfigurationError, is_error
from moonpost.config.model import Config, load
from moonpost.config.validate import validate

NOBODY = Manager({}, 0)


@click.command()
@click.option("--compiled", is_flag=True, help="Load modules written ahead of time; never compile.")
@click.argument("config", type=click.Path(path_type=Path))
def command(compiled: bool, config: Path) -> None:
    """Run the mail server that CONFIG describes, until SIGTERM.

    Prints one JSON line, {"ready": true, "listeners": {...}}, when every listener accepts. SIGHUP reloads configuration
    and policy and opens the log files anew.
    """
    if others := foreign_msys():
        raise click.ClickException(
            f"another package owns the name msys: {', '.join(others)}; "
            f"uninstall it (pip uninstall {others[0]}), then reinstall moonpost"
        )
    manager = Manager(os.environ, os.getpid())
    try:
        handed = inherited(os.environ, os.getpid())
    except CannotStart as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    forget(os.environ)
    server = Server(usable(config), compiled=compiled, handed=handed)
    raise SystemExit(asyncio.run(serve(server, manager)))


def usable(path: Path) -> Config:
    """The configuration, or the end with everything that keeps a server from running it."""
    try:
        config = load(str(path))
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    problems = validate(config)
    for told in (*problems, *config.notes):
        click.echo(str(told), err=True)
    if any(map(is_error, problems)):
        raise SystemExit(2)
    return config


def foreign_msys() -> list[str]:
    """Other distributions that own the import name `msys`; ours is not listed when it is installed editable."""
    return [name for name in packages_distributions().get("msys", []) if name != "moonpost"]


async def serve(server: Server, manager: Manager = NOBODY) -> int:
    """Serve until a signal says stop; the exit code. manager: who is told how it goes."""
    try:
        listeners = await server.start()
    except Exception as error:
        told = reason(error)
        if told is None:
            click.echo("internal error while the server started; please report this:", err=True)
            raise
        click.echo(told, err=True)
        return 2
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: spawn(_reload(server, manager)))
    watchdog = spawn(manager.keep_alive())
    print(json.dumps({"ready": True, "listeners": listeners}), flush=True)
    manager.ready(_status(server))
    await server.stopping.wait()
    manager.stopping()
    await server.stop()
    watchdog.cancel()  # not before: a stop that hangs is to be noticed
    return 0


async def _reload(server: Server, manager: Manager) -> None:
    manager.reloading()
    server.reopen_logs()
    outcome = await server.reload()
    for told in (*outcome.problems, *(f"warning: {text}" for text in outcome.warnings)):
        print(told, file=sys.stderr, flush=True)
    manager.ready(_status(server))


def _status(server: Server) -> str:
    where = ", ".join(server.addresses()["esmtp"]) or "nowhere"
    return f"accepting mail at {where}; policy generation {server.host.current().number}"
