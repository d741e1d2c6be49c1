"""`moonpost serve`: the mail server in the foreground."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import click

from moonpost.app.server import Server
from moonpost.app.starting import reason
from moonpost.config.diagnostics import ConfigurationError, is_error
from moonpost.config.model import Config, load
from moonpost.config.validate import validate


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
    server = Server(usable(config), compiled=compiled)
    raise SystemExit(asyncio.run(serve(server)))


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


async def serve(server: Server) -> int:
    """Serve until a signal says stop; the exit code."""
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

    def hang_up() -> None:
        task = loop.create_task(_reload(server))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    print(json.dumps({"ready": True, "listeners": listeners}), flush=True)
    await server.stopping.wait()
    await server.stop()
    return 0


async def _reload(server: Server) -> None:
    server.logs.reopen()
    outcome = await server.reload()
    for problem in outcome.problems:
        print(problem, file=sys.stderr, flush=True)
