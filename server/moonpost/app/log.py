"""The Log port of the server: panic log, reject log, and the event log."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from moonpost.app.events import EventStream
from moonpost.observe.logs import TroubleLogs

LATEST = 10  # lines the console's paniclog shows


class ServerLog:
    """`msys.ports.Log` over the log files."""

    def __init__(self, troubles: TroubleLogs, events: EventStream) -> None:
        self._troubles = troubles
        self._events = events
        self.latest: dict[str, deque[str]] = {}  # level -> its last lines, for the console

    def panic(self, module: str, text: str, level: str = "error") -> None:
        """Every line of a longer text gets its own time stamp, so that none looks like another's."""
        for line in text.splitlines() or [""]:
            self._troubles.panic(module, line, level)
            self.latest.setdefault(level, deque(maxlen=LATEST)).append(f"{module}: {line}")

    def lines(self) -> dict[str, list[str]]:
        """The latest lines of each level."""
        return {level: list(lines) for level, lines in self.latest.items()}

    def reject(self, session: Any, code: int, text: str) -> None:
        self._troubles.reject(session, code, text)
        self._events.refused(session, code, text)

    def told(self, event: str, facts: Mapping[str, Any]) -> None:
        """Mail told us about other mail: a line of the log that is for it, and an event."""
        at = self._troubles.told(event, facts)
        self._events.write(event, at, **facts)
