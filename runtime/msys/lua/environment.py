"""One generation's Lua world: `_G`, `package.loaded`, and what its scripts registered.

Knows nothing of files, mail or time. The server makes one Environment per generation, runs every script in it, and
throws it away whole when the reload fails.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from msys.lua.tables import Table

BUILT_IN = "built in"  # the script of modules that no script registered


@dataclass(slots=True)
class Registration:
    """One call of `msys.registerModule`."""

    name: str
    table: Table
    script: str  # chunk name of the file that registered it


class Compiler(Protocol):
    """How Lua text becomes something to call; injected by the server or the command line."""

    def load(self, text: str, chunkname: str, environment: Environment) -> Callable[..., Any]:
        """Compile a chunk; raises LuaError with Lua's text when it does not parse."""
        ...

    def find(self, name: str, environment: Environment) -> Callable[..., Any] | None:
        """The chunk of the module that `require(name)` means, or None when no file has it."""
        ...

    def searched(self, name: str) -> list[str]:
        """Where `find` looked, for require's error text."""
        ...


@dataclass(slots=True)
class Environment:
    """What the scripts of one generation share."""

    globals: Table = field(default_factory=Table)
    loaded: Table = field(default_factory=Table)
    registrations: list[Registration] = field(default_factory=list)
    commands: dict[str, Callable[..., Any]] = field(default_factory=dict)  # msys.registerControl
    auth_schemes: dict[str, Table] = field(default_factory=dict)  # msys.registerAuth
    rules: list[tuple[Table, str]] = field(default_factory=list)  # msys.adaptive.registerRules
    timers: list[Any] = field(default_factory=list)  # armed when the generation becomes current
    compiler: Compiler | None = None
    std: str = "thr"  # "thr", or "5.1" for `moonpost lua --std 5.1`
    script: str = ""  # the file whose main chunk is running
    services: dict[str, Any] = field(
        default_factory=dict
    )  # per-generation state of msys packages, by package name
    string_metatable: Table = field(default_factory=Table)  # its __index is the string library
    class_metatables: dict[type, Table] = field(
        default_factory=dict
    )  # msys.getClassMetaTable, filled when asked
    preload: Table = field(default_factory=Table)  # package.preload


_current: ContextVar[Environment] = ContextVar("lua_environment")


def environment() -> Environment:
    """The environment of the code that is running."""
    return _current.get()


def enter(env: Environment) -> None:
    """Make `env` the environment of this context (one greenlet, one task)."""
    _current.set(env)


def present_environment() -> Environment | None:
    """The environment of the code that is running, if there is one."""
    return _current.get(None)


def standard() -> str:
    """Which language rules hold: those of the running environment, thrlua's when there is none."""
    env = _current.get(None)
    return env.std if env is not None else "thr"
