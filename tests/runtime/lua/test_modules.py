"""require, module, load, setfenv and strict, through a compiler that understands a line of Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from msys import lua as L
from msys.lua import Environment, LineMap, LuaError, Table, environment, pcall, register_map, strict
from msys.lua.lib import base


class LineCompiler:
    """Runs a text as a Python expression over the globals; knows the modules it is given."""

    def __init__(self, modules: dict[str, Callable[..., Any]]) -> None:
        self.modules = modules

    def load(self, text: str, chunkname: str, env: Environment) -> Callable[..., Any]:
        if text == "syntax error":
            raise LuaError(f"{chunkname}:1: '=' expected near 'error'", positioned=True)

        def chunk(*args: Any) -> Any:
            return eval(text, {"G": environment().globals, "args": args})

        return chunk

    def find(self, name: str, env: Environment) -> Callable[..., Any] | None:
        return self.modules.get(name)

    def searched(self, name: str) -> list[str]:
        return [f"/policy/{name}.lua"]


@pytest.fixture
def modules(lua: Environment) -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    lua.compiler = LineCompiler(found)
    return found


def test_require_loads_once_and_keeps_the_value(lua: Environment, modules: dict[str, Any]) -> None:
    loads: list[str] = []
    modules["lib"] = lambda name: (loads.append(name), Table({"x": 1}))[1]
    modules["nothing"] = lambda name: ()
    first = L.require("lib")
    assert L.require("lib") is first and loads == ["lib"] and lua.loaded["lib"] is first
    assert L.require("nothing") is True


def test_require_finds_preloaded_and_open_libraries(lua: Environment) -> None:
    assert L.require("string") is lua.globals["string"]
    assert L.require("_G") is lua.globals
    lua.globals["package"]["preload"]["mine"] = lambda name: name.upper()
    assert L.require("mine") == "MINE"


def test_require_tells_where_it_searched(modules: dict[str, Any]) -> None:
    assert pcall(L.require, "absent")[1] == (
        "module 'absent' not found:\n\tno field package.preload['absent']\n\tno file '/policy/absent.lua'"
    )


def test_modules_that_require_each_other_in_a_circle_are_told(modules: dict[str, Any]) -> None:
    modules["a"] = lambda name: L.require("b")
    modules["b"] = lambda name: L.require("a")
    text = "loop or previous error loading module 'a'"
    assert pcall(L.require, "a") == (False, text)
    assert pcall(L.require, "a") == (False, text)


def test_a_module_may_set_its_value_itself(lua: Environment, modules: dict[str, Any]) -> None:
    def chunk(name: str) -> Any:
        made = L.module(name, L.seeall)
        made["f"] = lambda: made["tostring"](5)
        return ()

    modules["inbound.limits"] = chunk
    found = L.require("inbound.limits")
    assert found is lua.globals["inbound"]["limits"] and found["f"]() == "5"
    assert (found["_NAME"], found["_PACKAGE"], found["_M"] is found) == (
        "inbound.limits",
        "inbound.",
        True,
    )


def test_module_extends_what_exists_and_refuses_a_conflict(lua: Environment) -> None:
    lua.globals["msys"] = Table({"x": 1})
    assert L.module("msys.extra") is lua.globals["msys"]["extra"]
    assert L.module("string")["upper"] is L.string.upper
    lua.globals["n"] = 5
    assert pcall(L.module, "n") == (False, "name conflict for module 'n'")


def test_load_and_loadstring(modules: dict[str, Any]) -> None:
    chunk = L.loadstring("args[0] + 1")
    assert chunk(4) == 5 and L.type(chunk) == "function"
    assert L.loadstring("syntax error", "=here") == (None, "=here:1: '=' expected near 'error'")
    pieces = iter(["1", " + ", "1", None])
    assert L.load(lambda: next(pieces))() == 2
    assert L.load(lambda: 5) == (None, "reader function must return a string")
    assert pcall(L.loadstring) == (
        False,
        "bad argument #1 to 'loadstring' (string expected, got no value)",
    )


def test_without_a_compiler_loading_fails_in_words(lua: Environment) -> None:
    lua.compiler = None
    assert L.loadstring("x", "=chunk") == (
        None,
        "chunk: no Lua compiler here: text can't be loaded",
    )


def test_dofile_and_loadfile(modules: dict[str, Any], tmp_path: Any) -> None:
    path = tmp_path / "one.lua"
    path.write_text("6 * 7")
    assert L.dofile(str(path)) == 42
    missing = str(tmp_path / "none.lua")
    assert L.loadfile(missing) == (None, f"cannot open {missing}: No such file or directory")
    assert pcall(L.dofile, missing)[0] is False


def test_setfenv_gives_a_loaded_chunk_other_globals(
    lua: Environment, modules: dict[str, Any]
) -> None:
    chunk = L.loadstring("G['x']")
    own = Table({"x": "sandbox"})
    lua.globals["x"] = "global"
    assert chunk() == "global" and L.getfenv(chunk) is lua.globals
    assert L.setfenv(chunk, own) is chunk
    assert chunk() == "sandbox" and L.getfenv(chunk) is own and environment() is lua
    assert L.getfenv() is lua.globals and L.getfenv(1) is lua.globals
    text = "'setfenv' cannot change environment of given object"
    assert pcall(L.setfenv, lambda: 1, own) == (False, text)
    assert pcall(L.setfenv, 1, own) == (False, text)


def code(text: str, name: str) -> Any:
    """A module compiled as if generated, so that strict can tell main chunks from functions."""
    register_map(name, LineMap("strict.lua", {1: 1}))
    return compile(text, name, "exec")


def test_strict_refuses_undeclared_globals_inside_functions(lua: Environment) -> None:
    assert L.require("strict") is True and L.require("strict") is True
    space: dict[str, Any] = {"G": lua.globals}
    exec(
        code(
            "G['declared'] = None\ndef read(n): return G[n]\ndef write(n): G[n] = 1",
            "/strict/main.py",
        ),
        space,
    )
    assert pcall(space["read"], "declared") == (True, None)
    assert pcall(space["read"], "misspelt") == (
        False,
        "strict.lua:1: variable 'misspelt' is not declared",
    )
    assert pcall(space["write"], "fresh") == (
        False,
        "strict.lua:1: assign to undeclared variable 'fresh'",
    )
    assert pcall(space["write"], "declared") == (True, None)
    assert space["read"]("declared") == 1 and space["read"]("_TLS") is None
    assert lua.globals["print"] is base.print


def test_strict_chains_to_what_watched_the_globals_before(lua: Environment) -> None:
    L.setmetatable(lua.globals, Table({"__index": Table({"inherited": 5})}))
    strict.load()
    space: dict[str, Any] = {"G": lua.globals}
    exec(code("G['inherited'] = None", "/strict/other.py"), space)
    lua.globals.pop("inherited", None)
    exec(code("def read(): return G['inherited']", "/strict/third.py"), space)
    assert space["read"]() == 5


def test_loadlib_answers_that_there_are_no_c_libraries(lua: Environment) -> None:
    assert lua.globals["package"]["loadlib"]("x", "y")[2] == "absent"


def test_tls_belongs_to_the_running_thread(lua: Environment) -> None:
    from msys.lua import thread_locals

    thread_locals.install(lua)
    tls = lua.globals["_TLS"]
    tls["x"] = "main"
    assert L.type(tls) == "table"

    def body() -> Any:
        before = tls["x"]
        tls["x"] = "coroutine"
        return before, tls["x"]

    assert L.coroutine.resume(L.coroutine.create(body)) == (True, None, "coroutine")
    assert tls["x"] == "main" and list(L.pairs(tls)) == [("x", "main")]
    session = Table()
    thread_locals.enter_thread(session)
    tls["y"] = 1
    assert session["y"] == 1 and tls["x"] is None


def test_globals_of_a_fresh_environment_are_those_of_lua(lua: Environment) -> None:
    from testkit.oracle import LUA, run_lua

    if LUA is None:
        pytest.skip("the Debian package lua5.1 is not installed")
    program = """
    for _, name in ipairs{"_G", "string", "table", "math", "io", "os", "coroutine", "debug", "package"} do
      for key in pairs(_G[name]) do print(name .. "." .. tostring(key)) end
    end
    """
    theirs = set(run_lua(program).decode().split())
    missing = set()
    for name in theirs:
        library, _, key = name.partition(".")
        if lua.globals[library][key] is None:
            missing.add(name)
    assert missing == {"_G.newproxy", "debug.debug"} | {
        name for name in theirs if name.startswith("_G.arg")
    }
