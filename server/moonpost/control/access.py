"""Who may give which command, and the record of who gave it.

Pure decisions; the journal at the end appends to a file and does nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

NOT_AUTHORIZED: Final = "Not Authorized for this command"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end, as the kernel says."""

    user: str
    groups: tuple[str, ...] = ()
    pid: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """User name and roles, in the order they are tried."""
        return (self.user, *self.groups)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The roles of the configuration: name to patterns of allowed commands."""

    enabled: bool = False
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def role_for(self, caller: Caller, command: str) -> str | None:
        """The role that allows a command; None when nothing does. Everyone may, unless enabled."""
        if not self.enabled:
            return caller.user
        for name in caller.names:
            if any(re.search(pattern, command) for pattern in self.roles.get(name, ())):
                return name
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """One command as the account log has it."""

    at: float
    listener: str
    caller: Caller
    allowed: bool
    succeeded: bool
    command: str
    role: str
    generation: tuple[int, int]  # configuration before and after
    policy: tuple[str, str]  # policy hash before and after

    def line(self) -> str:
        """`time@Z@listener@peer@user@1|0|-1@command@role` and what changed, fields escaped."""
        outcome = "1" if self.allowed and self.succeeded else "-1" if self.allowed else "0"
        fields = (
            str(int(self.at)),
            "Z",
            self.listener,
            f"pid {self.caller.pid}",
            self.caller.user,
            outcome,
            self.command,
            self.role,
            *(str(number) for number in self.generation),
            *self.policy,
        )
        return "@".join(map(_escaped, fields))


def _escaped(text: str) -> str:
    """`@`, `\\` and control characters behind a backslash, as the account log has them."""
    text = text.replace("\\", "\\\\").replace("@", "\\@")
    return "".join(
        f"\\x{ord(mark):02x}" if mark < " " or "\x7f" <= mark < "\xa0" else mark for mark in text
    )


class Journal:
    """Appends entries to a file that is never rewritten."""

    def __init__(self, path: str, mode: int = 0o600) -> None:
        self._path = path
        self._mode = mode

    def append(self, entry: Entry) -> None:
        """Write one line; opened anew each time, so that the file may be moved away."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self._path, flags, self._mode)
        try:
            os.write(handle, (entry.line() + "\n").encode("utf-8", "surrogateescape"))
        finally:
            os.close(handle)
