"""`msys.audit`: what the inbound audit counted for a block of addresses, through the sessions port.

A monitor is named as it is configured, `"<seconds>,<windows>"`; one that is not configured raises.
"""

from __future__ import annotations

from typing import Any

from msys.arguments import check_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table
from msys.lua.errors import RuntimeFault
from msys.options import Options
from msys.peer import block_of_peer, peer_address
from msys.ports import PortError, current, wait

__all__ = ["connections", "inbound_session_count", "receptions", "rejections"]


def _monitored(kind: str, monitor: Any, options: Any) -> float:
    """`options`: a table with `startv`, `endv` (windows, 0 is now), `cidr`; anything else is the cidr."""
    name = check_string(kind, 1, monitor)
    start = end = 0
    cidr: Any = options
    if isinstance(options, Table):
        chosen = Options(kind, 2, options)
        start, end = chosen.integer("startv", 0), chosen.integer("endv", 0)
        cidr = chosen.text("cidr")
    given = cidr is not None and cidr is not ABSENT
    block = block_of_peer(kind, check_string(kind, 2, cidr)) if given else peer_address(kind)
    try:
        return wait(current().ports.sessions.monitor(kind, name, block, start, end))
    except PortError as error:
        raise RuntimeFault(f"{error}; list it in 'monitors' of inbound_audit") from None


@documented("msys.audit.connections", assumed="windows beyond the configured ones count 0")
def connections(monitor: str, options: Any = ABSENT) -> float:
    """Accepted connections from the block, the present one included, in windows startv to endv.

    options: a table with `startv`, `endv` (default 0, the window now; inclusive), `cidr` (`ip/mask`;
    default: the peer) and `cluster` (shared state decides); anything else is the cidr. Outside a session
    the cidr is needed. Source: lua.ref.msys.audit.connections.
    """
    return _monitored("connections", monitor, options)


@documented("msys.audit.receptions", assumed="counts messages, not recipients")
def receptions(monitor: str, options: Any = ABSENT) -> float:
    """Messages accepted from the block; options as in `connections`.

    Source: lua.ref.msys.audit.receptions.
    """
    return _monitored("receptions", monitor, options)


@documented("msys.audit.rejections", assumed="counts 4xx and 5xx answers of validation")
def rejections(monitor: str, options: Any = ABSENT) -> float:
    """Refusals (4xx and 5xx) to the block; options as in `connections`.

    Source: lua.ref.msys.audit.rejections.
    """
    return _monitored("rejections", monitor, options)


@documented("msys.audit.inbound_session_count", assumed="an unknown service counts 0")
def inbound_session_count(cidr: str, servicename: str) -> int:
    """Sessions open now from the block to the service (`SMTP`, `ECStream`, `Control`, …).

    cidr: `ip`, `ip/mask`, or `/mask` for the peer's block; `/0` is everyone. An unknown service counts 0.
    Source: lua.ref.msys.audit.inbound_session_count.
    """
    function = "inbound_session_count"
    block = block_of_peer(function, check_string(function, 1, cidr))
    return current().ports.sessions.count(block, check_string(function, 2, servicename))
