"""What kept the server from starting, as one sentence: what happened, to what, and what to do.

Knows which errors are the world's and which are ours; starts nothing itself.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from moonpost.config.model import Config
from moonpost.control.server import CannotListen
from moonpost.policy.cache import CacheRefused
from moonpost.policy.loader import LoadFailed
from moonpost.spool.interface import SpoolError
from msys.ports import PortError

REMEDIES = {  # why a socket cannot listen -> what to do
    errno.EADDRINUSE: "stop the process that listens there, or choose another address",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE or a socket from systemd; see packaging/moonpost.service",
    errno.ENOENT: "make the folder of the socket first",
}
MOST_PATH = 107  # octets of a socket's path: unix(7), without the final NUL


class CannotStart(Exception):
    """Something outside of us is not as the configuration says. The text is for an operator."""


def reason(error: BaseException) -> str | None:
    """What to tell the operator; None: an error of our own, whose traceback somebody has to see."""
    if isinstance(error, LoadFailed):
        return "\n".join(error.problems)
    if isinstance(error, CannotStart):
        return str(error)
    if isinstance(error, OSError):
        return f"the server cannot start: {_plain(error)}"
    if isinstance(error, CannotListen | SpoolError | CacheRefused | PortError):
        return f"the server cannot start: {error}"
    return None


@contextmanager
def listening_at(config: Config, name: str) -> Iterator[None]:
    """Opening a socket for the Listen of this name; what goes wrong is told with its place in the configuration."""
    try:
        yield
    except OSError as error:
        raise CannotStart(f'{_place(config, name)}: Listen "{name}": {_why(name, error)}') from None


@contextmanager
def writing(what: str, path: object) -> Iterator[None]:
    """Opening a file or a folder; what goes wrong is told with its purpose."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        hint = f"; we are {_user()}" if error.errno in (errno.EACCES, errno.EPERM) else ""
        raise CannotStart(f"{what} {path} cannot be written: {why}{hint}") from None


def _place(config: Config, name: str) -> str:
    for _, node in config.root.walk():
        if node.row.name.lower() == "listen" and node.instance == name:
            return node.place.brief
    return config.path


def _why(name: str, error: OSError) -> str:
    # asyncio puts its own sentence around the system's, and Python refuses long paths without a number.
    if error.errno is None or "path too long" in str(error):
        octets = len(os.fsencode(name))
        return f"{error}; a socket's path has at most {MOST_PATH} octets, this one has {octets}"
    remedy = REMEDIES.get(error.errno)
    said = os.strerror(error.errno)
    return f"{said}; {remedy}" if remedy else said


def _plain(error: OSError) -> str:
    """`[Errno 13] Permission denied: 'x'` in words."""
    if error.errno is None or error.filename is None:
        return str(error)
    hint = f"; we are {_user()}" if error.errno in (errno.EACCES, errno.EPERM) else ""
    return f"{os.fsdecode(error.filename)}: {os.strerror(error.errno)}{hint}"


def _user() -> str:
    return f"user id {os.geteuid()}, group id {os.getegid()}"
