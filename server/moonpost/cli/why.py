"""`moonpost why`: what happened to a message, and which line of policy decided, from the event log."""

from __future__ import annotations

from pathlib import Path

import click

from moonpost.config.diagnostics import ConfigurationError
from moonpost.config.model import load
from moonpost.observe.life import read, tell

CONFIGURATION = "ecelerity.conf"
UNUSABLE = 2


@click.command()
@click.option(
    "--log",
    "where",
    type=click.Path(path_type=Path),
    default=Path(CONFIGURATION),
    show_default=True,
    help="The event log, or the configuration that names it (a .conf file).",
)
@click.argument("id")
def command(where: Path, id: str) -> None:
    """Tell the life of the message ID. ID may also be the id of a reception (the first of its messages) or connection.

    Exit code 0 when the event log knows it, 1 when not, 2 when there is no event log to read.
    """
    path = event_log(where)
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            life = read(file, id)
    except OSError as error:
        click.echo(f"{path}: the event log can't be read: {error.strerror}", err=True)
        raise SystemExit(UNUSABLE) from None
    if not life.events:
        click.echo(
            f"{path}: nothing about {id}; an older log may know it (--log FILE), or it is another server's",
            err=True,
        )
        raise SystemExit(1)
    click.echo("\n".join(tell(life)))


def event_log(where: Path) -> Path:
    """The event log that a file is or names."""
    if where.suffix != ".conf":
        return where
    try:
        config = load(str(where))
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(UNUSABLE) from None
    path = config.option("event_log")
    if not path:
        click.echo(
            f'{where}: no event log is configured; set event_log = "FILE" and reload', err=True
        )
        raise SystemExit(UNUSABLE)
    return Path(path)
