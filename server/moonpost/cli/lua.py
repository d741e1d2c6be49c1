"""`moonpost lua`: a plain Lua program, compiled and run here; prints what `lua FILE` would print."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from moonpost.policy.standalone import NotCompiled, run_program
from msys.lua import LuaError, LuaExit, errors, tostring


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
    code = 0
    try:
        run_program(file, [os.fsencode(arg).decode("latin-1") for arg in args], std=std, view=view)
    except NotCompiled as refused:
        click.echo(str(refused), err=True)
        code = 1
    except LuaExit as leaving:
        code = leaving.code
    except Exception as error:
        lua: LuaError = errors.explain(error)
        text = tostring(lua.value) if isinstance(lua.value, (str, int, float)) else f"(error object is {lua.value!r})"
        sys.stdout.flush()
        trace = errors.traceback_text(error)
        sys.stderr.buffer.write(f"lua: {text}\n{trace}\n".encode("latin-1", "replace"))
        code = 1
    sys.stdout.flush()
    raise SystemExit(code)
