"""`msys.cloudmark`: an open engine's score on Cloudmark's scale.

What cannot be had: the fingerprints and the calibration behind Cloudmark's scale, its category numbers, and reading
analysis headers that Cloudmark wrote. Categories and their numbers are ours; they stay as they are.
"""

from __future__ import annotations

import re
from typing import Any

from msys.arguments import check_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table
from msys.message import Message
from msys.ports import PortError, SpamReport
from msys.scanning import (
    complain,
    kinds,
    level,
    remember,
    settings,
    spam,
    the_connection,
    the_context,
    the_message,
)
from msys.vctx import ValidationContext

__all__ = ["analyze", "score"]

MODULE = "cloudmark"
SPAM_LEVEL = 80  # from here on a message without a more exact kind is called spam

# name -> number, in the order in which they are looked for
CATEGORIES = {"virus": 4, "phishing": 3, "spam": 2, "legitimate": 1}
SUBCATEGORIES = {"none": 0, "bulk": 1, "links": 2, "attachment": 3}
SUB_KINDS = {"attachment": "attachment", "url": "links", "bulk": "bulk"}  # kind of finding -> name

ANALYSIS = re.compile(
    r"v=moonpost1; e=(?P<engine>\w+); s=(?P<score>\d{1,3}); c=(?P<category>\w+); d=(?P<sub>\w+)"
    r"(?P<rescan>; r=1)?"
)
# contexts under the module page's spelling and the function page's
SECOND_SPELLING = {
    "isspam": "is_spam",
    "subcategory": "sub-category",
    "subcategory-desc": "sub-category-desc",
}


@documented(
    "msys.cloudmark.score",
    assumed="nil when the engine fails; contexts are set under both documented spellings; the scale is "
    "rspamd's `add header` for 80 and `reject` for 100",
)
def score(msg: Any = ABSENT, accept: Any = ABSENT, vctx: Any = ABSENT) -> Table | None:
    """Ask the engine of the stanza `scanner "cloudmark"`. Waits.

    All arguments are the running callout's when nil or absent. A table: `score` 0 to 100, `is_spam` (true when
    it is above the stanza's MinimumScore, else absent), `category`, `category-desc`, `sub-category`,
    `sub-category-desc`, `rescan` (`yes` or absent), `analysis`. The same goes to the message context under
    `cmae-...`. nil, and a line in the panic log, when there is no answer. Source: lua.ref.msys.cloudmark.score.
    """
    message = the_message("score", 1, msg)
    connection = the_connection("score", 2, accept)
    context = the_context("score", 3, vctx)
    try:
        report = spam(MODULE, message, connection, context)
    except PortError as error:
        complain(MODULE, f"{error}; no score")
        return None
    category, sub = _classified(report)
    analysis = f"v=moonpost1; e={report.engine}; s={level(report)}; c={category}; d={sub}"
    if report.action == "later":
        analysis += "; r=1"
    return _result(message, context, analysis, with_analysis=True)


@documented(
    "msys.cloudmark.analyze",
    assumed="reads what `score` of a moonpost wrote; nil for any other header",
)
def analyze(hdr: Any = ABSENT, msg: Any = ABSENT, vctx: Any = ABSENT) -> Table | None:
    """Read an analysis header: the `analysis` of `msys.cloudmark.score`, here or on another host.

    hdr: its value; nil raises. msg, vctx: the running callout's when nil or absent. The table of
    `score` without asking an engine; contexts likewise, but `cmae-analysis`. nil when it cannot be read.
    Source: lua.ref.msys.cloudmark.analyze.
    """
    header = check_string("analyze", 1, hdr).strip()
    message = the_message("analyze", 2, msg)
    context = the_context("analyze", 3, vctx)
    if ANALYSIS.fullmatch(header) is None:
        complain(MODULE, "the analysis header was not written by moonpost; no score")
        return None
    return _result(message, context, header, with_analysis=False)


def _classified(report: SpamReport) -> tuple[str, str]:
    """Category and sub-category of what the engine found."""
    found = kinds(report)
    fallback = "spam" if level(report) >= SPAM_LEVEL else "legitimate"
    category = next((name for name in CATEGORIES if name in found), fallback)
    sub = next((name for kind, name in SUB_KINDS.items() if kind in found), "none")
    return category, sub


def _result(
    message: Message, vctx: ValidationContext | None, analysis: str, *, with_analysis: bool
) -> Table:
    """The table that an analysis means; its values go to the message context as well."""
    read = ANALYSIS.fullmatch(analysis)
    assert read is not None
    number, least = int(read["score"]), (settings(MODULE) or {}).get("minimumscore")
    found = Table(
        {
            "score": number,
            "category": CATEGORIES.get(read["category"], 0),
            "category-desc": read["category"],
            "sub-category": SUBCATEGORIES.get(read["sub"], 0),
            "sub-category-desc": read["sub"],
            "analysis": analysis,
        }
    )
    contexts = {
        "score": str(number),
        "category": str(found["category"]),
        "category-desc": read["category"],
        "subcategory": str(found["sub-category"]),
        "subcategory-desc": read["sub"],
    }
    if least is not None and number > float(least):
        found["is_spam"] = True
        contexts["isspam"] = "true"
    if read["rescan"]:
        found["rescan"] = "yes"
        contexts["rescan"] = "1"
    if with_analysis:
        contexts["analysis"] = analysis
    contexts |= {SECOND_SPELLING[k]: v for k, v in contexts.items() if k in SECOND_SPELLING}
    remember(message, vctx, {f"cmae-{key}": value for key, value in contexts.items()})
    return found
