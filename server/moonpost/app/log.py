"""The Log port of the server: panic log, reject log, and one JSON line for each event.

The event stream is what programs read: it names the message, the code, and the line of policy that decided.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from moonpost.observe.logs import LogFile, TroubleLogs

LATEST = 10  # lines the console's paniclog shows


class EventStream:
    """JSON lines in one file; nothing is written without a file."""

    def __init__(self, file: LogFile | None) -> None:
        self._file = file

    def write(self, event: str, at: float, **facts: Any) -> None:
        """One event. Facts that are empty are left out."""
        if self._file is None:
            return
        known = {name: value for name, value in facts.items() if value not in (None, "")}
        self._file.write(json.dumps({"event": event, "at": round(at, 3), **known}))


class ServerLog:
    """`msys.ports.Log` over the log files."""

    def __init__(self, troubles: TroubleLogs, events: EventStream, now: Any) -> None:
        self._troubles = troubles
        self._events = events
        self._now = now
        self.latest: dict[str, deque[str]] = {}  # level -> its last lines, for the console

    def panic(self, module: str, text: str, level: str = "error") -> None:
        """Every line of a longer text gets its own time stamp, so that none looks like another's."""
        for line in text.splitlines() or [""]:
            self._troubles.panic(module, line, level)
            self.latest.setdefault(level, deque(maxlen=LATEST)).append(f"{module}: {line}")

    def reject(self, session: Any, code: int, text: str) -> None:
        self._troubles.reject(session, code, text)
        self._events.write(
            "reject",
            self._now(),
            code=code,
            text=text,
            phase=session.phase,
            module=session.module,
            remote=session.remote,
            conn_id=session.conn_id,
            message_id=session.message_id,
            decided_by=session.decided_by,
        )
