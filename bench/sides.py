"""The same program four ways: compiled by us, written by hand, under lua5.1, and under lupa with the API in Python.

A side gives its answer, and its processor time for so many turns. Compares nothing.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from host import CASES, STUB, Host, lua_literal

import lua2py
from lua2py.source import SourceFile
from msys.catalog import callouts
from msys.lua import Table, open_libs, tostring
from msys.lua.environment import Environment, enter

PROGRAMS = Path(__file__).parent / "programs"
Callouts = Sequence[tuple[str, Sequence[str]]]


class Side(Protocol):
    name: str

    def answer(self) -> str:
        """What one turn comes to, as text that every side writes the same."""
        ...

    def time_s(self, count: int) -> float:
        """Processor seconds of `count` turns."""
        ...


class InProcess:
    """A side that runs in this process."""

    def __init__(self, name: str, work: Callable[[], Any], host: Host) -> None:
        self.name = name
        self._work = work
        self._host = host

    def answer(self) -> str:
        found = self._work()
        return self._host.answer() if found is None else str(tostring(found))

    def time_s(self, count: int) -> float:
        work = self._work
        began = time.process_time()
        for _ in range(count):
            work()
        return time.process_time() - began


def compiled(path: Path, *, stub: bool = False) -> tuple[InProcess, Callouts]:
    """Our translation of a Lua program. stub: the API too is the stand-in, not only its objects."""
    source = SourceFile(path.name, path.read_bytes())
    translation = lua2py.translate(source)
    if not translation.ok:
        raise SystemExit("\n".join(d.render(source) for d in translation.diagnostics))
    code, _ = lua2py.load_module(translation, filename=f"{path}.py")
    return _loaded("compiled", code, stub=stub)


def handwritten(path: Path) -> InProcess:
    """The twin in Python."""
    side, _ = _loaded("handwritten", compile(path.read_bytes(), str(path), "exec"), stub=False)
    return side


def _loaded(name: str, code: Any, *, stub: bool) -> tuple[InProcess, Callouts]:
    environment = Environment()
    enter(environment)
    open_libs(environment)
    namespace = ModuleType(name).__dict__
    exec(code, namespace)
    if stub:
        namespace["msys"] = STUB
    work = namespace.get("RESULT")
    if work is not None:
        return InProcess(name, work, Host(())), ()
    (registration,) = environment.registrations
    wanted = callouts_of(registration.table)
    host = Host(wanted)
    return InProcess(name, host.work_of(registration.table), host), wanted


def callouts_of(registered: Table) -> Callouts:
    """The callouts of a module that run for messages, in the order of a session."""
    return [
        (row.name, row.arguments)
        for row in callouts().values()
        if row.phase != "init" and row.name in registered
    ]


class Lua:
    """A program under Debian's lua5.1, which times itself."""

    name = "lua5.1"

    def __init__(self, path: Path, wanted: Callouts) -> None:
        rows = [{"name": name, "arguments": words} for name, words in wanted]
        self._prelude = (
            f"PROGRAM = {lua_literal(str(path))}\nCASES = {lua_literal(CASES)}\n"
            f"CALLOUTS = {lua_literal(rows)}\n"
        )

    def answer(self) -> str:
        return self._run(0)

    def time_s(self, count: int) -> float:
        return float(self._run(count))

    def _run(self, count: int) -> str:
        program = f"{self._prelude}COUNT = {count}\n{(PROGRAMS / 'host.lua').read_text()}"
        done = subprocess.run(
            ["lua5.1", "-"], input=program, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"lua5.1: {done.stderr}")
        return done.stdout


class Lupa:
    """A program under lupa's Lua 5.1, whose objects are Python's; in a process of its own, for it has crashed."""

    name = "lupa"

    def __init__(self, path: Path, wanted: Callouts) -> None:
        self._path = path

    def answer(self) -> str:
        return self._run(0)

    def time_s(self, count: int) -> float:
        return float(self._run(count))

    def _run(self, count: int) -> str:
        command = [sys.executable, __file__, str(self._path), str(count)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def under_lupa(path: Path) -> InProcess:
    """The program in this process' lupa."""
    from lupa.lua51 import LuaRuntime

    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute("collectgarbage('stop')")  # with it running, lupa 2.8 mixes up Python objects
    registered: dict[str, Any] = {}
    lua.globals().msys = STUB
    STUB.registerModule = lambda name, functions: registered.update(functions.items())
    lua.globals().require = lambda name: None
    chunk = lua.execute(path.read_text())
    if chunk is not None:
        return InProcess("lupa", chunk, Host(()))
    host = Host(
        callouts_of(Table(registered)),
        array=lambda values=(): lua.table_from(values),
        table=lua.table,
    )
    return InProcess("lupa", host.work_of(registered), host)


if __name__ == "__main__":
    side = under_lupa(Path(sys.argv[1]))
    turns = int(sys.argv[2])
    print(side.answer() if not turns else f"{side.time_s(turns):.6f}", end="")
