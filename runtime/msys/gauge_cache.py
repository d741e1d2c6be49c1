"""`msys.gauge_cache`: named caches of key → integer with a time to live, kept by the state port.

An undefined cache is an error that names it. None of the calls waits while the state is in this process.
"""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, check_integer, check_number, check_string, truth
from msys.catalog.binding import documented
from msys.lua import ABSENT
from msys.ports import current
from msys.shared import ask

__all__ = ["dec", "define", "get", "inc", "remove_item"]

DEFINE = "msys.gauge_cache.define"


@documented(
    "msys.gauge_cache.define",
    assumed="defining twice keeps the contents and takes the new limits; ttl 0 never expires",
)
def define(name: str, maxelems: float, ttl: float, replicated: Any = ABSENT) -> None:
    """Make the cache `name`, or change its limits.

    maxelems: entries at most; a full cache drops the entry whose change is oldest. ttl: seconds an entry
    stays after its last change; 0: for ever. replicated: accepted; shared state is shared anyway.
    Source: lua.ref.msys.gauge_cache.define.
    """
    cache = check_string("define", 1, name)
    most = check_integer("define", 2, maxelems)
    if most < 1:
        raise bad_argument("define", 2, "at least one element expected")
    ttl_s = float(check_number("define", 3, ttl))
    current().ports.state.gauge_define(cache, most, ttl_s, truth(replicated))


@documented("msys.gauge_cache.inc", assumed="an undefined cache raises; returns nothing")
def inc(cachename: str, keystring: str) -> None:
    """Add one to the entry of `keystring`, made at 0 when missing, and renew its time to live.

    Source: lua.ref.msys.gauge_cache.inc.
    """
    _add("inc", cachename, keystring, 1)


@documented("msys.gauge_cache.dec", assumed="an undefined cache raises; returns nothing")
def dec(cachename: str, keystring: str) -> None:
    """Take one from the entry; a missing entry becomes −1. Source: lua.ref.msys.gauge_cache.dec."""
    _add("dec", cachename, keystring, -1)


def _add(function: str, cachename: str, keystring: str, delta: int) -> None:
    cache, key = check_string(function, 1, cachename), check_string(function, 2, keystring)
    ask(lambda state: state.gauge_add(cache, key, delta), DEFINE)


@documented("msys.gauge_cache.get", assumed="a missing or expired key reads 0")
def get(cachename: str, keystring: str) -> int:
    """The entry's value; 0 when it is missing or expired. Reading does not renew the time to live.

    Source: lua.ref.msys.gauge_cache.get.
    """
    cache, key = check_string("get", 1, cachename), check_string("get", 2, keystring)
    return ask(lambda state: state.gauge_get(cache, key), DEFINE)


@documented("msys.gauge_cache.remove_item", assumed="a missing key is no error")
def remove_item(cachename: str, keystring: str) -> None:
    """Forget the entry; a missing one is no error. Source: lua.ref.msys.gauge_cache.remove_item."""
    cache = check_string("remove_item", 1, cachename)
    key = check_string("remove_item", 2, keystring)
    ask(lambda state: state.gauge_remove(cache, key), DEFINE)
