"""Locks that policy waits for: named ones of the whole process, and mutexes that are values.

A lock belongs to the policy call that took it. One that is still held when its call ends is released then
and logged: nobody else could ever release it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from msys.lua.errors import RuntimeFault
from msys.ports import Call, current, wait

__all__ = ["Lock", "named"]


@dataclass(slots=True)
class Lock:
    """One lock; `name` is for the log."""

    name: str
    owner: Call | None = None
    depth: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def acquire(self) -> None:
        """Take it, waiting while another call holds it."""
        while self.owner is not None:
            try:
                turn = asyncio.get_running_loop().create_future()
            except RuntimeError:
                raise RuntimeFault(f"{self.name} is held and nothing else runs here") from None
            self.waiting.append(turn)
            try:
                wait(turn)
            except BaseException:
                self._withdraw(turn)
                raise
        self.owner, self.depth = current(), 1
        self.owner.at_end.append(self._expire(self.owner))

    def release(self) -> None:
        """Give it back and wake the next one."""
        self.owner, self.depth = None, 0
        self._wake()

    def _wake(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _withdraw(self, turn: asyncio.Future[None]) -> None:
        """A waiting call went away; if it had just been woken, the next one takes its turn."""
        if turn in self.waiting:
            self.waiting.remove(turn)
        elif self.owner is None:
            self._wake()

    def _expire(self, call: Call) -> Any:
        def end() -> None:
            if self.owner is call:
                call.ports.log.panic(
                    "scriptlet",
                    f"{self.name} was still locked when {call.callout or 'the script'} ended; "
                    "it is released",
                    "warning",
                )
                self.release()

        return end


def named(name: str) -> Lock:
    """The process-wide lock of this name, made at first use."""
    locks: dict[str, Lock] = current().ports.services.setdefault("msys.locks", {})
    found = locks.get(name)
    if found is None:
        found = locks[name] = Lock(f"the lock '{name}'")
    return found
