"""`require("strict")`: undeclared globals are errors inside functions.

A global is declared by an assignment in a main chunk. Chained before whatever metatable `_G` already has; a new
environment starts without it.
"""

from __future__ import annotations

import sys
from typing import Any

from msys.lua.environment import environment
from msys.lua.errors import LuaError
from msys.lua.metatables import get_metatable, read_through, set_metatable
from msys.lua.stack import levels, where
from msys.lua.tables import Table, raw_set

_ALWAYS = frozenset(("_TLS", "_OSTLS"))


def load(*_: Any) -> bool:
    """Watch the globals of the running environment."""
    globals_ = environment().globals
    metatable = get_metatable(globals_)
    if metatable is None:
        metatable = Table()
        set_metatable(globals_, metatable)
    if metatable["__strict"] is None:
        metatable["__strict"] = True
        _install(globals_, metatable)
    return True


def _install(globals_: Table, metatable: Table) -> None:
    declared = set(_ALWAYS)
    read_on, write_on = metatable["__index"], metatable["__newindex"]

    def newindex(table: Table, name: Any, value: Any) -> None:
        if name not in declared:
            kind = _kind_of_caller()
            if kind == "Lua":
                raise _error(f"assign to undeclared variable '{name}'")
            declared.add(name)
        if write_on is not None:
            write_on(table, name, value)
        else:
            raw_set(table, name, value)

    def index(table: Table, name: Any) -> Any:
        if name not in declared and _kind_of_caller() != "C":
            raise _error(f"variable '{name}' is not declared")
        return read_through(read_on, table, name)

    metatable["__newindex"] = newindex
    metatable["__index"] = index


def _kind_of_caller() -> str:
    """main, Lua or C: whose code touches the global."""
    for level in levels(sys._getframe(2)):
        if level.map is None:
            return "C"
        return "main" if level.main else "Lua"
    return "C"


def _error(text: str) -> LuaError:
    return LuaError(where(1, sys._getframe(2)) + text, positioned=True)
