"""The coroutine library."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from msys.lua import coroutines
from msys.lua.absent import ABSENT
from msys.lua.arguments import function_arg
from msys.lua.calls import pack
from msys.lua.coroutines import Coroutine
from msys.lua.errors import ArgumentError, LuaError
from msys.lua.stack import where


def _coroutine_arg(value: Any, function: str) -> Coroutine:
    if isinstance(value, Coroutine):
        return value
    raise ArgumentError(1, function, "coroutine expected")


def create(function: Any = ABSENT, *_: Any) -> Coroutine:
    return Coroutine(_function_arg(function, "create"))


def _function_arg(value: Any, name: str) -> Any:
    """A function; the words are those of 5.1."""
    try:
        return function_arg(value, 1, name)
    except ArgumentError:
        raise ArgumentError(1, name, "Lua function expected") from None


def resume(thread: Any = ABSENT, *args: Any) -> tuple[Any, ...]:
    """True and what it yields or returns, or false and the error it died of."""
    found = _coroutine_arg(thread, "resume")
    try:
        return (True, *found.resume(*args))
    except LuaError as error:
        return (False, error.value)


def wrap(function: Any = ABSENT, *_: Any) -> Callable[..., Any]:
    """A function that resumes; errors come out of it, with the caller's position in front of a text."""
    made = Coroutine(_function_arg(function, "wrap"))

    def resume_wrapped(*args: Any) -> Any:
        try:
            return pack(made.resume(*args))
        except LuaError as error:
            if error.value.__class__ is str:
                error.value = where(1, sys._getframe(1)) + error.value
            raise

    return resume_wrapped


def yield_(*values: Any) -> Any:
    """`coroutine.yield`: the name is a Python keyword."""
    return pack(coroutines.suspend(*values))


def status(thread: Any = ABSENT, *_: Any) -> str:
    return _coroutine_arg(thread, "status").status


def running(*_: Any) -> Coroutine | None:
    """The running coroutine; nil in the main thread."""
    return coroutines.running()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "create": create,
    "resume": resume,
    "running": running,
    "status": status,
    "wrap": wrap,
    "yield": yield_,
}
