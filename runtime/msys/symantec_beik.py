"""`msys.symantec_beik`: the verdict of an open engine in the words of the Brightmail engine kit.

What cannot be had: the kit's own codes (ours is 1) and its destination `tracker`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msys.catalog.binding import documented
from msys.lua import ABSENT
from msys.ports import PortError, current
from msys.scanning import complain, spam, the_connection, the_context, the_message

__all__ = ["scan"]

MODULE = "beik"
FAILED, DONE = 0, 1
INBOX = "inbox"
DESTINATIONS: Mapping[str, str] = {"mark": "is-spam", "reject": "is-spam"}


@documented(
    "msys.symantec_beik.scan",
    assumed="the code of a scan that worked is 1; arguments that are nil are the running callout's",
)
def scan(msg: Any = ABSENT, vctx: Any = ABSENT) -> tuple[int, str | None, int | None, str | None]:
    """Ask the engine of the stanza `scanner "beik"`. Waits.

    Both arguments are the running callout's when nil or absent. Results: a code, 0 for a failure, which the
    second result then describes; the destination (`inbox`, `is-spam`); 1 when that is the default, else 0;
    a text for a tracker header. 0 is true in Lua: compare. Source: lua.ref.msys.symantec_beik.scan.
    """
    message = the_message("scan", 1, msg)
    context = the_context("scan", 2, vctx)
    connection = the_connection("scan", 3, current().accept)
    try:
        report = spam(MODULE, message, connection, context)
    except PortError as error:
        complain(MODULE, f"{error}; no verdict")
        return FAILED, str(error), None, None
    destination = DESTINATIONS.get(report.action, INBOX)
    tracker = f"{report.engine} {report.score:.2f} {report.tag or message.id}"
    return DONE, destination, int(destination == INBOX), tracker
