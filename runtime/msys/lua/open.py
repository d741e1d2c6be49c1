"""Fill an environment: the globals that a fresh Lua state has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msys.lua import thread_locals
from msys.lua.environment import Environment
from msys.lua.lib import base, coroutine, debug, io, math, os, package, string, table
from msys.lua.tables import Table

VERSIONS = {"thr": "thrLua 5.1", "5.1": "Lua 5.1"}

_LIBRARIES: dict[str, Mapping[str, Any]] = {
    "coroutine": coroutine.FUNCTIONS,
    "debug": debug.FUNCTIONS,
    "math": math.FUNCTIONS,
    "string": string.FUNCTIONS,
    "table": table.FUNCTIONS,
}


def open_libs(env: Environment) -> None:
    """Fill `_G` and `package.loaded` of `env`."""
    globals_ = env.globals
    globals_.update(base.FUNCTIONS)
    globals_["_G"] = env.loaded["_G"] = globals_
    globals_["_VERSION"] = VERSIONS[env.std]
    found = {name: Table(functions) for name, functions in _LIBRARIES.items()}
    found["io"] = io.library()
    found["os"] = os.library(env)
    found["package"] = package.library(env)
    for name, library in found.items():
        globals_[name] = env.loaded[name] = library
    globals_["require"] = package.require
    globals_["module"] = package.module
    env.string_metatable["__index"] = found["string"]
    if env.std != "5.1":
        thread_locals.install(env)
