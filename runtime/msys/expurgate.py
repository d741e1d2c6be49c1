"""`msys.expurgate`: the verdict of open engines in the words of Eleven's eXpurgate.

What cannot be had: the minor results porn, advertisement, code, iframe, outbreak, url-count, mail-count, sender and
the user-defined ones. The documents disagree whether texts or numbers come first: each result is both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msys.catalog.binding import documented
from msys.lua import ABSENT
from msys.message import Message
from msys.message.transfer import decoded
from msys.ports import PortError, SpamReport
from msys.scanning import (
    complain,
    kinds,
    remember,
    scanners,
    settings,
    spam,
    the_connection,
    the_context,
    the_message,
    virus,
)

__all__ = [
    "SUBTYPE_BULK_ADV",
    "SUBTYPE_BULK_PORN",
    "SUBTYPE_CLEAN_ALMOST_EMPTY",
    "SUBTYPE_CLEAN_BOUNCE",
    "SUBTYPE_CLEAN_EMPTY",
    "SUBTYPE_CLEAN_EMPTY_BODY",
    "SUBTYPE_DANGEROUS_ATTACHMENT",
    "SUBTYPE_DANGEROUS_CODE",
    "SUBTYPE_DANGEROUS_IFRAME",
    "SUBTYPE_DANGEROUS_OUTBREAK",
    "SUBTYPE_DANGEROUS_VIRUS",
    "SUBTYPE_NORMAL",
    "SUBTYPE_SUSPECT_MAIL_COUNT",
    "SUBTYPE_SUSPECT_SENDER",
    "SUBTYPE_SUSPECT_URL",
    "SUBTYPE_SUSPECT_URL_COUNT",
    "SUBTYPE_SUSPECT_USER1",
    "SUBTYPE_SUSPECT_USER2",
    "SUBTYPE_SUSPECT_USER3",
    "SUBTYPE_SUSPECT_USER4",
    "SUBTYPE_SUSPECT_USER5",
    "SUBTYPE_SUSPECT_USER6",
    "SUBTYPE_SUSPECT_USER7",
    "SUBTYPE_SUSPECT_USER8",
    "SUBTYPE_SUSPECT_USER9",
    "TYPE_BULK",
    "TYPE_CLEAN",
    "TYPE_DANGEROUS",
    "TYPE_SPAM",
    "TYPE_SUSPECT",
    "TYPE_UNKNOWN",
    "scan",
]

MODULE = "eleven"

TYPE_UNKNOWN: Final = 0
TYPE_CLEAN: Final = 1
TYPE_SUSPECT: Final = 2
TYPE_SPAM: Final = 3
TYPE_BULK: Final = 4
TYPE_DANGEROUS: Final = 5

SUBTYPE_NORMAL: Final = 0
SUBTYPE_CLEAN_EMPTY: Final = 1
SUBTYPE_CLEAN_EMPTY_BODY: Final = 2
SUBTYPE_CLEAN_ALMOST_EMPTY: Final = 3
SUBTYPE_CLEAN_BOUNCE: Final = 4
SUBTYPE_BULK_ADV: Final = 5
SUBTYPE_BULK_PORN: Final = 6
SUBTYPE_DANGEROUS_VIRUS: Final = 7
SUBTYPE_DANGEROUS_ATTACHMENT: Final = 8
SUBTYPE_DANGEROUS_CODE: Final = 9
SUBTYPE_DANGEROUS_IFRAME: Final = 10
SUBTYPE_DANGEROUS_OUTBREAK: Final = 11
SUBTYPE_SUSPECT_URL: Final = 12
SUBTYPE_SUSPECT_URL_COUNT: Final = 13
SUBTYPE_SUSPECT_MAIL_COUNT: Final = 14
SUBTYPE_SUSPECT_SENDER: Final = 15
SUBTYPE_SUSPECT_USER1: Final = 16
SUBTYPE_SUSPECT_USER2: Final = 17
SUBTYPE_SUSPECT_USER3: Final = 18
SUBTYPE_SUSPECT_USER4: Final = 19
SUBTYPE_SUSPECT_USER5: Final = 20
SUBTYPE_SUSPECT_USER6: Final = 21
SUBTYPE_SUSPECT_USER7: Final = 22
SUBTYPE_SUSPECT_USER8: Final = 23
SUBTYPE_SUSPECT_USER9: Final = 24

ALMOST_EMPTY = 10  # bytes of text, blanks not counted; chosen: a greeting is longer


class Score(str):
    """A result that equals its text and its number; it prints as its text.

    The run time of the language asks for a value's class before anything else: this one must say `str`.
    """

    number: int

    @property  # type: ignore[misc]
    def __class__(self) -> type[str]:  # type: ignore[override]
        return str

    @classmethod
    def of(cls, text: str, number: int) -> Score:
        made = cls(text)
        made.number = number
        return made

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int | float) and not isinstance(other, bool):
            return self.number == other
        return str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


MAJOR: Mapping[str, Score] = {
    name: Score.of(name, number)
    for name, number in (
        ("unknown", TYPE_UNKNOWN),
        ("clean", TYPE_CLEAN),
        ("suspect", TYPE_SUSPECT),
        ("spam", TYPE_SPAM),
        ("bulk", TYPE_BULK),
        ("dangerous", TYPE_DANGEROUS),
    )
}
MINOR: Mapping[str, Score] = {
    name: Score.of(name, number)
    for name, number in (
        ("normal", SUBTYPE_NORMAL),
        ("empty", SUBTYPE_CLEAN_EMPTY),
        ("empty-body", SUBTYPE_CLEAN_EMPTY_BODY),
        ("almost-empty", SUBTYPE_CLEAN_ALMOST_EMPTY),
        ("bounce", SUBTYPE_CLEAN_BOUNCE),
        ("virus", SUBTYPE_DANGEROUS_VIRUS),
        ("url", SUBTYPE_SUSPECT_URL),
    )
}
BY_ACTION: Mapping[str, str] = {"reject": "spam", "mark": "suspect"}

Result = tuple[Score, Score, Score, Score]


@documented(
    "msys.expurgate.scan",
    assumed="each result equals both its text and its constant, because the documents disagree on the order; "
    "a failure is TYPE_UNKNOWN and SUBTYPE_NORMAL",
)
def scan(msg: Any = ABSENT, accept: Any = ABSENT, vctx: Any = ABSENT) -> Result:
    """Ask the engine of the stanza `scanner "eleven"`. Waits.

    All arguments are the running callout's when nil or absent. Results: major, minor, major, minor; each
    equals its text (`spam`) and its constant (`TYPE_SPAM`). With `enable_antivir` the first virus engine is
    asked as well. The message context gets `eleven-majorscore`, `eleven-minorscore` (numbers as text),
    `eleven-result`, `eleven-result-subtype` (texts); after a failure `error` and what went wrong.
    Source: lua.ref.msys.expurgate.scan.
    """
    message = the_message("scan", 1, msg)
    connection = the_connection("scan", 2, accept)
    context = the_context("scan", 3, vctx)
    try:
        names = _infected(message) or _judged(spam(MODULE, message, connection, context), message)
    except PortError as error:
        complain(MODULE, f"{error}; no verdict")
        wrong = str(error)
        remember(message, context, _contexts("error", "error", wrong, wrong))
        major, minor = MAJOR["unknown"], MINOR["normal"]
    else:
        major, minor = MAJOR[names[0]], MINOR[names[1]]
        texts = (str(major.number), str.__str__(major), str(minor.number), str.__str__(minor))
        remember(message, context, _contexts(*texts))
    return major, minor, major, minor


def _contexts(major: str, result: str, minor: str, subtype: str) -> dict[str, str]:
    return {
        "eleven-majorscore": major,
        "eleven-result": result,
        "eleven-minorscore": minor,
        "eleven-result-subtype": subtype,
    }


def _infected(message: Message) -> tuple[str, str] | None:
    """Dangerous, when virus scans are on and the first engine finds one."""
    engines, options = scanners(), settings(MODULE)
    if engines is None or not options or not options.get("enable_antivir"):
        return None
    names = list(engines.virus_engines())
    if names and virus(names[0], message.content).verdict == "infected":
        return "dangerous", "virus"
    return None


def _judged(report: SpamReport, message: Message) -> tuple[str, str]:
    """Major and minor result of an anti-spam engine's report."""
    found = kinds(report)
    major = BY_ACTION.get(report.action, "bulk" if "bulk" in found else "clean")
    if major == "suspect" and "url" in found:
        return major, "url"
    return major, _shape(message) if major == "clean" else "normal"


def _shape(message: Message) -> str:
    """Whether a clean message is a bounce, or says nothing."""
    top = message.mime()
    if top is None:
        return "empty"
    leaves = [part for part in top.walk() if not part.is_container]
    types = [part.kind.mimetype for part in leaves]
    if not message.sender and "message/delivery-status" in types:
        return "bounce"
    if any(part.kind.is_attachment or not part.kind.is_text for part in leaves):
        return "normal"
    text = b"".join(decoded(part.body, part.kind.encoding) for part in leaves)
    letters = len(b"".join(text.split()))
    if not letters:
        return "empty-body" if (top.field(b"subject") or b"").strip() else "empty"
    return "almost-empty" if letters < ALMOST_EMPTY else "normal"
