"""`moonpost console`: talk to a running server."""

from __future__ import annotations

import click

from moonpost.control import client


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def command(words: tuple[str, ...]) -> None:
    """Send one command to a running server, or every line of standard input, or talk to it.

    WORDS: [ADDRESS] [COMMAND…]. ADDRESS is the server's console socket, a path with a slash; without one it is the
    socket 2025 in the system's temporary folder. USER@ADDRESS logs in, with the password in MOONPOST_CONSOLE_PASSWORD
    or as it is typed. `help` lists the commands. Exit code 0 when the command worked, 1
    when it did not, 2 when no server answers.
    """
    raise SystemExit(client.main(words))
