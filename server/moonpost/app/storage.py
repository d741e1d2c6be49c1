"""Spool and log files of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moonpost.app.custom_logs import custom_log, custom_nodes
from moonpost.app.feedback_logs import told_by_mail
from moonpost.app.starting import writing
from moonpost.config.model import Config
from moonpost.observe.logs import HEARTBEAT_S, LogFile, MailLogs, TroubleLogs
from moonpost.queue.journal import Everybody, Journal

KINDS = {  # lines of the main log -> the option of ec_logger that may switch them off
    "R": "log_receptions",
    "D": "log_deliveries",
    "T": "log_transient_failures",
    "P": "log_permanent_failures",
}


@dataclass(slots=True)
class Logs:
    """Every log file of the server."""

    mail: Journal  # all that are told of mail
    main: MailLogs
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
        self.main.heartbeat(at)
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
    reject = panic = None
    if ec.get("log_rejections", True):
        reject = file(ec.get("rejectlog"), ec.get("rejectlog_mode", 0o644))
    if ec.get("log_errors", True):
        panic = file(ec.get("paniclog"), ec.get("paniclog_mode", 0o644))
    bounces = file(bounce.get("bouncelog"), bounce.get("bouncelog_mode", 0o644))
    events = file(config.option("event_log"), 0o644)
    mail = MailLogs(
        main,
        bounces,
        classify=classify,
        log_transient_failures=bool(bounce.get("log_transient_failures", True)),
        kinds="".join(kind for kind, option in KINDS.items() if ec.get(option, True)),
        inband=bool(bounce.get("log_inband_bounces", True)),
        out_of_band=bool(bounce.get("log_outofband_bounces", True)),
        hires=bool(config.option("log_hires_timestamp")),
    )
    custom = [custom_log(node, ec.get("mainlog"), file, classify) for node in custom_nodes(config)]
    return Logs(
        mail=Everybody(mail, *custom),
        main=mail,
        troubles=TroubleLogs(
            panic, reject, now, [log.rejected for log in custom], told_by_mail(config, mail, file)
        ),
        events=events,
        files=files,
        heartbeat_s=float(ec.get("heartbeat") or HEARTBEAT_S),
    )
