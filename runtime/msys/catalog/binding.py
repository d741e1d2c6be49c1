"""Ties each Python function to its row of the catalogue.

`@documented("msys.pcre.match")` marks the function that implements the rows of that name. It returns the
function unchanged: no call costs more for it. An unknown name or a second binding fails at import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msys.catalog import by_name

F = TypeVar("F", bound=Callable[..., Any])

BOUND: dict[str, Callable[..., Any]] = {}  # row name -> function
BASIS: dict[str, str] = {}  # row name -> why the behaviour is assumed; absent: documented


def documented(name: str, *, assumed: str = "") -> Callable[[F], F]:
    """Bind a function to the rows called `name`.

    assumed: what the documents leave open and we decided; shown on the coverage page. Empty when the
    documents settle the behaviour.
    """
    if name not in by_name():
        raise LookupError(f"{name} is not in functions.tsv")

    def bind(function: F) -> F:
        if name in BOUND:
            other = BOUND[name]
            raise LookupError(
                f"{name} is bound twice: {other.__module__}.{other.__qualname__} "
                f"and {function.__module__}.{function.__qualname__}"
            )
        BOUND[name] = function
        if assumed:
            BASIS[name] = assumed
        return function

    return bind
