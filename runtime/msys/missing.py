"""What stands for a function of the catalogue that this version does not provide: calling it raises."""

from __future__ import annotations

from functools import cache
from typing import Any, NoReturn

from msys.catalog import rows
from msys.lua.errors import RuntimeFault

__all__ = ["Missing", "is_catalogued"]


@cache
def _names() -> frozenset[str]:
    """Every row name and every package path above one."""
    found: set[str] = set()
    for row in rows():
        parts = row.name.replace(":", ".").split(".")
        found.update(".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return frozenset(found)


def is_catalogued(name: str) -> bool:
    """Whether `name` is a row, or a package that has rows."""
    return name in _names()


class Missing:
    """A package or function without an implementation; attributes of a package are its functions."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, key: str) -> Any:
        name = f"{self._name}.{key}"
        if key.startswith("_") or not is_catalogued(name):
            raise AttributeError(f"{self._name} has no '{key}'")
        return Missing(name)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeFault(
            f"{self._name} is not provided by this version of moonpost; see docs/reference/coverage.md"
        )
