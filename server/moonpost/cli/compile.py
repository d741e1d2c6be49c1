"""`moonpost compile`: Lua in, typed Python out, ahead of time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

import lua2py
from lua2py.report import render_text
from lua2py.source import SourceFile
from moonpost.cli.sources import lua_files
from moonpost.policy.deep import with_deep_stack


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the modules.",
)
@click.option(
    "--stdout", is_flag=True, help="Write one module to standard output, and nothing else."
)
@click.option(
    "--check", "only_compare", is_flag=True, help="Write nothing; exit 1 when a module is stale."
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def command(output: Path | None, stdout: bool, only_compare: bool, paths: tuple[Path, ...]) -> None:
    """Turn the Lua files PATHS (or all in folders) into Python modules beside them, with line maps.

    Files that share globals see each other only within one server; here each file stands alone.
    """
    files = list(lua_files(paths))
    if stdout and len(files) != 1:
        raise click.UsageError("--stdout takes exactly one file")
    failed = False
    for root, path in files:
        source = SourceFile(str(path), path.read_bytes())
        translation = with_deep_stack(lambda source=source: lua2py.translate(source))  # type: ignore[misc]
        if translation.diagnostics:
            click.echo(render_text(translation.diagnostics, {source.path: source}), err=True)
        if not translation.ok:
            failed = True
        elif stdout:
            sys.stdout.write(translation.python)
        else:
            target = (output / path.relative_to(root) if output else path).with_suffix(".py")
            failed |= _write(target, translation, only_compare)
    raise SystemExit(1 if failed else 0)


def _write(target: Path, translation: lua2py.Translation, only_compare: bool) -> bool:
    """Write module and map, or say that they are stale. Returns whether something is wrong."""
    line_map = json.dumps({**translation.map, "sha256": translation.source.sha256}) + "\n"
    wanted = {target: translation.python, target.with_suffix(".map.json"): line_map}
    if only_compare:
        stale = [
            path
            for path, text in wanted.items()
            if not path.exists() or path.read_text("utf-8") != text
        ]
        for path in stale:
            click.echo(f"{path}: stale; run moonpost compile {translation.source.path}", err=True)
        return bool(stale)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return False
