"""Spool and log files of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moonpost.app.starting import writing
from moonpost.config.model import Config
from moonpost.observe.logs import HEARTBEAT_S, LogFile, MailLogs, TroubleLogs


@dataclass(slots=True)
class Logs:
    """Every log file of the server."""

    mail: MailLogs
    troubles: TroubleLogs
    events: LogFile | None
    files: list[LogFile]
    heartbeat_s: float

    def reopen(self) -> None:
        for file in self.files:
            file.reopen()

    def flush(self) -> None:
        for file in self.files:
            file.flush()

    def close(self) -> None:
        for file in self.files:
            file.close()

    def heartbeat(self, at: float) -> None:
        self.mail.heartbeat(at)
        self.troubles.heartbeat(at)


def open_logs(
    config: Config, now: Callable[[], float], classify: Callable[[str, str], int]
) -> Logs:
    """Open the files that the logger stanzas name; a module that is not configured writes none."""
    files: list[LogFile] = []

    def file(path: str | None, mode: int) -> LogFile | None:
        if not path:
            return None
        with writing("log file", path):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            files.append(LogFile(Path(path), mode))
        return files[-1]

    ec = config.module("ec_logger") or {}
    bounce = config.module("bounce_logger") or {}
    main = file(ec.get("mainlog"), ec.get("mainlog_mode", 0o644))
    reject = file(ec.get("rejectlog"), ec.get("rejectlog_mode", 0o644))
    panic = file(ec.get("paniclog"), ec.get("paniclog_mode", 0o644))
    bounces = file(bounce.get("bouncelog"), bounce.get("bouncelog_mode", 0o644))
    events = file(config.option("event_log"), 0o644)
    return Logs(
        mail=MailLogs(
            main,
            bounces,
            classify=classify,
            log_transient_failures=bool(bounce.get("log_transient_failures", True)),
            hires=bool(config.option("log_hires_timestamp")),
        ),
        troubles=TroubleLogs(panic, reject, now),
        events=events,
        files=files,
        heartbeat_s=float(ec.get("heartbeat") or HEARTBEAT_S),
    )
