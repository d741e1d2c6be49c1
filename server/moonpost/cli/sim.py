"""`moonpost sim`: one SMTP session against policy, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from moonpost.config.diagnostics import ConfigurationError
from moonpost.policy.loader import LoadFailed
from moonpost.sim.letter import MESSAGE, Letter, NoLetter, of_story, with_crlf
from moonpost.sim.outside import Unreadable
from moonpost.sim.render import text_of
from moonpost.sim.report import Report, to_json
from moonpost.sim.setup import Setup, Unusable, set_up
from moonpost.sim.simulation import How, Simulation
from moonpost.sim.zone import BadRecord

UNUSABLE = 2
REFUSALS = (Unusable, Unreadable, BadRecord, NoLetter, ConfigurationError, LoadFailed)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class SessionOptions:
    """What the command line says about the session; `moonpost debug` takes the same."""

    message: Path | None
    sender: str | None
    rcpt: tuple[str, ...]
    ip: str | None
    ehlo: str | None
    act: int
    repeat: int
    pause: float
    at: float | None
    dns: tuple[str, ...]
    zone: tuple[Path, ...]
    sql: tuple[str, ...]
    listener: str


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("-m", "--message", type=click.Path(path_type=Path), help="Message file; `-` reads standard input."),
    click.option("--from", "sender", metavar="ADDRESS", help="Envelope sender; `<>` is the null sender."),
    click.option("--rcpt", multiple=True, metavar="ADDRESS", help="Envelope recipient; may be repeated."),
    click.option("--ip", metavar="ADDRESS", help="The client's address."),
    click.option("--ehlo", metavar="NAME", help="The client's greeting."),
    click.option("--act", default=1, show_default=True, help="Which act of session.txt, without a message."),
    click.option("--repeat", default=1, show_default=True, help="Play the session so often; the last one is shown."),
    click.option("--pause", default=0.0, metavar="SECONDS", help="Virtual time between repetitions."),
    click.option("--at", type=float, metavar="SECONDS", help="Begin at this Unix time; now if not given."),
    click.option("--dns", multiple=True, metavar="NAME=TYPE=VALUE", help="A DNS record; may be repeated."),
    click.option("--zone", multiple=True, type=FILE, help="A file of DNS records, as name servers read them."),
    click.option("--sql", multiple=True, metavar="NAME=FILE", help="Fill a datasource with a file of statements."),
    click.option("--listener", default="", metavar="NAME", help="Which `Listen`; the first if not given."),
)  # fmt: skip


def session_options(function: F) -> F:
    """The options of the session, in the order of OPTIONS."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


@click.command()
@session_options
@click.option("--json", "as_json", is_flag=True, help="The documented, versioned JSON shape.")
@click.argument("targets", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(as_json: bool, targets: tuple[Path, ...], **session: Any) -> None:
    """Play one SMTP session against policy, and show every callout, change and reply.

    TARGETS: a configuration, or scripts, or folders with a policy.lua. Exit code 0 when the message was accepted,
    1 when it was refused or policy failed, 2 when TARGETS cannot be used.
    """
    options = SessionOptions(**session)
    try:
        setup, letter = prepare(targets, options)
        report = asyncio.run(simulate(setup, letter, options))
    except REFUSALS as refused:
        click.echo(str(refused), err=True)
        raise SystemExit(UNUSABLE) from None
    click.echo(json.dumps(to_json(report), indent=2) if as_json else text_of(report))
    raise SystemExit(report.exit_code)


def prepare(targets: tuple[Path, ...], options: SessionOptions) -> tuple[Setup, Letter]:
    """What to load and what to play. Raises one of REFUSALS."""
    setup = set_up(
        targets, dns=options.dns, zones=options.zone, sql=options.sql, listener=options.listener
    )
    return setup, letter_of(setup, options)


def letter_of(setup: Setup, options: SessionOptions) -> Letter:
    """The session: from the folder's session.txt when no message was given, else ours with that message."""
    story = setup.story()
    if options.message is None and story is not None:
        letter = of_story(story, options.act)
    else:
        letter = Letter(content=_content(options.message))
    given = {"client": options.ip, "greeting": options.ehlo, "recipients": list(options.rcpt)}
    if options.sender is not None:
        letter.sender = "" if options.sender == "<>" else options.sender
    letter = replace(letter, **{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
    for word in (letter.greeting, letter.sender, *letter.recipients):
        if "\r" in word or "\n" in word:
            raise Unusable(f"{word!r}: a command of SMTP is one line")
    return letter


def _content(path: Path | None) -> bytes:
    if path is None:
        return MESSAGE
    try:
        with click.open_file(str(path), "rb") as file:
            return with_crlf(file.read())
    except OSError as error:
        raise Unusable(f"message {path} cannot be read: {error.strerror}") from None


async def simulate(
    setup: Setup, letter: Letter, options: SessionOptions, how: How | None = None
) -> Report:
    """Play the session as often as asked; the last report."""
    how = replace(how or How(), began_at=options.at)
    async with Simulation(setup, how) as simulation:
        report = await simulation.play(letter)
        for _ in range(options.repeat - 1):
            simulation.clock.advance(options.pause)
            report = await simulation.play(letter)
        return report
