"""The connected peer's address, as the default of calls that count or look up addresses."""

from __future__ import annotations

from typing import Any

from msys.lua import tostring
from msys.lua.errors import RuntimeFault
from msys.ports import current

__all__ = ["address_of", "block_of_peer", "peer_address"]


def address_of(text: str) -> str:
    """The address of `ip:port` or `ipv6.port`, as `tostring(ac.remote_addr)` writes it."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    if text.count(":") == 1:
        return text.partition(":")[0]
    head, dot, port = text.rpartition(".")
    if dot and ":" in head and port.isdigit():
        return head
    return text


def peer_address(function: str) -> str:
    """The peer of the running session; raises in the name of `function` when there is none."""
    accept = current().accept
    peer: Any = None if accept is None else getattr(accept, "remote_addr", None)
    if peer is None:
        raise RuntimeFault(f"{function}: no session, so there is no peer address to use; pass one")
    return address_of(tostring(peer))


def block_of_peer(function: str, cidr: str) -> str:
    """`cidr` with the peer's address in front when it is only `/mask`."""
    if cidr == "/0":
        return "0.0.0.0/0" if ":" not in peer_address(function) else "::/0"
    return peer_address(function) + cidr if cidr.startswith("/") else cidr
