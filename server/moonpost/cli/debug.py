"""`moonpost debug`: step through policy, in Lua or in the Python made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from moonpost.cli.sim import REFUSALS, UNUSABLE, SessionOptions, prepare, session_options, simulate
from moonpost.policy.limits import Limits
from moonpost.policy.runner import Runner
from moonpost.sim.dap import STDIO, Refused, attach
from moonpost.sim.debugger import PolicyDebugger, Wanted
from moonpost.sim.render import text_of
from moonpost.sim.simulation import How, cache_folder
from moonpost.sim.watching import AboutToRun, AnnouncingRunner

UNLIMITED = Limits(cpu_s=10.0**9, total_s=10.0**9)  # a person thinks longer than policy may run


def _wanted(
    _context: click.Context, _option: click.Parameter, value: tuple[str, ...]
) -> list[Wanted]:
    try:
        return [Wanted.parse(text) for text in value]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@session_options
@click.option(
    "--serve", is_flag=True, help="Debug a server that TARGETS, a configuration, describes."
)
@click.option(
    "--view",
    type=click.Choice(["lua", "py"]),
    default="lua",
    show_default=True,
    help="Which text to step through: the scripts, or the Python made of them.",
)
@click.option(
    "--dap", metavar="HOST:PORT|stdio", help="Let an editor debug (Debug Adapter Protocol)."
)
@click.option("--pdb", "use_pdb", is_flag=True, help="Debug here, with pdb; this is the default.")
@click.option(
    "-b",
    "--break",
    "wanted",
    multiple=True,
    metavar="FILE:LINE[, CONDITION]",
    callback=_wanted,
    help="Stop there; without any, stop in the first callout.",
)
@click.argument("targets", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(
    serve: bool,
    view: str,
    dap: str | None,
    use_pdb: bool,
    wanted: list[Wanted],
    targets: tuple[Path, ...],
    **session: Any,
) -> None:
    """Step through policy while one simulated session runs (as `moonpost sim` would play it), or in a server.

    TARGETS are those of `moonpost sim`. pdb starts at the first line of the first callout; an editor that attaches
    sets its own breakpoints.
    """
    if dap and (use_pdb or wanted):
        raise click.UsageError("--dap leaves breakpoints to the editor: no --pdb and no -b with it")
    try:
        if serve:
            _debug_server(targets, view, dap, wanted)
        else:
            _debug_session(targets, SessionOptions(**session), view, dap, wanted)
    except (*REFUSALS, Refused) as refused:
        click.echo(str(refused), err=True)
        raise SystemExit(UNUSABLE) from None


def _debug_session(
    targets: tuple[Path, ...],
    options: SessionOptions,
    view: str,
    dap: str | None,
    wanted: list[Wanted],
) -> None:
    setup, letter = prepare(targets, options)
    announce = _debugger(dap, view, wanted, setup.folders)
    how = How(view, UNLIMITED, about_to_run=announce)
    report = asyncio.run(simulate(setup, letter, options, how))
    click.echo(text_of(report), err=dap == STDIO)
    raise SystemExit(report.exit_code)


def _debug_server(
    targets: tuple[Path, ...], view: str, dap: str | None, wanted: list[Wanted]
) -> None:
    # The whole server takes half a second to load; a simulated session does not wait for it.
    from moonpost.app.server import Server
    from moonpost.cli.serve import serve, usable

    if len(targets) != 1:
        raise click.UsageError("--serve takes exactly one configuration")
    config = usable(targets[0])
    announce = _debugger(dap, view, wanted, [Path(folder) for folder in config.script_folders])
    runner: Callable[..., Runner] = (
        Runner if announce is None else partial(AnnouncingRunner, about_to_run=announce)
    )
    server = Server(config, view=view, limits=UNLIMITED, runner=runner, one_process=True)
    raise SystemExit(asyncio.run(serve(server)))


def _debugger(
    dap: str | None, view: str, wanted: list[Wanted], folders: list[Path]
) -> AboutToRun | None:
    """Start the debugger; what it wants to be told before each callout."""
    if dap:
        attach(dap, [*folders, cache_folder()])
        return None
    debugger = PolicyDebugger(wanted, folders, view)
    debugger.begin()
    return debugger.about_to_run
