"""`_TLS` and `_OSTLS`: tables of the Lua thread and of the operating system's thread.

A session is a Lua thread here, and so is a coroutine; there is one `_OSTLS` per environment and process.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from msys.lua.coroutines import running
from msys.lua.environment import Environment
from msys.lua.tables import Table

_session: ContextVar[Table] = ContextVar("lua_thread_locals")


def enter_thread(table: Table) -> None:
    """Make `table` the `_TLS` of this context: the session's, kept by whoever owns the session."""
    _session.set(table)


def current() -> Table:
    """The `_TLS` of the code that is running."""
    thread = running()
    if thread is not None:
        if thread.locals is None:
            thread.locals = Table()
        return thread.locals  # type: ignore[no-any-return]
    table = _session.get(None)
    if table is None:
        table = Table()
        _session.set(table)
    return table


class ThreadLocals(Table):
    """The one `_TLS` that scripts hold: each read and write goes to the table of the running thread."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __getitem__(self, key: Any) -> Any:
        return current()[key]

    def get(self, key: Any, default: Any = None) -> Any:
        return current().get(key, default)

    def __setitem__(self, key: Any, value: Any) -> None:
        current()[key] = value

    def pop(self, key: Any, default: Any = None) -> Any:
        return current().pop(key, default)

    def __iter__(self) -> Any:
        return iter(list(current()))

    def __contains__(self, key: Any) -> bool:
        return key in current()

    def __len__(self) -> int:
        return len(current())


def install(env: Environment) -> None:
    """Put both tables into `_G`."""
    env.globals["_TLS"] = ThreadLocals()
    env.globals["_OSTLS"] = Table()
