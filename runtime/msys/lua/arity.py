"""Calls with another number of arguments than a host function takes: Lua drops extra ones, and nil is what is missing.

Compiled calls of known functions have the right number; this serves the others, after the call failed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1000)
def arity(function: Callable[..., Any]) -> tuple[int, int | None]:
    """How many arguments a function needs, and the most it takes (None: any number)."""
    parameters = list(inspect.signature(function).parameters.values())
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in places)
    many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return needed, None if many else len(places)


def fitted(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """`args` as `function` can take them."""
    needed, most = arity(function)
    if len(args) < needed:
        return (*args, *(None,) * (needed - len(args)))
    return args if most is None else args[:most]


def refused(error: TypeError) -> bool:
    """Whether the call itself failed, before the function began: only the caller is in the traceback."""
    traceback = error.__traceback__
    return traceback is not None and traceback.tb_next is None
