"""What systemd is told: ready, reloading, stopping, alive. Without systemd nothing is said.

One datagram for each word, to the socket that NOTIFY_SOCKET names; see sd_notify(3).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger("moonpost.systemd")

OURS = (  # not for processes that we start
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"
)  # fmt: skip


class Manager:
    """The service manager, or nobody."""

    def __init__(self, environment: Mapping[str, str], process: int) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = _watchdog_s(environment, process)

    def ready(self, status: str) -> None:
        """Started, or done with a reload. status: one line for `systemctl status`."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1", "STATUS=finishing replies and letters under way")

    async def keep_alive(self) -> None:
        """Show that the event loop turns, twice in every interval, for as long as this runs."""
        while self.watchdog_s:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)

    def _tell(self, *words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.connect(self._address)
                channel.send("\n".join(words).encode())
        except OSError as error:
            log.warning("systemd was not told %s: %s: %s", words[0], self._address, error)


def forget(environment: dict[str, str] | os._Environ[str]) -> None:
    """Take out what is meant for this process alone."""
    for name in OURS:
        environment.pop(name, None)


def _watchdog_s(environment: Mapping[str, str], process: int) -> float:
    """How often systemd wants to hear from us; 0: not at all."""
    if environment.get("WATCHDOG_PID", str(process)) != str(process):
        return 0.0
    return int(environment.get("WATCHDOG_USEC", "0")) / 1e6
