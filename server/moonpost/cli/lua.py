"""`moonpost lua`: a plain Lua program, compiled and run here; prints what `lua FILE` would print."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from moonpost.policy.standalone import NotCompiled, run_program
from msys.lua.explain import explain


@click.command()
@click.option(
    "--std",
    type=click.Choice(["thr", "5.1"]),
    default="thr",
    show_default=True,
    help="Momentum's Lua, or stock Lua 5.1.",
)
@click.option(
    "--view",
    type=click.Choice(["py", "lua"]),
    default="py",
    show_default=True,
    help="Which text Python debuggers and profilers see.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(std: str, view: str, file: Path, args: tuple[str, ...]) -> None:
    """Run FILE with ARGS, as `lua FILE ARGS` would.

    An uncaught error goes to standard error with a Lua traceback; the exit code is 1.
    """
    words = [os.fsencode(arg).decode("latin-1") for arg in args]
    try:
        run_program(file, words, std=std, view=view)
    except NotCompiled as refused:
        fail(f"lua: {refused}")
    except Exception as error:
        lua = explain(error)
        fail(f"lua: {lua}\n{lua.lua_traceback}\n\t[C]: ?")
    sys.stdout.flush()


def fail(text: str) -> None:
    """End with Lua's words on standard error, after everything that was printed."""
    sys.stdout.flush()
    sys.stderr.buffer.write(text.encode("latin-1", "replace") + b"\n")
    raise SystemExit(1)
