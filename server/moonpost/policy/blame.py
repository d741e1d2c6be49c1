"""Turns what went wrong in a callout into words: which line, what, and Lua's own traceback."""

from __future__ import annotations

from typing import Any

from moonpost.policy.interface import PolicyError
from msys.lua import tostring
from msys.lua.explain import explain
from msys.lua.stack import levels_of, traceback_text
from msys.ports import PolicyLimit

VERDICT_RULE = (
    "{module}:{callout} must return one of msys.VALIDATE_CONT msys.VALIDATE_DONE "
    "or msys.VALIDATE_AGAIN, not {answer}"
)


def place_of(error: BaseException) -> str:
    """The innermost Lua position of an exception, `dnsbl/policy.lua:23`; empty when it never was in Lua."""
    for level in reversed(levels_of(error.__traceback__)):
        if level.map is not None:
            return f"{level.map.source}:{level.line}"
    return ""


def of_exception(error: Exception, module: str, callout: str) -> PolicyError:
    """An error that no pcall caught."""
    lua = explain(error)
    internal = lua.__cause__ is not None and "internal error: " in str(lua)
    return PolicyError(
        module=module,
        callout=callout,
        text=str(lua),
        where=place_of(error),
        traceback=lua.lua_traceback,
        kind="internal" if internal else "error",
    )


def of_limit(limit: PolicyLimit, module: str, callout: str) -> PolicyError:
    """A callout that was stopped."""
    where = place_of(limit)
    return PolicyError(
        module=module,
        callout=callout,
        text=f"{where}: {limit}" if where else str(limit),
        where=where,
        traceback=traceback_text(levels_of(limit.__traceback__)[::-1]),
        kind="limit",
    )


def of_init(answer: Any, module: str) -> PolicyError:
    """An `init` that did not succeed."""
    text = f"it returned {tostring(answer)} and must return true"
    return PolicyError(module, "init", text, where="", traceback="", kind="missing_return")


def of_answer(answer: Any, module: str, callout: str) -> PolicyError:
    """A verdict that is none."""
    text = VERDICT_RULE.format(module=module, callout=callout, answer=tostring(answer))
    return PolicyError(module, callout, text, where="", traceback="", kind="missing_return")
