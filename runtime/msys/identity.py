"""Ids of messages, batches and connections, in the form Momentum logs show.

`20/00-25593-945A87F3`: a sequence in two pairs of hex digits, the process, and the second in hex. Knows nothing of
messages; time and process are arguments of the source that makes them.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from msys.lua import Userdata

FORM = re.compile(r"[0-9A-F]{2}/[0-9A-F]{2}-[0-9]{5}-[0-9A-F]{8}", re.ASCII)
SEQUENCE = 1 << 16  # ids of one process in one second; more of them borrow from the next second
SECONDS = 1 << 32


class Id(Userdata):
    """An id. Lua sees userdata that turns into its text by `tostring` and in `..`."""

    __slots__ = ("text",)
    lua_type = "msys.core:_ec_message_id"
    metamethods: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "__eq": lambda one, other: one == other,
    }

    def __init__(self, text: str) -> None:
        self.text = text

    def as_string(self) -> str:
        """Its text, where a function wants a string."""
        return self.text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Id({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Id) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


NO_ID = Id("00/00-00000-00000000")  # the connection of mail that came over none


class IdSource:
    """Makes ids that this process never makes twice."""

    def __init__(
        self, process: Callable[[], int] = os.getpid, now_s: Callable[[], float] = time.time
    ) -> None:
        self._process = process
        self._now_s = now_s
        self._second = 0
        self._sequence = 0

    def next(self) -> Id:
        """A new id."""
        second = int(self._now_s())
        if second > self._second:
            self._second, self._sequence = second, 0
        elif self._sequence == SEQUENCE:
            self._second, self._sequence = self._second + 1, 0
        high, low = divmod(self._sequence, 256)
        self._sequence += 1
        return Id(
            f"{low:02X}/{high:02X}-{self._process() % 100_000:05d}-{self._second % SECONDS:08X}"
        )


IDS = IdSource()
