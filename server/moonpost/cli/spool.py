"""`moonpost spool check`: which messages of a spool are whole. Reads, and changes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from moonpost.spool.examine import ASIDE, ORPHANED, TORN, WHOLE, Looked, examine, opened
from moonpost.spool.interface import SpoolError


@click.group()
def command() -> None:
    """Look at a spool without a server."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also list the messages that are whole.")
def check(folder: Path, everything: bool) -> None:
    """Say of each message in the spool FOLDER whether it is whole; also while a server uses it.

    Exit code 0: everything is whole; 1: something is not; 2: there is no spool that can be read.
    """
    counts: Counter[str] = Counter()
    try:
        with opened(folder) as (transaction, tables):
            for looked in examine(transaction, tables):
                counts[looked.state] += 1
                if everything or looked.state != WHOLE:
                    click.echo(line(looked))
    except SpoolError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    click.echo(", ".join(f"{counts[state]} {state}" for state in (WHOLE, TORN, ORPHANED, ASIDE)))
    raise SystemExit(1 if counts[TORN] or counts[ORPHANED] else 0)


def line(looked: Looked) -> str:
    """One message on one line; text from outside can't break it."""
    record = looked.record
    mail = ""
    if record is not None:
        due = datetime.fromtimestamp(record.next_attempt_at, UTC).isoformat(timespec="seconds")
        queue = f"{record.binding}/{record.domain}"
        mail = (
            f" <{record.sender}> to <{record.recipient}> in {queue}, {record.size} bytes,"
            f" {record.attempts} attempts, next {due}"
        )
    why = f": {looked.why}" if looked.why else ""
    return "".join(c if c.isprintable() else "?" for c in f"{looked.state} {looked.id}{mail}{why}")
