"""From script stanzas to something that can be run: compiled in a child process, loaded from the cache.

`Prepared` is also how Lua's `require`, `load` and `loadstring` reach the compiler.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import lua2py
from lua2py.parse import lua_message
from lua2py.source import SourceFile
from moonpost.policy.ahead import Ahead
from moonpost.policy.cache import CompileCache
from moonpost.policy.compiling import Compilation, Compiled, Module, NotCached
from moonpost.policy.deep import with_deep_stack
from moonpost.policy.search import candidates
from msys.lua import LuaError
from msys.lua.environment import Environment
from msys.lua.linemap import LineMap, register_map
from msys.lua.loading import chunk_id

COMPILE_TIMEOUT_S = 120.0  # chosen: 100,000 lines


class LoadFailed(Exception):
    """Policy that cannot be loaded: every reason, in words for the operator."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ScriptStanza:
    """`script "name" { source = "..." }`."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class LoaderSettings:
    """view: `py` or `lua`, what tracebacks and debuggers show; compiled: load modules written ahead of time only."""

    roots: tuple[Path, ...]
    cache: Path
    std: str = "thr"
    view: str = "py"
    allow_writable: bool = False
    compiled: bool = False


@dataclass(slots=True)
class Script:
    """One file named by a stanza."""

    stanza: str
    path: str
    run: Callable[[Environment], Any]


def execute(module: Module, view: str, args: tuple[Any, ...] = ()) -> tuple[str, Any]:
    """Run a module's text in a fresh namespace; returns its code's file name, and what the chunk returned."""
    name = Path(module.found.shown).with_suffix("").as_posix()
    name = "policy." + name.replace("/", ".").replace("-", "_")
    namespace = ModuleType(name).__dict__
    namespace["__file__"] = str(module.filename)
    namespace["ARGS"] = args
    code, line_map = code_of(module, view)
    if line_map:
        whole = {**line_map, "path": str(module.found.path)}
        register_map(code.co_filename, LineMap.from_json(whole))
    exec(code, namespace)
    return code.co_filename, namespace.get("RESULT")


def code_of(module: Module, view: str) -> tuple[CodeType, Mapping[str, Any]]:
    """The code of a module and its line map; in the `lua` view debuggers see the Lua file itself."""
    if view == "lua" and module.found.language == "lua":
        source = SourceFile(module.found.shown, module.found.path.read_bytes())
        translation = with_deep_stack(lambda: lua2py.translate(source, siblings=module.siblings))
        return lua2py.load_module(translation, filename=str(module.found.path), view="lua")
    return lua2py.load_module(module.python, filename=str(module.filename), map=module.map)


class Prepared:
    """The compiled files of one generation. Implements `msys.lua.environment.Compiler`."""

    def __init__(
        self, compiled: Compiled, stanzas: Sequence[ScriptStanza], settings: LoaderSettings
    ) -> None:
        self._compiled = compiled
        self._settings = settings
        self.stanzas = stanzas
        self.warnings = compiled.warnings
        self.hashes = {path: module.sha256 for path, module in compiled.modules.items()}
        self.scripts = [self._script(stanza) for stanza in stanzas]
        self.filenames: set[str] = set()  # of the code that was executed, for the line maps

    @property
    def compiled(self) -> Compiled:
        """What another process needs to have the same generation."""
        return self._compiled

    def _script(self, stanza: ScriptStanza) -> Script:
        module = self._compiled.modules[self._compiled.names[stanza.source]]
        return Script(stanza.name, module.found.shown, lambda env: self._run(module, ()))

    def _run(self, module: Module, args: tuple[Any, ...]) -> Any:
        filename, result = execute(module, self._settings.view, args)
        self.filenames.add(filename)
        return result

    def find(self, name: str, environment: Environment) -> Callable[..., Any] | None:
        """The chunk of `require(name)`; a name that no script wrote literally is compiled now."""
        path = self._compiled.names.get(name)
        if path is None and self._settings.compiled:
            return None  # it was not compiled ahead of time, and nothing is compiled now
        if path is None:
            cache = CompileCache(self._settings.cache)
            run = Compilation(
                self._settings.roots,
                cache,
                std=self._settings.std,
                allow_writable=self._settings.allow_writable,
            )
            extra = with_deep_stack(lambda: run.run([name]))
            if name not in extra.names:
                return None
            if extra.problems:
                raise LuaError("\n".join(extra.problems))
            self._compiled.modules.update(extra.modules)
            self._compiled.names.update(extra.names)
            self.hashes.update({p: m.sha256 for p, m in extra.modules.items()})
            path = extra.names[name]
        module = self._compiled.modules[path]
        return lambda *args: self._run(module, args)

    def searched(self, name: str) -> list[str]:
        return [str(path) for path in candidates(name, self._settings.roots)]

    def load(self, text: str, chunkname: str, environment: Environment) -> Callable[..., Any]:
        return load_text(text, chunkname, self._settings.std)


def load_text(text: str, chunkname: str, std: str) -> Callable[..., Any]:
    """What `loadstring` returns. Raises LuaError with Lua's own words when the text does not parse."""
    name = chunk_id(chunkname)
    source = SourceFile.of_text(text, name, from_file=False)
    translation = with_deep_stack(
        lambda: lua2py.translate(source, std=std, shared=lua2py.ALL_SHARED)
    )
    if not translation.ok:
        wrong = next(d for d in translation.diagnostics if d.severity == "error")
        raise LuaError(lua_message(wrong, chunkname), positioned=True)
    filename = f"<{name} {source.sha256[:12]}>"
    code, line_map = lua2py.load_module(translation, filename=filename)
    register_map(filename, LineMap.from_json(line_map))

    def chunk(*args: Any) -> Any:
        namespace: dict[str, Any] = {"__name__": "policy.chunk", "ARGS": args}
        exec(code, namespace)
        return namespace.get("RESULT", ())

    return chunk


@dataclass(slots=True)
class Handed:
    """In place of a Loader where another process loads: prepares what it was handed."""

    settings: LoaderSettings
    compiled: Compiled

    async def prepare(self, stanzas: Sequence[ScriptStanza]) -> Prepared:
        return Prepared(self.compiled, stanzas, self.settings)

    def changed(self, hashes: dict[str, str]) -> bool:
        return False

    def quiet_for(self, hashes: dict[str, str], seconds: float) -> bool:
        return True


@dataclass(slots=True)
class Loader:
    """Prepares generations; keeps one compile child for as long as it is useful."""

    settings: LoaderSettings
    _child: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def prepare(self, stanzas: Sequence[ScriptStanza]) -> Prepared:
        """Compile what changed and load the rest from the cache. Raises LoadFailed."""
        names = [stanza.source for stanza in stanzas]
        if self.settings.compiled:
            ahead = Ahead(self.settings.roots, allow_writable=self.settings.allow_writable)
            compiled = ahead.run(names)
            if compiled.problems:
                raise LoadFailed(compiled.problems)
            return Prepared(compiled, stanzas, self.settings)
        try:
            compiled = self._from_cache(names)
        except NotCached:
            answer = await self._ask_child(names)
            if answer["problems"]:
                raise LoadFailed(answer["problems"]) from None
            try:
                compiled = self._from_cache(names)
            except NotCached as late:
                raise LoadFailed([f"{late}: changed while it was compiled; reload again"]) from None
        if compiled.problems:
            raise LoadFailed(compiled.problems)
        return Prepared(compiled, stanzas, self.settings)

    def _from_cache(self, names: Sequence[str]) -> Compiled:
        cache = CompileCache(self.settings.cache)
        return Compilation(
            self.settings.roots,
            cache,
            std=self.settings.std,
            allow_writable=self.settings.allow_writable,
            only_cached=True,
        ).run(names)

    async def _ask_child(self, names: Sequence[str]) -> dict[str, list[str]]:
        request = {
            "names": list(names),
            "roots": [str(root) for root in self.settings.roots],
            "cache": str(self.settings.cache),
            "std": self.settings.std,
            "allow_writable": self.settings.allow_writable,
        }
        try:
            async with asyncio.timeout(COMPILE_TIMEOUT_S):
                child = await self._running_child()
                assert child.stdin is not None and child.stdout is not None
                child.stdin.write(json.dumps(request).encode() + b"\n")
                line = await child.stdout.readline()
                answer: dict[str, list[str]] = json.loads(line)
        except (TimeoutError, OSError, ValueError) as error:
            await self.close()
            raise LoadFailed(
                [f"the compiler process failed: {error!r}; the next reload starts another"]
            ) from None
        return answer

    async def _running_child(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "moonpost.policy.compile_child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=64 * 1024 * 1024,
            )
        return self._child

    async def close(self) -> None:
        """End the compile child."""
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def changed(self, hashes: dict[str, str]) -> bool:
        """Whether any source differs from what was loaded. Blocking."""
        for path, sha256 in hashes.items():
            try:
                if hashlib.sha256(Path(path).read_bytes()).hexdigest() != sha256:
                    return True
            except OSError:
                return True
        return False

    def quiet_for(self, hashes: dict[str, str], seconds: float) -> bool:
        """Whether no source changed within the last `seconds`. Blocking."""
        newest = 0.0
        for path in hashes:
            with contextlib.suppress(OSError):
                newest = max(newest, Path(path).stat().st_mtime)
        return time.time() - newest >= seconds
