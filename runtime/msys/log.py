"""`msys.log`: a line in the panic log at a level."""

from __future__ import annotations

from typing import Any

from msys.arguments import check_integer, check_string
from msys.running import panic

# syslog's numbers (msys.core.LOG_*) to the words of our log
LEVELS = ("error", "error", "error", "error", "warning", "info", "info", "debug")


def log(level: Any, text: Any) -> None:
    """Write `text` to the panic log.

    level: msys.core.LOG_WARNING and the like; a number outside them counts as the nearest.
    """
    number = check_integer("log", 1, level)
    panic(check_string("log", 2, text), LEVELS[max(0, min(number, len(LEVELS) - 1))])
