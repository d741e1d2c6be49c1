"""`custom_logger` stanzas of a configuration: their formats read, their files opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moonpost.app.starting import CannotStart
from moonpost.config.model import Config
from moonpost.config.node import Node
from moonpost.observe.custom import BadFormat, CustomLog, compile_format, sanitizer
from moonpost.observe.logs import LogFile

# stage -> the options of its format, file and mode, and the one that switches it off
OPTIONS = {
    "reception": ("reception_format", "reception_logfile", "reception_log_mode", "log_receptions"),
    "delivery": ("delivery_format", "delivery_logfile", "delivery_log_mode", "log_deliveries"),
    "transient_failure": (
        "transient_failure_format",
        "transient_failure_logfile",
        "transient_failure_log_mode",
        "log_transient_failures",
    ),
    "permanent_failure": (
        "permanent_failure_format",
        "permanent_failure_logfile",
        "permanent_failure_log_mode",
        "log_permanent_failures",
    ),
    "rejection": ("rejection_format", "rejection_logfile", "rejection_log_mode", "log_rejections"),
}
SHARED = "mainlog.cl"
MODE = 0o644

OpenFile = Callable[[str | None, int], LogFile | None]


def custom_nodes(config: Config) -> list[Node]:
    """The stanzas that are not switched off."""
    return [node for node in config.root.named("custom_logger") if node.get("enabled") is not False]


def custom_log(
    node: Node, mainlog: str | None, file: OpenFile, classify: Callable[[str, str], int]
) -> CustomLog:
    """One stanza. CannotStart when a format can't be filled in, or there is no file to write to."""
    opened: dict[str, LogFile] = {}
    lines = {}
    shared = node.get("mainlog") or (str(Path(mainlog).parent / SHARED) if mainlog else None)
    try:
        clean = sanitizer(node.get("sanitize") or "")
        for stage, (format_option, file_option, mode_option, switch) in OPTIONS.items():
            text = node.get(format_option)
            if not text or node.get(switch) is False:
                continue
            path = node.get(file_option) or shared
            if not path:
                raise BadFormat(f"{format_option} needs {file_option}, or mainlog, to write to")
            if path not in opened:
                mode = node.get(mode_option) or node.get("mainlog_mode") or MODE
                found = file(path, mode)
                assert found is not None
                opened[path] = found
            lines[stage] = (compile_format(text, clean), opened[path])
    except BadFormat as bad:
        raise CannotStart(f"{node.place.brief}: custom_logger: {bad}") from None
    return CustomLog(lines, classify)
