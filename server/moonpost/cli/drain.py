"""`moonpost drain`: hand the spool of a stopped server to another one."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path

import click

from moonpost.cli.top import spool_of
from moonpost.outbound.connection import Connection, Target
from moonpost.outbound.letters import IF_AVAILABLE, NO, REQUIRED, ConversationSettings
from moonpost.queue.draining import Drained, NoAges, drain
from moonpost.queue.options import DEFAULTS, TIMEOUTS
from moonpost.spool.interface import SpoolError
from moonpost.spool.lmdb_store import LmdbSpool
from moonpost.spool.record import Record

SMTP = 25
UNUSABLE = 2


@click.command()
@click.option(
    "--to", "target", required=True, metavar="HOST[:PORT]", help="The server that takes over."
)
@click.option(
    "--tls",
    type=click.Choice([NO, IF_AVAILABLE, REQUIRED]),
    default=IF_AVAILABLE,
    show_default=True,
    help="TLS to that server; required also checks its certificate.",
)
@click.option("--connections", default=4, show_default=True, help="Connections at once.")
@click.option(
    "--new-life",
    is_flag=True,
    help="Also to a server that does not take ages: mail expires later there.",
)
@click.option("--dry-run", is_flag=True, help="Say what there is, and hand over nothing.")
@click.argument("config", type=click.Path(path_type=Path), default=Path("ecelerity.conf"))
def command(
    target: str, tls: str, connections: int, new_life: bool, dry_run: bool, config: Path
) -> None:
    """Hand all queued mail of CONFIG's server, which must be stopped, to another server by SMTP.

    Senders, recipients and DSN parameters go along, and how old each message is: the other server names XAGE among
    the SMTP_Extensions for this machine, and lets it relay. What it refuses stays here. Exit code 0 when nothing is
    left, 1 when something is, 2 when it could not begin.
    """
    folder = spool_of(config)
    host, port = _split(target)
    if not folder.exists():
        click.echo(f"there is no spool at {folder}", err=True)
        raise SystemExit(UNUSABLE)
    try:
        result, left = asyncio.run(_drain(folder, host, port, tls, connections, new_life, dry_run))
    except SpoolError as error:
        click.echo(str(error), err=True)
        raise SystemExit(UNUSABLE) from None
    except NoAges:
        click.echo(
            f"{target} does not offer XAGE: there, mail would begin a new life. Name XAGE in the "
            "SMTP_Extensions of its listener for this machine, or say --new-life. Nothing was handed over.",
            err=True,
        )
        raise SystemExit(UNUSABLE) from None
    if dry_run:
        return
    for problem in dict.fromkeys(result.problems):
        click.echo(f"{target}: {problem}", err=True)
    click.echo(f"{result.handed} messages handed to {target}, {left} left in {folder}")
    raise SystemExit(1 if left else 0)


async def _drain(
    folder: Path, host: str, port: int, tls: str, connections: int, new_life: bool, dry_run: bool
) -> tuple[Drained, int]:
    spool = LmdbSpool(folder)
    try:
        if dry_run:
            for summary in await spool.scan():
                click.echo(f"{summary.messages:8} {summary.queue.binding}::{summary.queue.domain}")
            click.echo(f"{spool.count()} messages would be handed to {host}:{port}")
            return Drained(), spool.count()
        context = _context(tls)
        timeouts = {name: float(DEFAULTS[name]) for name in TIMEOUTS}
        settings = ConversationSettings(_our_name(), tls=tls)

        async def open_connection() -> Connection:
            return await Connection.open(Target(host, host, port), settings, timeouts, context)

        def kept(record: Record, why: str) -> None:
            click.echo(f"kept id={record.id} rcpt=<{record.recipient}> reason={why}", err=True)

        result = await drain(
            spool, open_connection, time.time, kept, connections=connections, ages=not new_life
        )
        return result, spool.count()
    finally:
        await spool.close()


def _split(target: str) -> tuple[str, int]:
    host, colon, port = target.rpartition(":")
    if colon and port.isdigit() and 0 < int(port) < 65536:
        return host.strip("[]"), int(port)
    return target.strip("[]"), SMTP


def _context(tls: str) -> ssl.SSLContext | None:
    if tls == NO:
        return None
    context = ssl.create_default_context()
    if tls == IF_AVAILABLE:  # nobody is checked: better than plain text all the same
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _our_name() -> str:
    return socket.getfqdn()
