"""`msys.counter`: named counters of the whole process, kept by the state port.

Paths are free text; `counter list` on the console shows them. Values are integers, a delta loses its
fraction. Counters survive a reload and end with the process.
"""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_integer, check_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Userdata
from msys.shared import ask

STRICT = 0
RELAXED = 1

__all__ = ["RELAXED", "STRICT", "Counter", "add", "inc", "open", "read", "reset", "unlink"]

WORDS = {STRICT: "strict", RELAXED: "relaxed"}


class Counter(Userdata):
    """A counter that was opened; goes on counting after its path is unlinked."""

    __slots__ = ("handle", "path")
    lua_type = "msys.counter:counter"

    def __init__(self, path: str, handle: str) -> None:
        self.path = path
        self.handle = handle


def _path(function: str, value: Any) -> str:
    path = check_string(function, 1, value)
    if "\0" in path:
        raise bad_argument(function, 1, "a path without a zero byte expected")
    return path


def _key(function: str, value: Any) -> str:
    return value.handle if isinstance(value, Counter) else _path(function, value)


@documented("msys.counter.open", assumed="the default is STRICT; an existing counter keeps its own")
def open(counter_path: str, semantics: Any = ABSENT) -> Counter:
    """A handle of the counter at `counter_path`, which is made when it is missing.

    semantics: `msys.counter.STRICT` (default, also for nil) or `msys.counter.RELAXED`; one process
    treats both alike and shows the word in `counter list`. An existing counter keeps its own.
    Source: lua.ref.msys.counter.open.
    """
    path = _path("open", counter_path)
    chosen = (
        STRICT if semantics is ABSENT or semantics is None else check_integer("open", 2, semantics)
    )
    if chosen not in WORDS:
        raise bad_argument("open", 2, "msys.counter.STRICT or msys.counter.RELAXED expected")
    return Counter(path, ask(lambda state: state.counter_open(path, WORDS[chosen])))


@documented("msys.counter.inc", assumed="returns nothing")
def inc(object_or_path: Counter | str) -> None:
    """Add one. A missing path is made, STRICT. Source: lua.ref.msys.counter.inc."""
    ask(lambda state: state.counter_add(_key("inc", object_or_path), 1))


@documented("msys.counter.add", assumed="a delta loses its fraction; returns nothing")
def add(object_or_path: Counter | str, delta: float) -> None:
    """Add `delta`, which may be negative. A missing path is made, STRICT.

    Source: lua.ref.msys.counter.add.
    """
    key = _key("add", object_or_path)
    ask(lambda state: state.counter_add(key, check_integer("add", 2, delta)))


@documented("msys.counter.read", assumed="a missing path reads 0 and is not made")
def read(object_or_path: Counter | str) -> int:
    """The value now; 0 for a path that is missing, which is not made. Source: lua.ref.msys.counter.read."""
    return ask(lambda state: state.counter_read(_key("read", object_or_path)))


@documented("msys.counter.reset", assumed="returns nothing")
def reset(object_or_path: Counter | str) -> None:
    """Set to 0 and note the time. A missing path is made, STRICT. Source: lua.ref.msys.counter.reset."""
    ask(lambda state: state.counter_reset(_key("reset", object_or_path)))


@documented("msys.counter.unlink", assumed="a missing path is no error")
def unlink(counter_path: str) -> None:
    """Take the path out of the index. Open handles go on counting where nobody else sees it; the next
    use of the path makes a new counter. A missing path is no error.

    Momentum's own cache of paths may still find the old counter for five minutes; ours never does.
    Source: lua.ref.msys.counter.unlink.
    """
    ask(lambda state: state.counter_unlink(_path("unlink", counter_path)))
