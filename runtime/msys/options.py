"""Reading option tables that policy passes: nil and absence are the default, the wrong kind raises."""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, optional_table, string_or_none, truth
from msys.lua import Table, tonumber, type

__all__ = ["Options"]


class Options:
    """The option table at `position` of `function`; no table at all is an empty one."""

    def __init__(self, function: str, position: int, given: Any) -> None:
        self._function = function
        self._position = position
        found = optional_table(function, position, given)
        self.table = Table() if found is None else found

    def text(self, key: str, default: str | None = None) -> str | None:
        value = self.table[key]
        if value is None:
            return default
        found = string_or_none(value)
        if found is None:
            raise self._wrong(key, "string", value)
        return found

    def needed(self, key: str) -> str:
        """A text that must be there."""
        found = self.text(key)
        if found is None:
            raise bad_argument(self._function, self._position, f"option '{key}' is missing")
        return found

    def number(self, key: str, default: float) -> int | float:
        value = self.table[key]
        if value is None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        text = string_or_none(value)
        found = None if text is None else tonumber(text)
        if found is None:
            raise self._wrong(key, "number", value)
        return found

    def integer(self, key: str, default: int) -> int:
        found = self.number(key, default)
        if found != found or found in (float("inf"), float("-inf")):
            raise self._wrong(key, "integer", found)
        return int(found)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.table[key]
        return default if value is None else truth(value)

    def _wrong(self, key: str, wanted: str, value: Any) -> Exception:
        problem = f"{wanted} expected for option '{key}', got {type(value)}"
        return bad_argument(self._function, self._position, problem)
