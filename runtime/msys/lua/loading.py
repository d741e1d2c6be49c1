"""Text to functions through the Compiler port: `load`, `loadstring`, `dofile`, and the chunks that `setfenv` knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msys.lua.environment import Environment, enter, environment
from msys.lua.errors import LuaError
from msys.lua.tables import Table


class Chunk:
    """A compiled main chunk. Its globals may be put in place of the environment's before it runs."""

    __slots__ = ("_environment", "_run", "globals", "name")

    def __init__(self, run: Callable[..., Any], env: Environment, name: str) -> None:
        self._run = run
        self._environment = env
        self.name = name
        self.globals: Table | None = None  # what setfenv gave it

    def __call__(self, *args: Any) -> Any:
        if self.globals is None:
            return self._run(*args)
        outer = environment()
        enter(replace(self._environment, globals=self.globals))
        try:
            return self._run(*args)
        finally:
            enter(outer)


def load_chunk(text: str, name: str) -> Chunk:
    """Compile `text`; LuaError when it does not parse or nothing here can compile."""
    env = environment()
    if env.compiler is None:
        raise LuaError(
            f"{chunk_id(name)}: no Lua compiler here: text can't be loaded", positioned=True
        )
    return Chunk(env.compiler.load(text, name, env), env, name)


def chunk_id(name: str) -> str:
    """A chunk name as error texts show it."""
    if name[:1] in ("=", "@"):
        return name[1:]
    line = name.splitlines()[0] if name else ""
    if line != name or len(line) > 45:
        line = line[:42] + "..."
    return f'[string "{line}"]'
