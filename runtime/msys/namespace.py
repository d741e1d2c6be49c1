"""The names that Lua text reaches at run time: the `msys`, `json`, `thread` and `opendkim` tables of an environment.

Compiled policy calls `msys.pcre.match` in Python directly; this serves the dynamic ways: a package kept in
a variable, a name put together, `require` with a result, `module("msys.x", package.seeall)`. Functions
take any number of arguments here, as in Lua: extra ones are dropped, missing ones are nil.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from types import ModuleType
from typing import Any

import msys
from msys.catalog import rows
from msys.catalog.binding import BOUND
from msys.log import log
from msys.lua import Table
from msys.lua.environment import Environment
from msys.missing import Missing

__all__ = ["PACKAGES", "install", "load_all"]

# Lua package -> our module. `msys.extended.*` are methods of userdata; loading them is all there is to do.
PACKAGES = {
    "json": "msys.json",
    "thread": "msys.thread",
    "opendkim.dkim": "msys.opendkim.dkim",
    "msys.adaptive": "msys.adaptive",
    "msys.apn": "msys.apn",
    "msys.av": "msys.av",
    "msys.audit": "msys.audit",
    "msys.audit_series": "msys.audit_series",
    "msys.base64": "msys.base64",
    "msys.bounce": "msys.bounce",
    "msys.brightmail": "msys.brightmail",
    "msys.cidr": "msys.cidr",
    "msys.cloudmark": "msys.cloudmark",
    "msys.commtouch": "msys.commtouch",
    "msys.core": "msys.core",
    "msys.counter": "msys.counter",
    "msys.db": "msys.db",
    "msys.delivery": "msys.delivery",
    "msys.dumper": "msys.dumper",
    "msys.expurgate": "msys.expurgate",
    "msys.gauge_cache": "msys.gauge_cache",
    "msys.gcm": "msys.gcm",
    "msys.http.client": "msys.http.client",
    "msys.httpclnt": "msys.httpclnt",
    "msys.idn": "msys.idn",
    "msys.mstore": "msys.mstore",
    "msys.os": "msys.os",
    "msys.pbp": "msys.pbp",
    "msys.pcre": "msys.pcre",
    "msys.policyeditor": "msys.policyeditor",
    "msys.qp": "msys.qp",
    "msys.rfc3464": "msys.rfc3464",
    "msys.symantec_beik": "msys.symantec_beik",
    "msys.threadpool": "msys.threadpool",
    "msys.timer": "msys.timer",
    "msys.validate.dk": "msys.validate.dk",
    "msys.validate.dkim": "msys.validate.dkim",
    "msys.validate.opendkim": "msys.validate.opendkim",
}

# Names that `require` takes and that have no functions of their own
ALIASES = {
    "msys.datasource": "msys.db",
    "msys.extended": "msys.extended",
    "msys.extended.ac": "msys.extended",
    "msys.extended.message": "msys.extended",
    "msys.extended.message_routing": "msys.extended",
    "msys.extended.vctx": "msys.extended",
    "msys.boot": "msys",
    "msys.sign.dk": "msys.validate.dk",
}


@cache
def load_all() -> dict[str, ModuleType]:
    """Every module that provides a package, imported; so that every row that has a function is bound."""
    for where in msys.EXPORTS.values():
        import_module(where.partition(":")[0])
    return {package: import_module(module) for package, module in PACKAGES.items()}


@cache
def _tolerant(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for callers that pass too few or too many arguments."""
    parameters = list(inspect.signature(function).parameters.values())
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        most, needed = None, sum(p.default is p.empty for p in parameters) - 1
    else:
        most, needed = len(parameters), sum(p.default is p.empty for p in parameters)

    @wraps(function)
    def call(*args: Any) -> Any:
        given = len(args)
        if given < needed:
            args += (None,) * (needed - given)
        elif most is not None and given > most:
            args = args[:most]
        return function(*args)

    return call


@cache
def _content(package: str) -> dict[str, Any]:
    """Constants and functions of a package, as Lua sees them."""
    module = load_all()[package]
    found: dict[str, Any] = {}
    if package == "msys.core":
        offered: dict[str, Any] = module.members()
    else:
        offered = {n: getattr(module, n) for n in getattr(module, "__all__", None) or dir(module)}
    for name, value in offered.items():
        if isinstance(value, bool | int | float | str) and not name.startswith("_"):
            found[name] = value
        elif inspect.isfunction(value) and not name.startswith("_"):
            found[name] = _tolerant(value)
    return found


def _table(root: Table, path: str) -> Table:
    """The table at `a.b.c` below `root`, made where it is missing."""
    here = root
    for part in path.split("."):
        found = here[part]
        if not isinstance(found, Table):
            found = here[part] = Table()
        here = found
    return here


def install(env: Environment) -> None:
    """Put the packages into `env`: globals, and `package.loaded` so that `require` finds them."""
    modules = load_all()
    for package in modules:
        _table(env.globals, package).update(_content(package))
    top = _table(env.globals, "msys")
    for row in rows():
        path, _, name = row.name.rpartition(".")
        if row.is_method or row.is_property:
            continue
        here = _table(env.globals, path)
        if name not in here:
            bound = BOUND.get(row.name)
            here[name] = Missing(row.name) if bound is None else _tolerant(bound)
    top["log"] = _tolerant(log)  # used by published scripts, without a row of its own
    for name, path in {**{p: p for p in _packages()}, **ALIASES}.items():
        env.loaded[name] = _table(env.globals, path)
    env.loaded["msys"] = top


@cache
def _packages() -> tuple[str, ...]:
    """Every package path that has rows or a module."""
    named = {row.package for row in rows() if row.package not in ALIASES}
    return tuple(sorted(named | set(PACKAGES) | {"msys"}))
