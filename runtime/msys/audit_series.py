"""`msys.audit_series`: counts per address or per text in windows of time, kept by the state port.

A series of addresses counts one family (`cidr` IPv4, `cidr_ipv6` IPv6); the other family is ignored by
`add` and counts 0. Window 0 is now. An undefined series raises.
"""

from __future__ import annotations

from typing import Any

from msys.arguments import (
    bad_argument,
    check_integer,
    check_number,
    check_string,
)
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table, tostring
from msys.lua.errors import RuntimeFault
from msys.options import Options
from msys.peer import address_of, block_of_peer, peer_address
from msys.ports import current
from msys.shared import ask

__all__ = ["add", "count", "define", "remove_item"]

DEFINE = "msys.audit_series.define"
KINDS = ("cidr", "cidr_ipv6", "string")


def _kinds() -> dict[str, str]:
    """Name → kind of every series defined in this process."""
    found: dict[str, str] = current().ports.services.setdefault("msys.audit_series", {})
    return found


def _key(function: str, position: int, name: str, key: Any) -> str:
    """The key as text: an accept construct is its peer; absent is the peer for a series of addresses."""
    kind = _kinds().get(name)
    if kind is None:
        raise RuntimeFault(
            f"no such audit series '{name}'; define it with msys.audit_series.define"
        )
    if key is None or key is ABSENT:
        if kind == "string":
            raise bad_argument(function, position, f"series '{name}' needs a key")
        return peer_address(function)
    peer = getattr(key, "remote_addr", None)
    if peer is not None:
        return address_of(tostring(peer))
    text = check_string(function, position, key)
    return text if kind == "string" else block_of_peer(function, text)


@documented(
    "msys.audit_series.define",
    assumed="defining again with the same shape keeps the counts; a single node always counts",
)
def define(
    name: str, type: str, interval: float, num_windows: float, options: Any = ABSENT
) -> None:
    """Make the series `name`.

    type: `cidr`, `cidr_ipv6` or `string`. interval: seconds per window. num_windows: how many are kept.
    options: `serialize`, `persist` (booleans) and `replicate` (`none`, `cluster`, `manager`) go to the
    state port. The same shape again keeps the counts, another shape starts empty.
    Source: lua.ref.msys.audit_series.define.
    """
    series, kind = check_string("define", 1, name), check_string("define", 2, type)
    if kind not in KINDS:
        raise bad_argument("define", 2, f"one of {', '.join(KINDS)} expected, got '{kind}'")
    seconds = float(check_number("define", 3, interval))
    windows = check_integer("define", 4, num_windows)
    if seconds <= 0 or windows < 1:
        raise bad_argument("define", 3 if seconds <= 0 else 4, "a positive number expected")
    chosen = Options("define", 5, options)
    settings = {
        "serialize": chosen.flag("serialize"),
        "persist": chosen.flag("persist"),
        "replicate": chosen.text("replicate", "none"),
    }
    current().ports.state.series_define(series, kind, seconds, windows, settings)
    _kinds()[series] = kind


@documented("msys.audit_series.add", assumed="an undefined series raises; returns nothing")
def add(name: str, options: Any = ABSENT) -> None:
    """Count in the window that is now.

    options: a table with `count` (default 1, any sign) and `key`; anything else is the key. The key is an
    address, an accept construct or (string series) text; without one the peer counts.
    Source: lua.ref.msys.audit_series.add.
    """
    series = check_string("add", 1, name)
    amount: float = 1
    key = options
    if isinstance(options, Table):
        amount = Options("add", 2, options).number("count", 1)
        key = options["key"]
    text = _key("add", 2, series, key)
    ask(lambda state: state.series_add(series, text, amount), DEFINE)


@documented("msys.audit_series.count", assumed="an undefined series raises")
def count(name: str, options: Any = ABSENT) -> float:
    """The sum of windows `startv` to `endv` (default 0, now; inclusive).

    options: a table with `startv`, `endv`, `key`; anything else is the key: `ip/mask` and `/mask` (the
    peer's block) sum over all addresses inside. Source: lua.ref.msys.audit_series.count.
    """
    series = check_string("count", 1, name)
    start = end = 0
    key = options
    if isinstance(options, Table):
        chosen = Options("count", 2, options)
        start, end = chosen.integer("startv", 0), chosen.integer("endv", 0)
        key = options["key"]
    text = _key("count", 2, series, key)
    return ask(lambda state: state.series_count(series, text, start, end), DEFINE)


@documented("msys.audit_series.remove_item", assumed="a missing item is no error")
def remove_item(name: str, key: Any = ABSENT) -> None:
    """Forget all windows of one key (default: the peer). Source: lua.ref.msys.audit_series.remove_item."""
    series = check_string("remove_item", 1, name)
    text = _key("remove_item", 2, series, key)
    ask(lambda state: state.series_remove(series, text), DEFINE)
