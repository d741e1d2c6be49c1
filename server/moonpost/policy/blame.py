"""Turns what went wrong in a callout into words: which line, what, and Lua's own traceback."""

from __future__ import annotations

import traceback
from typing import Any

from moonpost.policy.interface import PolicyError
from moonpost.policy.limits import PolicyLimit
from msys.lua import errors, tostring


def of_exception(error: Exception, module: str, callout: str) -> PolicyError:
    """An error that no pcall caught."""
    lua = errors.explain(error)
    kind = "internal" if errors.is_internal(error) else "error"
    return PolicyError(
        module=module,
        callout=callout,
        text=tostring(lua.value),
        where=errors.where(error),
        traceback=errors.traceback_text(error),
        kind=kind,
    )


def of_limit(limit: PolicyLimit, module: str, callout: str) -> PolicyError:
    """A callout that was stopped."""
    where = errors.where(limit)
    return PolicyError(
        module=module,
        callout=callout,
        text=f"{where}: {limit}" if where else str(limit),
        where=where,
        traceback=errors.traceback_text(limit),
        kind="limit",
    )


def of_answer(answer: Any, module: str, callout: str) -> PolicyError:
    """A verdict that is none."""
    rule = f"{module}:{callout} must return one of msys.VALIDATE_CONT msys.VALIDATE_DONE or msys.VALIDATE_AGAIN"
    return PolicyError(
        module=module,
        callout=callout,
        text=f"{rule}, not {tostring(answer)}",
        where="",
        traceback="",
        kind="missing_return",
    )


def internal_text(error: BaseException) -> str:
    """A Python traceback of a mistake that is ours."""
    return "".join(traceback.format_exception(error))
