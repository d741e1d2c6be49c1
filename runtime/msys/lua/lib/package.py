"""`require`, `module` and the package library. Files are found by the Compiler port, not by `package.path`."""

from __future__ import annotations

from typing import Any

from msys.lua import strict
from msys.lua.absent import ABSENT
from msys.lua.arguments import string_arg, table_arg
from msys.lua.calls import first
from msys.lua.environment import Environment, environment
from msys.lua.errors import LuaError, RuntimeFault
from msys.lua.metatables import get_metatable, set_metatable
from msys.lua.tables import Table

_LOADING = Table()  # stands in `package.loaded` while a module is being loaded


def require(name: Any = ABSENT, *_: Any) -> Any:
    """The module of this name, loaded once per environment."""
    wanted = string_arg(name, 1, "require")
    env = environment()
    loaded = env.loaded
    found = loaded[wanted]
    if found is _LOADING:
        raise RuntimeFault(f"loop or previous error loading module '{wanted}'")
    if found is not None and found is not False:
        return found
    loader = _loader(env, wanted)
    loaded[wanted] = _LOADING
    result = first(loader(wanted))
    if result is not None:
        loaded[wanted] = result
    elif loaded[wanted] is _LOADING:
        loaded[wanted] = True
    return loaded[wanted]


def _loader(env: Environment, name: str) -> Any:
    """What makes the module: package.preload, our own `strict`, or a file."""
    loader = env.preload[name]
    if loader is not None:
        return loader
    if name == "strict":
        return strict.load
    searched = [f"no field package.preload['{name}']"]
    if env.compiler is not None:
        loader = env.compiler.find(name, env)
        if loader is not None:
            return loader
        searched += env.compiler.searched(name)
    lines = [line if line.startswith("no ") else f"no file '{line}'" for line in searched]
    raise RuntimeFault("\n\t".join([f"module '{name}' not found:", *lines]))


def module(name: Any = ABSENT, *options: Any) -> Any:
    """Make or reopen the module table `name`, also as a global; options are called with it."""
    wanted = string_arg(name, 1, "module")
    env = environment()
    found = env.loaded[wanted]
    if not isinstance(found, Table) or found is _LOADING:
        found = _global_table(env.globals, wanted)
        if found is None:
            raise RuntimeFault(f"name conflict for module '{wanted}'")
        env.loaded[wanted] = found
    if found["_NAME"] is None:
        found["_M"] = found
        found["_NAME"] = wanted
        found["_PACKAGE"] = wanted[: wanted.rfind(".") + 1]
    for option in options:
        option(found)
    return found


def _global_table(table: Table, path: str) -> Table | None:
    """The table at a dotted path, made where it is missing; None when something else is in the way."""
    for part in path.split("."):
        inner = table.get(part)
        if inner is None:
            inner = Table()
            table[part] = inner
        elif not isinstance(inner, Table):
            return None
        table = inner
    return table


def seeall(table: Any = ABSENT, *_: Any) -> None:
    """Let a module see the globals."""
    found = table_arg(table, 1, "seeall")
    metatable = get_metatable(found)
    if metatable is None:
        metatable = Table()
        set_metatable(found, metatable)
    metatable["__index"] = environment().globals


def loadlib(path: Any = ABSENT, *_: Any) -> tuple[None, str, str]:
    """C libraries are not loaded."""
    string_arg(path, 1, "loadlib")
    return None, "dynamic libraries not enabled; check your Lua installation", "absent"


def _search(name: Any = ABSENT, *_: Any) -> Any:
    """The one entry of `package.loaders`: how `require` searches."""
    wanted = string_arg(name, 1, "loader")
    try:
        return _loader(environment(), wanted)
    except LuaError as error:
        return str(error.value)


def library(env: Environment) -> Table:
    return Table(
        {
            "config": "/\n;\n?\n!\n-\n",
            "cpath": "",
            "loaded": env.loaded,
            "loaders": Table.array(_search),
            "loadlib": loadlib,
            "path": "./?.lua",
            "preload": env.preload,
            "seeall": seeall,
        }
    )
