"""`moonpost top`: what a running server is doing, also while it is stuck."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from moonpost.config.diagnostics import ConfigurationError
from moonpost.config.model import load
from moonpost.observe.screen import screen
from moonpost.observe.vitals import ask, sockets

CLEAR = "\x1b[H\x1b[2J"
UNUSABLE = 2


@click.command()
@click.option("--once", is_flag=True, help="Look once, print, and end; what a pipe gets anyway.")
@click.option("--every", default=2.0, show_default=True, help="Seconds between two looks.")
@click.argument("config", type=click.Path(path_type=Path), default=Path("ecelerity.conf"))
def command(once: bool, every: float, config: Path) -> None:
    """Show what the server of CONFIG does: mail by the second, the largest queues, the times of callouts.

    A thread of its own answers in the server, so that it also says in which line of policy a server hangs. Exit code
    2 when no server answers.
    """
    folder = spool_of(config)
    before: dict[int, Mapping[str, Any]] = {}
    once = once or not sys.stdout.isatty()
    while True:
        now = look(folder)
        if not now:
            click.echo(f"no server answers beside the spool {folder}; is it running?", err=True)
            raise SystemExit(UNUSABLE)
        text = "\n".join(screen(now, before))
        click.echo(text if once else CLEAR + text)
        if once:
            return
        before = {int(snapshot["pid"]): snapshot for snapshot in now}
        try:
            time.sleep(max(0.2, every))
        except KeyboardInterrupt:
            return


def look(folder: Path) -> list[Mapping[str, Any]]:
    """What each process says; one that does not answer has ended without taking its socket away."""
    found: list[Mapping[str, Any]] = []
    for path in sockets(folder):
        try:
            found.append(ask(path))
        except (OSError, ValueError):
            continue
    return found


def spool_of(config: Path) -> Path:
    """The folder of the spool that a configuration names."""
    try:
        return Path(load(str(config)).option("spoolbase"))
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(UNUSABLE) from None
