"""A table of header fields that finds a name in whatever case it is asked for."""

from __future__ import annotations

from typing import Any

from msys.lua import Table
from msys.lua.bytestr import ascii_lower

__all__ = ["NamedValues"]


class NamedValues(Table):
    """Values by header name, as the names were written; a look-up does not mind the case."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __missing__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return None
        wanted = ascii_lower(key)
        for name, value in self.items():
            if isinstance(name, str) and ascii_lower(name) == wanted:
                return value
        return None

    def put(self, name: str, value: Any) -> None:
        """Set a field in place of one of the same name in any case."""
        wanted = ascii_lower(name)
        for known in [known for known in self if ascii_lower(known) == wanted]:
            del self[known]
        self[name] = value
