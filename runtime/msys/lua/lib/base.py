"""The base library."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from itertools import islice
from types import FrameType
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import (
    any_arg,
    function_arg,
    int_arg,
    optional_int,
    optional_string,
    string_arg,
    table_arg,
    wrong_type,
)
from msys.lua.arithmetic import to_number
from msys.lua.calls import call
from msys.lua.compare import raw_equal
from msys.lua.environment import environment
from msys.lua.errors import ArgumentError, LuaError, RuntimeFault
from msys.lua.explain import explain
from msys.lua.iteration import lua_next
from msys.lua.loading import Chunk, load_chunk
from msys.lua.metatables import get_metatable, metamethod, set_metatable
from msys.lua.numbers import parse_in_base, parse_number
from msys.lua.output import write_line
from msys.lua.stack import Level, levels, levels_of, where
from msys.lua.tables import Table, border, raw_set, stored_key
from msys.lua.text import checked_tostring, to_text, type_name

next = lua_next


def type(value: Any = ABSENT, *_: Any) -> str:
    if value is ABSENT:
        raise ArgumentError(1, "type", "value expected")
    return type_name(value)


def tostring(value: Any = ABSENT, *_: Any) -> str:
    """Text of any value. What `__tostring` returns is passed on as it is."""
    if value.__class__ is str:
        return value
    return to_text(any_arg(value, 1, "tostring"))  # type: ignore[no-any-return]


def tonumber(value: Any = ABSENT, base: Any = None, *_: Any) -> int | float | None:
    if base is None or base is ABSENT:
        if value.__class__ is str:
            if value.isdecimal() and value[0] != "0" and len(value) < 16:
                return int(value)  # what most texts are, without another call
            return parse_number(value)
        if value is None:
            return None
        return to_number(any_arg(value, 1, "tonumber"))
    radix = int_arg(base, 2, "tonumber")
    if radix == 10:
        return to_number(any_arg(value, 1, "tonumber"))
    text = string_arg(value, 1, "tonumber")
    if not 2 <= radix <= 36:
        raise ArgumentError(2, "tonumber", "base out of range")
    return parse_in_base(text, radix)


def print(*args: Any) -> None:
    write_line("\t".join([checked_tostring(value) for value in args]))


def error(value: Any = None, level: Any = 1, *_: Any) -> Any:
    """Raise `value`; a text gets the position of the function at `level` in front."""
    depth = optional_int(level, 2, "error", 1)
    if depth > 0 and value.__class__ in (str, int, float):
        value = where(depth, sys._getframe(1)) + to_text(value)
    raise LuaError(value, positioned=True)


def lua_assert(value: Any = ABSENT, message: Any = ABSENT, *rest: Any) -> Any:
    """`assert`: all its arguments when the first is true."""
    if value is None or value is False or value is ABSENT:
        any_arg(value, 1, "assert")
        raise RuntimeFault(optional_string(message, 2, "assert", "assertion failed!"))
    if message is ABSENT:
        return value
    return (value, message, *rest)


def pcall(function: Any = ABSENT, *args: Any) -> tuple[Any, ...]:
    """True and the results, or false and the error. Cancellation and time limits pass through."""
    any_arg(function, 1, "pcall")
    try:
        return (True, *call(function, *args))
    except Exception as error:
        return (False, explain(error).value)


_handling: list[tuple[LuaError, FrameType]] = []


def xpcall(function: Any = ABSENT, handler: Any = ABSENT, *_: Any) -> tuple[Any, ...]:
    """As `pcall`, and `handler` makes the error value; `debug.traceback` in it shows where the error was."""
    if handler is ABSENT:
        raise ArgumentError(2, "xpcall", "value expected")
    try:
        return (True, *call(function))
    except Exception as error:
        explained = explain(error)
    _handling.append((explained, sys._getframe(0)))
    try:
        return (False, *call(handler, explained.value)[:1])
    except Exception:
        return (False, "error in error handling")
    finally:
        _handling.pop()


def handled_levels() -> list[Level] | None:
    """The stack as it was when the error was raised whose handler is running, innermost level first."""
    if not _handling:
        return None
    error, frame = _handling[-1]
    return [*levels_of(error.__traceback__)[::-1], *islice(levels(frame), 1, None)]


def select(position: Any = ABSENT, *args: Any) -> Any:
    if position.__class__ is str and position[:1] == "#":
        return len(args)
    place = int_arg(position, 1, "select")
    if place < 0:
        place += len(args)
        if place < 0:
            raise ArgumentError(1, "select", "index out of range")
        rest = args[place:]
    elif place == 0:
        raise ArgumentError(1, "select", "index out of range")
    else:
        rest = args[place - 1 :]
    return rest[0] if len(rest) == 1 else rest


_UNPACK_MAX = 8000  # LUAI_MAXCSTACK: what one call may return


def unpack(table: Any = ABSENT, first: Any = 1, last: Any = None, *_: Any) -> Any:
    if not isinstance(table, Table):
        raise wrong_type(table, 1, "unpack", "table")
    start = optional_int(first, 2, "unpack", 1)
    stop = border(table) if last is None else int_arg(last, 3, "unpack")
    if stop - start >= _UNPACK_MAX:
        raise RuntimeFault("too many results to unpack")
    found = tuple(map(table.get, range(start, stop + 1)))
    return found[0] if len(found) == 1 else found


def rawget(table: Any = ABSENT, key: Any = ABSENT, *_: Any) -> Any:
    found = table_arg(table, 1, "rawget")
    return found.get(stored_key(any_arg(key, 2, "rawget")))


def rawset(table: Any = ABSENT, key: Any = ABSENT, value: Any = ABSENT, *_: Any) -> Any:
    found = table_arg(table, 1, "rawset")
    any_arg(key, 2, "rawset")
    raw_set(found, key, any_arg(value, 3, "rawset"))
    shape = getattr(found, "shape", None)
    if shape is not None:
        shape.refresh()
    return found


def rawequal(left: Any = ABSENT, right: Any = ABSENT, *_: Any) -> bool:
    return raw_equal(any_arg(left, 1, "rawequal"), any_arg(right, 2, "rawequal"))


def setmetatable(table: Any = ABSENT, metatable: Any = ABSENT, *_: Any) -> Any:
    if not isinstance(table, Table):
        raise wrong_type(table, 1, "setmetatable", "table")
    if metatable is not None and not isinstance(metatable, Table):
        raise ArgumentError(2, "setmetatable", "nil or table expected")
    if table.__class__ is not Table and metamethod(table, "__metatable") is not None:
        raise RuntimeFault("cannot change a protected metatable")
    set_metatable(table, metatable)
    return table


def getmetatable(value: Any = ABSENT, *_: Any) -> Any:
    if value.__class__ is Table:
        return None
    metatable = get_metatable(any_arg(value, 1, "getmetatable"))
    if metatable is None:
        return None
    protected = metatable.get("__metatable")
    return metatable if protected is None else protected


def pairs(table: Any = ABSENT, *_: Any) -> tuple[Any, ...]:
    """The triple that Lua's generic `for` takes; emitted loops use `msys.lua.pairs`."""
    return (lua_next, table_arg(table, 1, "pairs"), None)


def _ipairs_step(table: Table, place: int, *_: Any) -> Any:
    place += 1
    value = table.get(place)
    return None if value is None else (place, value)


def ipairs(table: Any = ABSENT, *_: Any) -> tuple[Any, ...]:
    """The triple that Lua's generic `for` takes; emitted loops use `msys.lua.ipairs`."""
    return (_ipairs_step, table_arg(table, 1, "ipairs"), 0)


def loadstring(text: Any = ABSENT, name: Any = None, *_: Any) -> Any:
    """The compiled chunk, or nil and why it did not compile."""
    source = string_arg(text, 1, "loadstring")
    return _load(source, optional_string(name, 2, "loadstring", source))


def load(function: Any = ABSENT, name: Any = None, *_: Any) -> Any:
    """As `loadstring`, with the text coming in pieces until there is no more."""
    chunk_name = optional_string(name, 2, "load", "=(load)")
    function_arg(function, 1, "load")
    pieces: list[str] = []
    try:
        while True:
            found = call(function)
            piece = found[0] if found else None
            if piece is None or piece == "":
                break
            if piece.__class__ is not str:
                raise RuntimeFault("reader function must return a string")
            pieces.append(piece)
    except Exception as error:
        return (None, explain(error).value)
    return _load("".join(pieces), chunk_name)


def _load(text: str, name: str) -> Any:
    try:
        return load_chunk(text, name)
    except LuaError as error:
        return (None, explain(error).value)


def loadfile(filename: Any = None, *_: Any) -> Any:
    from msys.lua.lib.io import read_whole

    path = optional_string(filename, 1, "loadfile", "")
    try:
        text = read_whole(path)
    except OSError as error:
        return (None, f"cannot open {path}: {error.strerror}")
    return _load(text, "@" + path if path else "=stdin")


def dofile(filename: Any = None, *_: Any) -> Any:
    """Run a file's chunk; its errors are errors here."""
    found = loadfile(filename)
    if found.__class__ is tuple:
        raise LuaError(found[1], positioned=True)
    return found()


def getfenv(target: Any = 1, *_: Any) -> Table:
    """The globals of a function: those setfenv gave a chunk, else the environment's."""
    if isinstance(target, Chunk) and target.globals is not None:
        return target.globals
    kind = type_name(target)
    if kind not in ("function", "thread") and optional_int(target, 1, "getfenv", 1) < 0:
        raise ArgumentError(1, "getfenv", "level must be non-negative")
    if kind == "number" and len(list(islice(levels(), int(target)))) < int(target):
        raise ArgumentError(1, "getfenv", "invalid level")
    return environment().globals


def setfenv(target: Any = ABSENT, globals: Any = ABSENT, *_: Any) -> Any:
    """Give a chunk that `load` made other globals. Functions that run already keep theirs: a listed difference."""
    table = table_arg(globals, 2, "setfenv")
    if isinstance(target, Chunk):
        target.globals = table
        return target
    if type_name(target) != "function" and int_arg(target, 1, "setfenv") < 0:
        raise ArgumentError(1, "setfenv", "level must be non-negative")
    if table is environment().globals:
        return target
    raise RuntimeFault("'setfenv' cannot change environment of given object")


def collectgarbage(option: Any = "collect", argument: Any = 0, *_: Any) -> int | float:
    """Python's collector does the work; the counts are rough."""
    choice = optional_string(option, 1, "collectgarbage", "collect")
    optional_int(argument, 2, "collectgarbage", 0)
    if choice == "count":
        return gcinfo()
    if choice in ("collect", "step"):
        gc.collect()
        return 0 if choice == "collect" else True
    if choice not in ("stop", "restart", "setpause", "setstepmul"):
        raise ArgumentError(1, "collectgarbage", f"invalid option '{choice}'")
    return 0


_STAT_KB = 4  # a page of memory, as /proc/self/statm counts


def gcinfo(*_: Any) -> int:
    """Kilobytes in use by the whole process."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * _STAT_KB
    except OSError:
        return 0


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "assert": lua_assert,
    "collectgarbage": collectgarbage,
    "dofile": dofile,
    "error": error,
    "gcinfo": gcinfo,
    "getfenv": getfenv,
    "getmetatable": getmetatable,
    "ipairs": ipairs,
    "load": load,
    "loadfile": loadfile,
    "loadstring": loadstring,
    "next": next,
    "pairs": pairs,
    "pcall": pcall,
    "print": print,
    "rawequal": rawequal,
    "rawget": rawget,
    "rawset": rawset,
    "select": select,
    "setfenv": setfenv,
    "setmetatable": setmetatable,
    "tonumber": tonumber,
    "tostring": tostring,
    "type": type,
    "unpack": unpack,
    "xpcall": xpcall,
}
