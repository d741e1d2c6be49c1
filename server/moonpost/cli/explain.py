"""`moonpost explain`: what a diagnostic means, at length."""

from __future__ import annotations

import difflib

import click

from lua2py.diagnostics import table


@click.command()
@click.argument("code")
def command(code: str) -> None:
    """Explain the diagnostic CODE (L204, for example)."""
    entries = table()
    entry = entries.get(code.upper())
    if entry is None:
        near = difflib.get_close_matches(code.upper(), entries, n=1)
        hint = (
            f"; did you mean {near[0]}?"
            if near
            else f"; known are {min(entries)} to {max(entries)}"
        )
        raise click.BadParameter(f"no diagnostic is called {code}{hint}")
    click.echo(f"{entry.code}: {entry.title} ({entry.severity})\n\n{entry.explain}")
