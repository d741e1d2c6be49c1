"""Case files: named Lua programs with what they print, and how to run one through the compiler.

Format, one case after another in a `.case` file:

    -- case: and-or keeps a false middle value
    --- lua
    print(true and false or "fallback")
    --- out
    fallback
    --- python          (optional: lines that the generated module must contain, in this order)
    --- diagnostics     (optional: codes, one a line)

A `-- std: thr` line before `--- lua` says that stock Lua can't run it; `-- differs` that stock Lua prints something
else, which is a listed difference.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lua2py import SourceFile, Translation, load_module, translate
from lua2py.parse import lua_message
from msys.lua import Environment, LuaError, enter, open_libs
from msys.lua.explain import explain
from msys.lua.linemap import LineMap, register_map


@dataclass(slots=True)
class Case:
    """One case of a file."""

    name: str
    path: Path
    line: int
    std: str = "5.1"
    differs: bool = False
    sections: dict[str, str] = field(default_factory=dict)

    @property
    def lua(self) -> str:
        return self.sections["lua"]

    @property
    def out(self) -> str | None:
        return self.sections.get("out")


def read_cases(path: Path) -> list[Case]:
    """Every case of a file."""
    cases: list[Case] = []
    section = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(keepends=True), 1):
        if line.startswith("-- case: "):
            cases.append(Case(line.removeprefix("-- case: ").strip(), path, number))
            section = ""
        elif line.startswith("--- ") and cases:
            section = line.removeprefix("--- ").strip()
            cases[-1].sections[section] = ""
        elif section:
            cases[-1].sections[section] += line
        elif line.startswith("-- std: ") and cases:
            cases[-1].std = line.removeprefix("-- std: ").strip()
        elif line.startswith("-- differs") and cases:
            cases[-1].differs = True
    for case in cases:
        case.sections = {name: _trimmed(name, text) for name, text in case.sections.items()}
    return cases


def _trimmed(name: str, text: str) -> str:
    """Empty lines between cases belong to no section."""
    return text.rstrip("\n") + "\n" if text.strip("\n") else ""


def all_cases(folder: Path) -> list[Case]:
    """The cases of every file below a folder, in order."""
    return [case for path in sorted(folder.glob("*.case")) for case in read_cases(path)]


class CaseCompiler:
    """The compiler port: `loadstring` and `require` of modules given as text."""

    def __init__(self, modules: dict[str, str] | None = None) -> None:
        self.modules = modules or {}

    def load(self, text: str, chunkname: str, environment: Environment) -> Callable[..., Any]:
        source = SourceFile.of_text(text, chunk_id(chunkname), from_file=False)
        translation = translate(source, std=environment.std, shared=frozenset("*"))
        if not translation.ok:
            raise LuaError(lua_message(translation.diagnostics[0], chunkname), positioned=True)
        return lambda *args: run_translation(translation, args)

    def find(self, name: str, environment: Environment) -> Callable[..., Any] | None:
        if name not in self.modules:
            return None
        return self.load(self.modules[name], f"@{name}.lua", environment)

    def searched(self, name: str) -> list[str]:
        return [f"./{name}.lua"]


def chunk_id(name: str) -> str:
    """A chunk name as error texts show it."""
    if name[:1] in ("=", "@"):
        return name[1:]
    line = name.splitlines()[0] if name else ""
    return f'[string "{line if line == name else line + "..."}"]'


_runs = 0


def run_translation(translation: Translation, args: tuple[Any, ...] = (), view: str = "py") -> Any:
    """Execute a module in the environment that has been entered; its result."""
    global _runs
    _runs += 1
    filename = f"{translation.source.path}.{_runs}.py"
    code, line_map = load_module(translation, filename=filename, view=view)
    register_map(filename, LineMap.from_json(line_map))
    namespace: dict[str, Any] = {"__name__": f"case_{_runs}", "ARGS": args}
    exec(code, namespace)
    return namespace.get("RESULT", ())


@contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """Standard output of the block, bytes as they were written."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1", write_through=True)
    with redirect_stdout(stream):
        yield lambda: raw.getvalue().decode("latin-1")


def lua_environment(std: str = "5.1", modules: dict[str, str] | None = None) -> Environment:
    """A fresh Lua state."""
    environment = Environment(std=std, compiler=CaseCompiler(modules))
    enter(environment)
    open_libs(environment)
    return environment


def run_lua_text(lua: str, std: str = "5.1", path: str = "case.lua", view: str = "py") -> str:
    """What a program prints; an error it ends with is one more line, as `lua` would tell it."""
    lua_environment(std)
    translation = translate(SourceFile(path, lua.encode("latin-1")), std=std)
    if not translation.ok:
        return "".join(f"{d.code} {d.span.line}: {d.message}\n" for d in translation.diagnostics)
    with captured() as text:
        try:
            run_translation(translation, view=view)
        except Exception as error:
            sys.stdout.write(f"lua: {explain(error).value}\n")
        sys.stdout.flush()
        return text()
