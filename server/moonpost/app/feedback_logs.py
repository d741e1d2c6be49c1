"""The logs of what mail tells about other mail: complaints in the feedback log, bounces in the bounce log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moonpost.config.model import Config
from moonpost.observe import formats
from moonpost.observe.logs import LogFile, MailLogs
from moonpost.spool.record import Record

MODE = 0o644
LOG = "fbllog.ec"

OpenFile = Callable[[str | None, int], LogFile | None]
Write = Callable[[Mapping[str, Any], float], None]


def told_by_mail(config: Config, mail: MailLogs, file: OpenFile) -> dict[str, Write]:
    """Event name -> who writes its line."""
    found: dict[str, Write] = {"bounce": lambda facts, at: _bounce(mail, facts, at)}
    log = _feedback_log(config, file)
    if log is not None:
        found["feedback"] = lambda facts, at: _feedback(log, facts, at)
    return found


def _feedback_log(config: Config, file: OpenFile) -> LogFile | None:
    stanza = config.module("fbl")
    if stanza is None or not stanza.get("auto_log"):
        return None
    named = next((node.get("log_path") for node in config.root.named("fbl")), None)
    main = (config.module("ec_logger") or {}).get("mainlog")
    return file(named or (str(Path(main).parent / LOG) if main else stanza["log_path"]), MODE)


def _feedback(log: LogFile, facts: Mapping[str, Any], at: float) -> None:
    if facts.get("recipient"):  # a report without our header is about nobody we know
        log.write(formats.feedback(facts, at))


def _bounce(mail: MailLogs, facts: Mapping[str, Any], at: float) -> None:
    recipient = str(facts.get("recipient", ""))
    record = Record(
        str(facts["message_id"]),
        str(facts["sender"]),
        recipient,
        recipient.rpartition("@")[2],
        at,
        at,
        binding=str(facts["binding"]),
        binding_group=str(facts["group"]),
        batch_id=str(facts["batch_id"]),
    )
    mail.bounced_later(record, int(facts["code"]), str(facts["text"]), at)
