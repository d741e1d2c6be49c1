"""`msys.brightmail`: the verdict of an open engine in Brightmail's words.

What cannot be had: destinations that Symantec's customers define, its rule numbers, trackers it accepts. Rules are
our numbers for the engine's tests; the tracker names the engine that judged.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from msys.catalog.binding import documented
from msys.lua import ABSENT
from msys.message import Message
from msys.ports import PortError, SpamReport
from msys.scanning import (
    complain,
    remember,
    settings,
    spam,
    the_connection,
    the_context,
    the_message,
)

__all__ = ["scan"]

MODULE = "brightmail"
INBOX = "inbox"
DESTINATIONS: Mapping[str, str] = {"pass": INBOX, "later": INBOX, "mark": "spam", "reject": "spam"}
FIRST_RULE, RULES = 1_000_000, 1_000_000  # ours begin where no documented number is

Result = tuple[str | None, bool | None, str | None, str | None]
_verdicts: WeakKeyDictionary[Message, Result] = WeakKeyDictionary()


@documented(
    "msys.brightmail.scan",
    assumed="nil four times when the engine fails; `spam` for what it marks or rejects, else `inbox`; the rules "
    "are numbers of ours",
)
def scan(msg: Any = ABSENT, accept: Any = ABSENT, vctx: Any = ABSENT) -> Result:
    """Ask the engine of the stanza `scanner "brightmail"`. Waits.

    All arguments are the running callout's when nil or absent. Results: the verdict (`inbox`, `spam`, or
    what the stanza's `destinations` say); whether that is the default destination; the numbers of the rules
    that fired, between spaces; a text for a tracker header. nil four times when the engine does not answer or
    none is configured: the message context `brightmail::error` then has the reason, and the panic log a
    line. A second call on the same message gives the first verdict. Source: lua.ref.msys.brightmail.scan.
    """
    message = the_message("scan", 1, msg)
    connection = the_connection("scan", 2, accept)
    context = the_context("scan", 3, vctx)
    known = _verdicts.get(message)
    if known is not None:
        return known
    try:
        report = spam(MODULE, message, connection, context)
    except PortError as error:
        complain(MODULE, f"{error}; no verdict")
        prefix = str((settings(MODULE) or {}).get("sieve_prefix") or MODULE)
        remember(message, context, {f"{prefix}::error": str(error)})
        return None, None, None, None
    verdict = _destinations().get(report.action, INBOX)
    tracker = f"{report.engine} {report.score:.2f} {report.tag or message.id}"
    found: Result = (verdict, verdict == INBOX, rules(report), tracker)
    _verdicts[message] = found
    return found


def rules(report: SpamReport) -> str:
    """A stable number for each test that fired."""
    numbers = {FIRST_RULE + zlib.crc32(name.encode()) % RULES for name in report.symbols}
    return " ".join(str(number) for number in sorted(numbers))


def _destinations() -> Mapping[str, str]:
    """The table, with what the stanza says: `destinations = ( "mark=quarantine" )`."""
    given = (settings(MODULE) or {}).get("destinations") or ()
    own = (str(entry).partition("=") for entry in given)
    return {**DESTINATIONS, **{action.strip(): name.strip() for action, _, name in own}}
