"""`msys.commtouch`: an open engine's verdict as Commtouch's classes.

What cannot be had: knowledge of what is being sent in bulk all over the world, grades of outbreaks that no
signature knows yet, and reference ids the vendor could look up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msys.catalog.binding import documented
from msys.lua import ABSENT, Table
from msys.ports import PortError
from msys.scanning import (
    ERROR,
    complain,
    kinds,
    remember,
    scanners,
    spam,
    the_connection,
    the_context,
    the_message,
    virus,
)

__all__ = ["diagnose"]

MODULE = "commtouch_ctasd"
CLASSES: Mapping[str, str] = {"reject": "Spam", "mark": "Suspected"}
# verdict of the virus engine -> threat; what it does not say is told from the other engine's tests
THREATS: Mapping[str, str] = {"infected": "virus", ERROR: "unknown"}
THREAT_KINDS = {"virus": "virus", "phishing": "high", "attachment": "medium"}


@documented(
    "msys.commtouch.diagnose",
    assumed="the function page's spelling; nil when the engine fails; the first virus engine, if there is one, "
    "is asked as well",
)
def diagnose(msg: Any = ABSENT, accept: Any = ABSENT, vctx: Any = ABSENT) -> Table | None:
    """Ask the engine of the stanza `scanner "commtouch_ctasd"`. Waits.

    All arguments are the running callout's when nil or absent. A table: `class` (`Spam`, `Suspected`, `Bulk`,
    `Unknown`), `virus-threat` (`virus`, `high`, `medium`, `non-virus`; `unknown` when the virus engine
    fails), `ref-id` (the engine and its name of the scan). The same goes to the message context under
    `commtouch-...`. nil, and a line in the panic log, when there is no answer.
    Source: lua.ref.msys.commtouch.diagnose.
    """
    message = the_message("diagnose", 1, msg)
    connection = the_connection("diagnose", 2, accept)
    context = the_context("diagnose", 3, vctx)
    try:
        report = spam(MODULE, message, connection, context)
    except PortError as error:
        complain(MODULE, f"{error}; no diagnosis")
        return None
    found = kinds(report)
    threat = next((word for kind, word in THREAT_KINDS.items() if kind in found), "non-virus")
    engines = scanners()
    names = [] if engines is None else list(engines.virus_engines())
    if names:
        threat = THREATS.get(virus(names[0], message.content).verdict, threat)
    values = {
        "class": CLASSES.get(report.action, "Bulk" if "bulk" in found else "Unknown"),
        "virus-threat": threat,
        "ref-id": f"{report.engine}:{message.id}" + (f":{report.tag}" if report.tag else ""),
    }
    remember(message, context, {f"commtouch-{key}": value for key, value in values.items()})
    return Table(values)
