"""The standard library as the compiler knows it: how many results, of which kinds, and what a call can disturb.

One row per function, in the notation of the catalogue's `results` column: `-` none, `?` may be nil, `...` any
number (so a helper has to count them at run time). Knows nothing of how the functions work.
"""

from __future__ import annotations

from dataclasses import dataclass

from lua2py.facts.kinds import LENGTH, NIL, SMALL, STRING, Kind, of_words


@dataclass(frozen=True, slots=True)
class LibraryFunction:
    """One function: `results` None when a call may give any number."""

    name: str
    results: tuple[Kind, ...] | None
    pure: bool  # calls nothing of the script's and changes no table


# name, results, and whether it is pure
_TABLE = """
print - pure
tostring string -
tonumber number? pure
type string pure
error - -
assert ... -
pcall ... -
xpcall ... -
select ... pure
unpack ... pure
rawget any pure
rawset table -
rawequal boolean pure
setmetatable table -
getmetatable any pure
next ... pure
require any -
loadstring ... -
load ... -
dofile ... -
getfenv table pure
setfenv any -
collectgarbage any -
gcinfo number pure
string.byte ... pure
string.char string pure
string.find small?,small?,... pure
string.format string -
string.gmatch function pure
string.gfind function pure
string.gsub string,small -
string.len small pure
string.lower string pure
string.match ... pure
string.rep string pure
string.reverse string pure
string.sub string pure
string.upper string pure
table.concat string pure
table.foreach any -
table.foreachi any -
table.getn small pure
table.insert - -
table.maxn number pure
table.remove any -
table.sort - -
math.abs number pure
math.acos float pure
math.asin float pure
math.atan float pure
math.atan2 float pure
math.ceil number pure
math.cos float pure
math.cosh float pure
math.deg float pure
math.exp float pure
math.floor number pure
math.fmod number pure
math.frexp float,small pure
math.ldexp float pure
math.log float pure
math.log10 float pure
math.max number pure
math.min number pure
math.mod number pure
math.modf number,float pure
math.pow number pure
math.rad float pure
math.random number pure
math.randomseed - pure
math.sin float pure
math.sinh float pure
math.sqrt float pure
math.tan float pure
math.tanh float pure
os.clock float pure
os.date any pure
os.difftime number pure
os.execute number -
os.exit - -
os.getenv string? pure
os.remove ... -
os.rename ... -
os.setenv ... -
os.setlocale string? pure
os.time whole pure
os.tmpname string -
io.close ... -
io.flush ... -
io.input any -
io.lines function -
io.open ... -
io.output any -
io.popen ... -
io.read ... -
io.tmpfile userdata -
io.type string? pure
io.write ... -
coroutine.create thread pure
coroutine.resume ... -
coroutine.running thread? pure
coroutine.status string pure
coroutine.wrap function pure
coroutine.yield ... -
debug.getfenv any pure
debug.gethook ... pure
debug.getinfo table? pure
debug.getlocal ... pure
debug.getmetatable any pure
debug.getregistry table pure
debug.getupvalue ... pure
debug.setfenv any -
debug.sethook - -
debug.setlocal any -
debug.setmetatable any -
debug.setupvalue any -
debug.traceback any pure
"""

# The first value of some that give any number.
FIRST = {
    "string.byte": (SMALL.between(0, 255) | NIL).softened(),
    "string.find": (LENGTH.between(1, LENGTH.range[1]) | NIL).softened(),
    "string.match": (STRING | LENGTH | NIL).softened(),
}

# How many arguments each takes; those not here take any number. More are computed and ignored by Lua.
_MOST = """
tostring 1, tonumber 2, type 1, error 2, rawget 2, rawset 3, rawequal 2, setmetatable 2, getmetatable 1, next 2
unpack 3, require 1, loadstring 2, load 2, dofile 1, getfenv 1, setfenv 2, collectgarbage 2, string.byte 3
string.find 4, string.gmatch 2, string.gfind 2, string.gsub 4, string.len 1, string.lower 1, string.match 3
string.rep 2, string.reverse 1, string.sub 3, string.upper 1, table.concat 4, table.foreach 2, table.foreachi 2
table.getn 1, table.maxn 1, table.remove 2, table.sort 2, math.abs 1, math.acos 1, math.asin 1
math.atan 1, math.atan2 2, math.ceil 1, math.cos 1, math.cosh 1, math.deg 1, math.exp 1, math.floor 1
math.fmod 2, math.frexp 1, math.ldexp 2, math.log 1, math.log10 1, math.mod 2, math.modf 1, math.pow 2
math.rad 1, math.randomseed 1, math.sin 1, math.sinh 1, math.sqrt 1, math.tan 1, math.tanh 1
os.date 2, os.difftime 2, os.execute 1, os.exit 1, os.getenv 1, os.remove 1, os.rename 2, os.time 1
coroutine.create 1, coroutine.status 1, coroutine.wrap 1, io.open 2, io.lines 1, io.type 1
"""
MOST = {
    name: int(count)
    for name, count in (
        entry.split() for line in _MOST.split("\n") if line for entry in line.split(", ")
    )
}

# Fields of the libraries that hold a value.
CONSTANTS = {"math.pi": of_words(("float",)), "math.huge": of_words(("float",))}

# Lua's libraries, which generated modules import from `msys.lua` under Lua's names.
LIBRARIES = frozenset({"string", "table", "math", "os", "io", "coroutine", "debug"})

# Where Lua's name can't be Python's.
SPELLING = {"assert": "lua_assert", "coroutine.yield": "coroutine.yield_"}

# Functions that may give no value, which `print` and `select` tell from nil -> the one that says so.
NONE_TOLD = {name: f"{name}_values" for name in ("table.remove", "table.foreach", "table.foreachi")}

# Base functions that generated Python doesn't call by name: the iterators stand only in a `for`.
THROUGH_GLOBALS = frozenset({"pairs", "ipairs", "newproxy", "loadfile", "module", "gcinfo"})

BASE = frozenset(
    "print tostring tonumber type error assert pcall xpcall select unpack rawget rawset rawequal setmetatable "
    "getmetatable next require loadstring load dofile getfenv setfenv collectgarbage".split()
)

# Every global that a fresh Lua state has.
STANDARD = (
    BASE
    | LIBRARIES
    | THROUGH_GLOBALS
    | {"package", "_G", "_VERSION", "_TLS", "_OSTLS", "msys", "json", "thread"}
)


def _read() -> dict[str, LibraryFunction]:
    functions = {}
    for line in _TABLE.strip().splitlines():
        name, results, effect = line.split()
        kinds: tuple[Kind, ...] | None = None
        if results == "-":
            kinds = ()
        elif "..." not in results:
            kinds = tuple(
                of_words((word.rstrip("?"),), word.endswith("?")) for word in results.split(",")
            )
        functions[name] = LibraryFunction(name, kinds, effect == "pure")
    return functions


FUNCTIONS = _read()
