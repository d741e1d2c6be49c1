"""Log files, and the journal that writes what happens to mail into them.

Lines are gathered and written together, at most a moment later; a file that an operator moved away is opened anew on
`reopen` (SIGHUP). A log that can't be written must not stop mail: the lines are dropped, counted, and the panic log or
the process's own log says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moonpost.observe import formats
from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.queue.journal import Attempt
from moonpost.spool.record import Record

log = logging.getLogger("moonpost.observe")

FLUSH_AFTER_S = 0.05  # chosen: what `tail -f` does not notice
FLUSH_AT_BYTES = 64 << 10
HEARTBEAT_S = 60.0
UNDETERMINED = 1  # bounce class


class LogFile:
    """One file that lines are appended to. Only for the event loop."""

    def __init__(self, path: Path, mode: int = 0o644) -> None:
        self.path = path
        self.dropped = 0
        self._mode = mode
        self._lines: list[str] = []
        self._size = 0
        self._flush_soon: asyncio.TimerHandle | None = None
        self._descriptor = self._open()

    def write(self, line: str) -> None:
        """Append a line, now or in a moment."""
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size >= FLUSH_AT_BYTES:
            self.flush()
        elif self._flush_soon is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                self._flush_soon = loop.call_later(FLUSH_AFTER_S, self.flush)

    def flush(self) -> None:
        """Write what was gathered."""
        if self._flush_soon is not None:
            self._flush_soon.cancel()
            self._flush_soon = None
        if not self._lines:
            return
        lines, self._lines, self._size = self._lines, [], 0
        data = memoryview(("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            self.dropped += len(lines)
            log.error("log %s can't be written: %s; %d lines lost", self.path, error, len(lines))

    def reopen(self) -> None:
        """Go on in the file that has the name now."""
        self.flush()
        try:
            descriptor = self._open()
        except OSError as error:
            log.error("log %s can't be opened anew: %s; the old file is kept", self.path, error)
            return
        os.close(self._descriptor)
        self._descriptor = descriptor

    def close(self) -> None:
        self.flush()
        os.close(self._descriptor)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path, flags, self._mode)


class MailLogs:
    """Implements `moonpost.queue.journal.Journal` with a main log and a bounce log.

    classify: the bounce class of an answer. hires: microseconds in field 0.
    """

    def __init__(
        self,
        mainlog: LogFile | None,
        bouncelog: LogFile | None = None,
        *,
        classify: Callable[[str, str], int] = lambda _text, _domain: UNDETERMINED,
        log_transient_failures: bool = True,
        kinds: str = "RDTP",
        inband: bool = True,
        out_of_band: bool = True,
        hires: bool = False,
    ) -> None:
        """kinds: which lines the main log has. inband, out_of_band: which failures the bounce log has."""
        self._main, self._bounces = mainlog, bouncelog
        self._kinds, self._inband, self._out_of_band = frozenset(kinds), inband, out_of_band
        self._classify = classify
        self._log_transient = log_transient_failures
        self._hires = hires

    def received(
        self, record: Record, at: float, generation: int = 0, decided_by: str = ""
    ) -> None:
        if self._main is not None and "R" in self._kinds:
            self._main.write(formats.reception(record, at, self._hires))

    def delivered(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        if self._main is not None and "D" in self._kinds:
            self._main.write(formats.delivery(record, attempt, self._hires))

    def deferred(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._failure("T", record, attempt, outcome)
        if self._log_transient:
            self._bounce("T", record, attempt, outcome)

    def failed(self, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        self._failure("P", record, attempt, outcome)
        if self._inband:
            self._bounce("B", record, attempt, outcome)

    def bounced_later(self, record: Record, code: int, description: str, at: float) -> None:
        """A bounce came in as mail. record: the message that it is about, as far as that is known."""
        if self._bounces is not None and self._out_of_band:
            text = f"550 [internal] [oob] {description}"
            outcome = Outcome(Fate.FAILED, 550, text, Stage.OUT_OF_BAND)
            attempt = Attempt(at, record.conn_id, record.peer)
            self._bounces.write(formats.bounce("B", record, attempt, outcome, code, self._hires))

    def heartbeat(self, at: float) -> None:
        """A line that shows a quiet log to be alive; every HEARTBEAT_S."""
        for file in (self._main, self._bounces):
            if file is not None:
                file.write(formats.heartbeat(at, self._hires))

    def _failure(self, kind: str, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        if self._main is not None and kind in self._kinds:
            self._main.write(formats.failure(kind, record, attempt, outcome, self._hires))

    def _bounce(self, kind: str, record: Record, attempt: Attempt, outcome: Outcome) -> None:
        if self._bounces is not None:
            code = self._classify(outcome.text, record.domain)
            line = formats.bounce(kind, record, attempt, outcome, code, self._hires)
            self._bounces.write(line)


class TroubleLogs:
    """The panic log and the reject log: `panic` and `reject` of the Log port write here."""

    def __init__(
        self,
        paniclog: LogFile | None,
        rejectlog: LogFile | None,
        now: Callable[[], float],
        also: Sequence[Callable[[Any, int, str, float], None]] = (),
        on_told: Mapping[str, Callable[[Mapping[str, Any], float], None]] | None = None,
    ) -> None:
        """also: who else is told of what was refused. on_told: who logs an event of that name."""
        self._panic, self._reject, self._now, self._also = paniclog, rejectlog, now, also
        self._on_told = on_told or {}

    def panic(self, module: str, text: str, level: str = "error") -> None:
        """One line of the panic log. level: for the process's own log."""
        if self._panic is not None:
            self._panic.write(formats.panic(self._now(), module, text))
        else:
            log.log(
                logging.getLevelNamesMapping().get(level.upper(), logging.ERROR),
                "%s: %s",
                module,
                text,
            )

    def told(self, event: str, facts: Mapping[str, Any]) -> float:
        """Mail told us about other mail; when that was."""
        at = self._now()
        write = self._on_told.get(event)
        if write is not None:
            write(facts, at)
        return at

    def reject(self, session: Any, code: int, text: str) -> None:
        """One line of the reject log. session: what receiving calls a Refusal."""
        for tell in self._also:
            tell(session, code, text, self._now())
        if self._reject is None:
            return
        self._reject.write(
            formats.rejection(
                self._now(),
                remote=session.remote,
                local=session.local,
                conn_id=session.conn_id,
                pathway=session.pathway,
                pathway_group=session.pathway_group,
                phase=session.phase,
                code=code,
                module=session.module,
                conn=session.conn,
                mess=session.mess,
                error=text,
            )
        )

    def heartbeat(self, at: float) -> None:
        if self._reject is not None:
            self._reject.write(formats.marker(at))
