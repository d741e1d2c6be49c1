"""Runs a Lua program that is no policy: `moonpost lua`, and the examples that tests run.

The same compiler and the same runtime as in the server, with nothing behind the ports but this process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import lua2py
from lua2py.parse import lua_message
from lua2py.source import SourceFile
from moonpost.policy.deep import with_deep_stack
from moonpost.policy.loader import load_text
from msys.lua import LuaError, Table, open_libs
from msys.lua.environment import Environment, enter
from msys.lua.linemap import LineMap, register_map
from msys.ports import set_waiter


class NotCompiled(Exception):
    """A program that cannot be read or does not parse; the text is what `lua` says of it."""


class FileCompiler:
    """The compiler of a program's own `require` and `load`: files along `package.path`, nothing cached."""

    def __init__(self, std: str) -> None:
        self._std = std

    def load(self, text: str, chunkname: str, environment: Environment) -> Any:
        return load_text(text, chunkname, self._std)

    def find(self, name: str, environment: Environment) -> Any:
        for path in self._paths(name):
            if path.is_file():
                try:
                    return load_file(
                        path, str(path), std=self._std, view="py", shared=lua2py.ALL_SHARED
                    )
                except NotCompiled as refused:
                    text = f"error loading module '{name}' from file './{path}':\n\t{refused}"
                    raise LuaError(text, positioned=True) from None
        return None

    def searched(self, name: str) -> list[str]:
        return [str(path) for path in self._paths(name)]

    def _paths(self, name: str) -> list[Path]:
        relative = name.replace(".", "/")
        return [Path(f"./{relative}.lua"), Path(relative) / "init.lua"]


def run_program(path: Path, args: Sequence[str], *, std: str, view: str) -> None:
    """Run a program to its end. What it raises is raised; NotCompiled when it does not parse."""
    environment = Environment(compiler=FileCompiler(std), std=std)
    enter(environment)
    set_waiter(_wait)
    open_libs(environment)
    environment.globals["arg"] = Table({0: str(path), **dict(enumerate(args, start=1))})
    load_file(path, str(path), std=std, view=view)(*args)


def load_file(
    path: Path, shown: str, *, std: str, view: str, shared: frozenset[str] | None = None
) -> Callable[..., Any]:
    """Compile one file to a chunk, to be called once. shared: globals that other files use too."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotCompiled(f"cannot open {shown}: {os.strerror(error.errno or 0)}") from None
    source = SourceFile(shown, content)
    translation = with_deep_stack(lambda: lua2py.translate(source, std=std, shared=shared))
    if not translation.ok:
        wrong = next(d for d in translation.diagnostics if d.severity == "error")
        raise NotCompiled(lua_message(wrong, "@" + shown))
    filename = str(path) if view == "lua" else f"{shown}.{source.sha256[:12]}.py"
    code, line_map = lua2py.load_module(translation, filename=filename, view=view)
    register_map(code.co_filename, LineMap.from_json({**line_map, "path": str(path)}))

    def chunk(*args: Any) -> Any:
        namespace = ModuleType("program").__dict__
        namespace["ARGS"] = args
        exec(code, namespace)
        return namespace.get("RESULT", ())

    return chunk


def _wait(awaitable: Awaitable[Any]) -> Any:
    async def result() -> Any:
        return await awaitable

    return asyncio.run(result())
