"""Listening sockets, bound before anything accepts on them: our own, and those that systemd hands over.

Several acceptors share an address by sockets of their own with SO_REUSEPORT, so that the kernel spreads connections
over them; a socket from outside is one, and all acceptors wait at it.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from moonpost.app.starting import CannotStart, listening_at
from moonpost.config.model import Config
from moonpost.control.server import CannotListen, open_socket
from moonpost.inbound.settings import ListenSettings

BACKLOG = 128  # until the listener sets its own
FIRST_HANDED = 3  # SD_LISTEN_FDS_START: sd_listen_fds(3)


@dataclass(slots=True)
class Handed:
    """A socket that was open before we were. name: what the socket unit calls it."""

    name: str
    socket: socket.socket

    @property
    def where(self) -> str:
        """`address:port` or the path, for people."""
        found = self.socket.getsockname()
        return found if isinstance(found, str) else f"{found[0]}:{found[1]}"


@dataclass(slots=True)
class Sockets:
    """Gives each Listen its socket. handed: what is left of the sockets from outside."""

    handed: list[Handed] = field(default_factory=list)

    def open(
        self, config: Config, settings: ListenSettings, copies: int = 1
    ) -> list[socket.socket]:
        """One socket for each of `copies` acceptors, bound to one address. CannotStart when it cannot be."""
        for each in self.handed:
            if _fits(each, settings):
                self.handed.remove(each)
                return [each.socket] + [each.socket.dup() for _ in range(copies - 1)]
        with listening_at(config, settings.name):
            return _bound(settings, copies)

    def refuse_rest(self, config: Config) -> None:
        """CannotStart when a socket was handed over that no Listen wants: mail sent there would wait for ever."""
        if self.handed:
            rest = ", ".join(f"{each.name} ({each.where})" for each in self.handed)
            raise CannotStart(
                f"{config.path}: systemd handed over sockets that no Listen asks for: {rest}; add a Listen "
                "with that address, name the socket after the port of one (FileDescriptorName=25), or take it out "
                "of the socket unit"
            )


def inherited(environment: Mapping[str, str], process: int) -> list[Handed]:
    """The sockets that LISTEN_FDS announces to this process; see sd_listen_fds(3). CannotStart when one is none."""
    if environment.get("LISTEN_PID") != str(process):
        return []
    count = int(environment.get("LISTEN_FDS", "0"))
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    descriptors = range(FIRST_HANDED, FIRST_HANDED + count)
    for descriptor in descriptors:
        if not _is_socket(descriptor):
            raise CannotStart(
                f"LISTEN_FDS={count} announces open sockets, and descriptor {descriptor} is no socket"
            )
    found = []
    for at, descriptor in enumerate(descriptors):
        os.set_inheritable(descriptor, False)
        name = names[at] if at < len(names) else ""
        found.append(Handed(name or "unknown", socket.socket(fileno=descriptor)))
    return found


def without_path(settings: ListenSettings) -> ListenSettings:
    """Settings for a socket whose path belongs to somebody else, who takes it away at the end."""
    return replace(settings, unix_path="")


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _fits(handed: Handed, settings: ListenSettings) -> bool:
    """By its name when that is a port or a path of ours, by its address otherwise."""
    if settings.unix_path:
        return settings.unix_path in (handed.name, handed.where)
    return (
        handed.name == str(settings.port) or handed.where == f"{settings.address}:{settings.port}"
    )


def _bound(settings: ListenSettings, copies: int) -> list[socket.socket]:
    if settings.unix_path:
        first = _unix(settings)
        return [first] + [first.dup() for _ in range(copies - 1)]
    found: list[socket.socket] = []
    port = settings.port
    try:
        for _ in range(copies):
            found.append(_tcp(settings.address, port, shared=copies > 1))
            port = found[0].getsockname()[1]
    except OSError:
        for each in found:
            each.close()
        raise
    return found


def _unix(settings: ListenSettings) -> socket.socket:
    try:
        return open_socket(settings.unix_path, settings.file_mode)
    except CannotListen as error:
        raise CannotStart(str(error)) from None


def _tcp(address: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setblocking(False)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((address, port))
        # Bound is not taken: without listening, a second server would notice only when it listens too.
        found.listen(BACKLOG)
    except OSError:
        found.close()
        raise
    return found
