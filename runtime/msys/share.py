"""`msys.shareGet`, `shareSet`, `shareUnset`: values shared by all scripts and sessions.

They survive a reload and end with the process (or with the shared store, when one is configured).
"""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_string
from msys.catalog.binding import documented
from msys.lua import type
from msys.shared import ask

__all__ = ["shareGet", "shareSet", "shareUnset"]


@documented("msys.shareGet")
def shareGet(keystring: str) -> Any:
    """The number, string or boolean stored under `keystring`; nil when there is none.

    Read, change and store is three steps: use `msys.lock` around them. Source: lua.ref.msys.shareGet.
    """
    return ask(lambda state: state.share_get(check_string("shareGet", 1, keystring)))


@documented("msys.shareSet", assumed="nil unsets; a table, function or userdata raises")
def shareSet(keystring: str, value: str | float | bool | None) -> bool:
    """Store a number, string or boolean; nil unsets. true when it was stored, false for an empty key.

    Source: lua.ref.msys.shareSet.
    """
    key = check_string("shareSet", 1, keystring)
    if not (value is None or isinstance(value, str | int | float)):
        raise bad_argument("shareSet", 2, f"number, string or boolean expected, got {type(value)}")
    if not key:
        return False
    ask(lambda state: state.share_set(key, value))
    return True


@documented("msys.shareUnset", assumed="a missing key is no error")
def shareUnset(keystring: str) -> None:
    """Forget the value; a missing key is no error. Source: lua.ref.msys.shareUnset."""
    ask(lambda state: state.share_set(check_string("shareUnset", 1, keystring), None))
