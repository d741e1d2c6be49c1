"""Which places are this server's own: mail that MX records lead back here would go round for ever."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

from moonpost.app.listeners import esmtp_listeners
from moonpost.config.model import Config


@lru_cache(maxsize=2)
def own_places(config: Config) -> tuple[str, ...]:
    """Where mail is received, as `host:port`."""
    return tuple(settings.name for settings in esmtp_listeners(config))


def listens(address: str, port: int, places: Iterable[str]) -> bool:
    """Whether one of the places, `host:port` as listeners name them, takes connections to this address."""
    for place in places:
        host, _, number = place.rpartition(":")
        if number != str(port):
            continue
        wanted = ip_address(address)
        try:
            found = ip_address(host.strip("[]"))
        except ValueError:  # the path of a socket
            continue
        if found == wanted or (found.is_unspecified and _is_local(address)):
            return True
    return False


def _is_local(address: str) -> bool:
    """Whether the address is one of this machine: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
