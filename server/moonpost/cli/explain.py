"""`moonpost explain`: what a diagnostic means, at length."""

from __future__ import annotations

import difflib

import click

from lua2py.diagnostics import Entry, table
from moonpost.config.diagnostics import RULES, Rule


@click.command()
@click.argument("code")
def command(code: str) -> None:
    """Explain the diagnostic CODE (L202, for example)."""
    entries: dict[str, Entry | Rule] = {**table(), **RULES}
    entry = entries.get(code.upper())
    if entry is None:
        near = difflib.get_close_matches(code.upper(), entries, n=1)
        hint = (
            f"; did you mean {near[0]}?"
            if near
            else f"; known are {min(entries)} to {max(entries)}"
        )
        raise click.BadParameter(f"no diagnostic is called {code}{hint}")
    click.echo(f"{code.upper()}: {entry.title} ({entry.severity})\n\n{entry.explain}")
