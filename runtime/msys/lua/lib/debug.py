"""The debug library: what can be told of generated Python. Locals, upvalues and hooks of Lua do not exist here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import any_arg, integer_arg, table_arg
from msys.lua.coroutines import Coroutine
from msys.lua.environment import environment
from msys.lua.errors import ArgumentError
from msys.lua.lib import base
from msys.lua.linemap import LineMap, map_of
from msys.lua.metatables import get_metatable, set_metatable
from msys.lua.stack import Level, levels, traceback_text
from msys.lua.tables import Table
from msys.lua.text import text_or_none


def traceback(*args: Any) -> Any:
    """A text, and below it who called whom. In the handler of `xpcall`: where the error was."""
    thread, rest = _thread_first(args)
    message = rest[0] if rest else None
    text = text_or_none(message)
    if message is not None and text is None:
        return message
    if thread is not None:
        body = "stack traceback:"
    elif (handled := base.handled_levels()) is not None:
        body = traceback_text(handled)
    else:
        level = integer_arg(rest[1], 2, "traceback") if len(rest) > 1 else 1
        body = traceback_text(list(levels(sys._getframe(0)))[level:])
    return body if text is None else f"{text}\n{body}"


def _thread_first(args: tuple[Any, ...]) -> tuple[Coroutine | None, tuple[Any, ...]]:
    if args and isinstance(args[0], Coroutine):
        return args[0], args[1:]
    return None, args


def getinfo(*args: Any) -> Any:
    """A table about a function, or about the function at a level; nil beyond the stack."""
    _, rest = _thread_first(args)
    target = rest[0] if rest else ABSENT
    if callable(target) and not isinstance(target, Table):
        return _about_function(target)
    level = integer_arg(target, 1, "getinfo")
    stack = list(levels(sys._getframe(0)))
    if not 0 <= level < len(stack):
        if level < 0:
            raise ArgumentError(1, "getinfo", "level out of range")
        return None
    return _about_level(stack[level])


def _source(line_map: LineMap | None) -> dict[str, Any]:
    if line_map is None:
        return {"source": "=[C]", "short_src": "[C]", "what": "C"}
    return {"source": "@" + line_map.source, "short_src": line_map.source, "what": "Lua"}


def _about_level(level: Level) -> Table:
    found = Table(_source(level.map))
    found["currentline"] = level.line if level.map is not None else -1
    found["linedefined"] = -1
    if level.main:
        found["what"] = "main"
        found["linedefined"] = 0
    elif level.map is not None:
        found["linedefined"] = level.map.lua_line(level.code.co_firstlineno)
    found["namewhat"] = "" if level.main else "global"
    if not level.main:
        found["name"] = level.code.co_name
    found["nups"] = len(level.code.co_freevars)
    return found


def _about_function(function: Callable[..., Any]) -> Table:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    line_map = map_of(code) if code is not None else None
    found = Table(_source(line_map))
    found["func"] = function
    found["currentline"] = -1
    found["namewhat"] = ""
    found["linedefined"] = -1
    found["nups"] = 0
    if line_map is not None and code is not None:
        found["linedefined"] = line_map.lua_line(code.co_firstlineno)
        found["nups"] = len(code.co_freevars)
    return found


def getmetatable(value: Any = ABSENT, *_: Any) -> Any:
    """Without regard to `__metatable`."""
    return get_metatable(any_arg(value, 1, "getmetatable"))


def setmetatable(value: Any = ABSENT, metatable: Any = ABSENT, *_: Any) -> bool:
    """Without regard to `__metatable`. Only tables can change theirs."""
    if metatable is not None:
        table_arg(metatable, 2, "setmetatable")
    set_metatable(table_arg(value, 1, "setmetatable"), metatable)
    return True


def getfenv(value: Any = ABSENT, *_: Any) -> Any:
    any_arg(value, 1, "getfenv")
    return base.getfenv(value) if callable(value) or isinstance(value, Coroutine) else None


def getregistry(*_: Any) -> Table:
    """A table that scripts may use as they like; of ours only `_LOADED` is in it."""
    services = environment().services
    registry = services.get("lua.registry")
    if registry is None:
        registry = services["lua.registry"] = Table({"_LOADED": environment().loaded})
    return registry


def _nothing_known(*_: Any) -> None:
    """Locals, upvalues and hooks: none are visible."""
    return None


def gethook(*_: Any) -> tuple[None, str, int]:
    """No hook is ever set."""
    return None, "", 0


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "getfenv": getfenv,
    "gethook": gethook,
    "getinfo": getinfo,
    "getlocal": _nothing_known,
    "getmetatable": getmetatable,
    "getregistry": getregistry,
    "getupvalue": _nothing_known,
    "setfenv": base.setfenv,
    "sethook": _nothing_known,
    "setlocal": _nothing_known,
    "setmetatable": setmetatable,
    "setupvalue": _nothing_known,
    "traceback": traceback,
}

getlocal = getupvalue = sethook = setlocal = setupvalue = _nothing_known
setfenv = base.setfenv
