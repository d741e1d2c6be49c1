"""`moonpost compile`: Lua in, typed Python out, ahead of time."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import lua2py
from lua2py.report import render_text
from lua2py.source import SourceFile
from moonpost.cli.sources import lua_files
from moonpost.policy.ahead import files_of
from moonpost.policy.deep import with_deep_stack
from moonpost.policy.facts import Facts, siblings


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the modules.",
)
@click.option("--stdout", is_flag=True, help="Write one module to standard output, nothing else.")
@click.option(
    "--check", "only_compare", is_flag=True, help="Write nothing; exit 1 when a module is stale."
)
@click.option(
    "--explain",
    "place",
    metavar="FILE[:LINE]",
    help="Write nothing; say why helpers stand in FILE, or on that line, where plain Python could.",
)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
def command(
    output: Path | None,
    stdout: bool,
    only_compare: bool,
    place: str | None,
    paths: tuple[Path, ...],
) -> None:
    """Turn the Lua files PATHS (or all in folders) into Python modules beside them, with line maps.

    Name all scripts of a configuration together: globals that they share live in one table.
    """
    wanted, line = _place(place) if place else (None, None)
    if wanted is None and not paths:
        raise click.UsageError("name the Lua files to compile, or folders of them")
    files = list(lua_files(paths))
    if wanted is not None and wanted not in [path for _, path in files]:
        files.append((wanted.parent, wanted))
    if stdout and len(files) != 1:
        raise click.UsageError("--stdout takes exactly one file")
    sources = [SourceFile(path.name, path.read_bytes()) for _, path in files]
    analyses = with_deep_stack(lambda: [lua2py.analyse(source) for source in sources])
    facts = [Facts.of(analysis) for analysis in analyses]
    wrong = False
    for at, ((root, path), analysis) in enumerate(zip(files, analyses, strict=True)):
        known = siblings(facts[at], [*facts[:at], *facts[at + 1 :]])
        if wanted is not None:
            if path == wanted:
                wrong = not _explained(path, line, analysis, known)
            continue
        translation = _translated(analysis, known)
        if translation.diagnostics:
            shown = {path.name: SourceFile(str(path), analysis.source.data)}
            click.echo(render_text(translation.diagnostics, shown), err=True)
        if not translation.ok:
            wrong = True
        elif stdout:
            sys.stdout.write(translation.python)
        else:
            target = output / path.relative_to(root) if output else path
            texts = files_of(translation, facts[at], known)
            wrong |= _write(target, path, texts, only_compare)
    raise SystemExit(1 if wrong else 0)


def _place(text: str) -> tuple[Path, int | None]:
    """`policy.lua:14` as a file and a line."""
    name, colon, line = text.rpartition(":")
    path, number = (Path(name), int(line)) if colon and line.isdecimal() else (Path(text), None)
    if not path.is_file():
        raise click.UsageError(f"--explain: there is no file {path}")
    return path, number


def _explained(
    path: Path, line: int | None, analysis: lua2py.Analysis, known: lua2py.Siblings
) -> bool:
    """Print why each helper stands; False for a file that does not compile."""
    if not analysis.ok:
        shown = {analysis.source.path: SourceFile(str(path), analysis.source.data)}
        click.echo(render_text(analysis.diagnostics, shown), err=True)
        return False
    found = with_deep_stack(lambda: lua2py.explain(analysis, siblings=known))
    told = [one for one in found if line is None or one.span.line <= line <= one.span.end_line]
    for one in told:
        click.echo(f"{path}:{one.span.line}:{one.span.column}: {one.helper}: {one.reason}")
    if not told:
        click.echo(
            f"{path}{f':{line}' if line else ''}: plain Python, no helper stands in its place"
        )
    return True


def _translated(analysis: lua2py.Analysis, known: lua2py.Siblings) -> lua2py.Translation:
    return with_deep_stack(lambda: lua2py.translate(analysis, siblings=known))


def _write(target: Path, source: Path, texts: dict[str, str], only_compare: bool) -> bool:
    """Write module and map, or say that they are stale. Returns whether something is wrong."""
    wanted = {target.with_suffix(suffix): text for suffix, text in texts.items()}
    if only_compare:
        stale = [p for p, text in wanted.items() if not p.exists() or p.read_text("utf-8") != text]
        for path in stale:
            click.echo(f"{path}: stale; run moonpost compile {source}", err=True)
        return bool(stale)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return False
