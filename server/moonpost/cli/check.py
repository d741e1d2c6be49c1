"""`moonpost check`: diagnostics for scripts and configurations, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from lua2py import analyse, translate
from lua2py.check import check
from lua2py.diagnostics import Diagnostic, in_order
from lua2py.report import render_text
from lua2py.scopes import resolve
from lua2py.source import SourceFile
from moonpost.cli.findings import FORMATS
from moonpost.cli.sources import lua_files
from moonpost.config.diagnostics import Diagnostic as ConfigurationFinding
from moonpost.config.diagnostics import is_error, render
from moonpost.config.model import Config, examine
from moonpost.config.validate import validate
from moonpost.policy.deep import with_deep_stack
from moonpost.policy.search import SourceRefused, find
from msys import namespace
from msys.catalog.binding import BOUND


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
)
@click.option("--std", type=click.Choice(["thr", "5.1"]), default="thr", show_default=True)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def command(form: str, std: str, paths: tuple[Path, ...]) -> None:
    """Say what is wrong with PATHS: Lua files, folders of them, or configurations with the scripts they load.

    Exit code 0 without findings of severity warning or error, 1 with some, 2 when a configuration cannot be used.
    """
    configurations = [path for path in paths if path.is_file() and path.suffix != ".lua"]
    scripts: list[tuple[Path, str | None]] = [
        (path, None) for _, path in lua_files([p for p in paths if p not in configurations])
    ]
    unusable = False
    told: list[ConfigurationFinding] = []
    for path in configurations:
        config, problems = examine(str(path))
        problems = [*problems, *validate(config)]
        told += problems
        unusable |= any(map(is_error, problems))
        scripts += [(found, name) for name, found in scripts_of(config)]
    namespace.load_all()
    sources = {}
    findings: list[Diagnostic] = []
    for path, name in scripts:
        source = SourceFile(str(path), path.read_bytes())
        sources[source.path] = source
        findings += with_deep_stack(lambda s=source, n=name: examine_script(s, std, n))  # type: ignore[misc]
    if form in FORMATS:
        click.echo(FORMATS[form](told, findings))
    else:
        for problem in told:
            click.echo(render(problem) + "\n")
        if findings:
            click.echo(render_text(findings, sources))
    raise SystemExit(2 if unusable else int(serious([*told, *findings])))


def serious(findings: Iterable[Diagnostic | ConfigurationFinding]) -> bool:
    """Whether anything is more than a note."""
    return any(finding.severity != "note" for finding in findings)


def examine_script(source: SourceFile, std: str, name: str | None) -> list[Diagnostic]:
    """Everything the compiler and the rules have to say about one file."""
    analysis = analyse(source, std=std)
    if analysis.chunk is None:
        return analysis.diagnostics
    found = check(
        source, analysis.chunk, resolve(analysis.chunk), provided=set(BOUND), script_name=name
    )
    return in_order([*translate(analysis).diagnostics, *found])


def scripts_of(config: Config) -> Iterable[tuple[str, Path]]:
    """Name and file of each script stanza whose file exists; `validate` has told of the others."""
    roots = [Path(folder) for folder in config.script_folders]
    for script in config.scripts():
        try:
            found = find(script.source, roots, allow_writable=True)
        except SourceRefused:
            continue
        if found is not None and found.language == "lua":
            yield script.name, found.path
