"""`moonpost import`: what an existing tree of configuration would become here, script by script."""

from __future__ import annotations

from pathlib import Path

import click

from moonpost.importing.render import as_json, as_text
from moonpost.importing.survey import survey
from moonpost.importing.tree import read_tree

FORMATS = {"text": as_text, "json": as_json}


@click.command("import")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True
)
@click.argument("tree", type=click.Path(exists=True, file_okay=False, path_type=Path))
def command(form: str, tree: Path) -> None:
    """Read the configuration files and Lua scripts of TREE, and say what runs, what differs, what is missing.

    Reads only, and never runs policy. Exit code 0 when everything runs as it is, 1 when something needs work, 2 when
    there is no policy in TREE.
    """
    found = survey(read_tree(tree))
    if not found.usable:
        click.echo(
            f"{tree}: neither Lua scripts nor script stanzas in it; name the folder above", err=True
        )
        raise SystemExit(2)
    click.echo(FORMATS[form](found).rstrip("\n"))
    raise SystemExit(0 if found.clean else 1)
