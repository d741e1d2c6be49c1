"""The PROXY header with which a trusted proxy names the two ends of a connection, versions 1 and 2.

aiosmtpd parses it; this says what follows from it. Source: the PROXY protocol of haproxy.org, and Momentum's page
Proxy_Protocol: a header that names nobody is good, and leaves the ends as they are.
"""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from aiosmtpd.proxy_protocol import V2_CMD, get_proxy

from moonpost.inbound.waiting import WaitingReader

Address = tuple[str, int]
Ends = tuple[Address, Address]  # remote, local


async def named_ends(reader: WaitingReader, ends: Ends, timeout_s: float) -> Ends | None:
    """The ends by the header, or `ends` when it names none; None when it is no good or does not come in time.

    timeout_s: 0 waits for ever.
    """
    try:
        async with asyncio.timeout(timeout_s or None):
            told = await get_proxy(reader)
    except (TimeoutError, asyncio.LimitOverrunError):
        return None
    if not told:
        return None
    source, destination = told.src_addr, told.dst_addr
    if told.command == V2_CMD.LOCAL or not isinstance(source, IPv4Address | IPv6Address):
        return ends  # the proxy asks how we are, or speaks of a family that policy knows nothing of
    return (str(source), int(told.src_port or 0)), (str(destination), int(told.dst_port or 0))


def ends_of(transport: Any) -> Ends:
    """What the socket says; a Unix socket has neither address nor port."""
    return _address(transport.get_extra_info("peername")), _address(
        transport.get_extra_info("sockname")
    )


def _address(name: Any) -> Address:
    if isinstance(name, tuple) and len(name) >= 2:
        ip = str(name[0])
        return (ip[7:] if ip.startswith("::ffff:") else ip), int(name[1])
    return "", 0
