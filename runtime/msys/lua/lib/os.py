"""The os library. The clock is the clock port's while policy is running."""

from __future__ import annotations

import os as _os
import subprocess
import tempfile
import time as _time
from collections.abc import Callable
from typing import Any

from msys.lua.absent import ABSENT
from msys.lua.arguments import number_arg, optional_integer, optional_string, string_arg, table_arg
from msys.lua.arithmetic import to_number
from msys.lua.blocking import blocking, failure
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.environment import Environment
from msys.lua.errors import LuaExit, RuntimeFault
from msys.lua.lib.io import programs_allowed
from msys.lua.numbers import to_int32, to_integer
from msys.lua.tables import Table
from msys.ports import current


def _now() -> float:
    try:
        return current().ports.clock.now()
    except LookupError:
        return _time.time()


def clock(*_: Any) -> float:
    """Seconds of processor time."""
    return _time.process_time()


def time(table: Any = None, *_: Any) -> int | None:
    """Seconds since the epoch: now, or those of a table of local time. A time that can't be: nil."""
    if table is None or table is ABSENT:
        return int(_now())
    fields = table_arg(table, 1, "time")
    dst = fields["isdst"]
    day, month = _field(fields, "day", None), _field(fields, "month", None)
    parts = (
        _field(fields, "year", None),
        month,
        day,
        _field(fields, "hour", 12),
        _field(fields, "min", 0),
        _field(fields, "sec", 0),
        0,
        0,
        -1 if dst is None else int(dst is not False),
    )
    try:
        return int(_time.mktime(parts))
    except (OverflowError, ValueError):
        return None


def _field(table: Table, name: str, default: int | None) -> int:
    value = to_number(table[name])
    if value is not None:
        return to_int32(value)
    if default is None:
        raise RuntimeFault(f"field '{name}' missing in date table")
    return default


def date(format: Any = "%c", when: Any = None, *_: Any) -> Any:
    """A time as text; as a table for `*t`. A leading `!` means UTC."""
    template = optional_string(format, 1, "date", "%c")
    moment = (
        int(_now()) if when is None or when is ABSENT else to_integer(number_arg(when, 2, "date"))
    )
    convert = _time.gmtime if template.startswith("!") else _time.localtime
    template = template.removeprefix("!")
    try:
        parts = convert(moment)
    except (OverflowError, ValueError, OSError):
        return None
    if template.startswith("*t"):
        return Table(
            {
                "sec": parts.tm_sec,
                "min": parts.tm_min,
                "hour": parts.tm_hour,
                "day": parts.tm_mday,
                "month": parts.tm_mon,
                "year": parts.tm_year,
                "wday": (parts.tm_wday + 1) % 7 + 1,
                "yday": parts.tm_yday,
                "isdst": parts.tm_isdst > 0,
            }
        )
    return _formatted(template.partition("\0")[0], parts)


def _formatted(template: str, parts: _time.struct_time) -> str:
    """strftime piece by piece, so that bytes between the conversions pass untouched."""
    out = []
    place = 0
    while place < len(template):
        end = template.find("%", place)
        if end < 0 or end + 1 == len(template):
            out.append(template[place:])
            break
        out.append(template[place:end])
        out.append(
            _time.strftime(template[end : end + 2], parts) if template[end + 1].isascii() else ""
        )
        place = end + 2
    return "".join(out)


def difftime(later: Any = ABSENT, earlier: Any = 0, *_: Any) -> int | float:
    """Seconds between two times."""
    second = 0 if earlier is None else to_integer(number_arg(earlier, 2, "difftime"))
    return to_integer(number_arg(later, 1, "difftime")) - second


def getenv(name: Any = ABSENT, *_: Any) -> str | None:
    value = _os.environb.get(to_bytes(string_arg(name, 1, "getenv")))
    return None if value is None else to_str(value)


def setenv(name: Any = ABSENT, value: Any = None, overwrite: Any = None, *_: Any) -> Any:
    """thrlua's own: set a variable of the process, or remove it when the value is nil."""
    key = to_bytes(string_arg(name, 1, "setenv"))
    if not key or b"=" in key:
        return failure(OSError(22, "Invalid argument"), to_str(key))
    if value is None or value is ABSENT:
        _os.environb.pop(key, None)
    elif overwrite is not False or key not in _os.environb:
        _os.environb[key] = to_bytes(string_arg(value, 2, "setenv"))
    return True


def remove(filename: Any = ABSENT, *_: Any) -> Any:
    """True, or nil, why not, and the system's number for it."""
    path = string_arg(filename, 1, "remove")

    def job() -> None:
        if _os.path.isdir(path) and not _os.path.islink(path):
            _os.rmdir(path)
        else:
            _os.remove(path)

    return _tried(job, path)


def rename(source: Any = ABSENT, target: Any = ABSENT, *_: Any) -> Any:
    old, new = string_arg(source, 1, "rename"), string_arg(target, 2, "rename")
    return _tried(lambda: _os.rename(old, new), old)


def _tried(job: Callable[[], None], name: str) -> Any:
    try:
        blocking(job)
    except OSError as error:
        return failure(error, name)
    return True


def tmpname(*_: Any) -> str:
    """The name of an empty file that exists now and is the script's to remove."""
    handle, name = tempfile.mkstemp(prefix="lua_")
    _os.close(handle)
    return name


def execute(command: Any = None, *_: Any) -> int:
    """The shell's status as C's `system` gives it; whether there is a shell, without a command."""
    if command is None or command is ABSENT:
        return int(programs_allowed())
    text = string_arg(command, 1, "execute")
    if not programs_allowed():
        raise RuntimeFault("'execute' is disabled by the configuration")
    done = blocking(lambda: subprocess.run(["/bin/sh", "-c", to_bytes(text)], check=False))
    return -done.returncode if done.returncode < 0 else done.returncode << 8


def exit(code: Any = 0, *_: Any) -> Any:
    """Ends the program, where there is one: `moonpost lua` exits with it, a callout fails."""
    raise LuaExit(optional_integer(code, 1, "exit", 0))


def setlocale(locale: Any = None, category: Any = None, *_: Any) -> str | None:
    """The locale is always C: asking and setting that succeeds, any other is refused with nil."""
    wanted = optional_string(locale, 1, "setlocale", "C")
    optional_string(category, 2, "setlocale", "all")
    return "C" if wanted in ("", "C", "POSIX") else None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "clock": clock,
    "date": date,
    "difftime": difftime,
    "execute": execute,
    "exit": exit,
    "getenv": getenv,
    "remove": remove,
    "rename": rename,
    "setlocale": setlocale,
    "time": time,
    "tmpname": tmpname,
}


def library(env: Environment) -> Table:
    found = Table(FUNCTIONS)
    if env.std != "5.1":
        found["setenv"] = setenv
    return found
