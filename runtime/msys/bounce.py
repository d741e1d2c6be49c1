"""`msys.bounce`: what a reply or a bounce message means, as a class.

User rules come before the built-in ones, rules for the receiving domain before those for all. Override
files and datasources are read through the ports and kept for the module's `refresh`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msys.addresses import split_address
from msys.arguments import check_class, optional_string
from msys.bounce_codes import (
    AUTO_REPLY,
    MDN_RULES,
    SMTP_RULES,
    TRANSIENT,
    UNDETERMINED,
    Rule,
    by_status,
    description,
    match,
    override,
)
from msys.catalog.binding import documented
from msys.lua import ABSENT
from msys.lua.bytestr import to_str
from msys.message import Message
from msys.ports import PortError, current, wait
from msys.rfc3464 import extract_delivery_status

__all__ = ["classify", "classify_smtp_response"]

BODY_MAX = 8192  # bytes of the decoded body that the rules see
REFRESH_S = 300.0
MODULE = "bounce_classifier_override"

Result = tuple[int, str, str]


def _stanza() -> Mapping[str, Any]:
    return current().ports.configuration.module(MODULE) or {}


def _result(code: int) -> Result:
    custom: dict[int, str] = {}
    for entry in _stanza().get("custom_classes") or ():
        number, _, text = str(entry).partition("=")
        if number.strip().isdigit():
            custom[int(number)] = text.strip().strip('"')
    return code, *description(code, custom)


def _overrides(kind: str, with_domain: bool) -> list[Rule]:
    """The rules of the user's and the system's override source, user's first."""
    found: list[Rule] = []
    for owner in "user", "system":
        source = _stanza().get(f"{owner}_{kind}_classification_override")
        if source:
            found += _loaded(str(source), with_domain)
    if with_domain:
        found.sort(key=lambda rule: not rule.domain)  # stable: per-domain rules first
    return found


def _loaded(source: str, with_domain: bool) -> list[Rule]:
    ports = current().ports
    kept: dict[str, tuple[float, list[Rule]]] = ports.services.setdefault("msys.bounce", {})
    now = ports.clock.monotonic()
    until, rules = kept.get(source, (0.0, []))
    if until > now:
        return rules
    try:
        lines = _lines(source)
        read = [override(line, with_domain) for line in lines]
        rules = [rule for rule in read if rule is not None]
    except PortError as error:
        ports.log.panic(MODULE, f"{error}; the rules it has stay", "warning")
    kept[source] = (now + float(_stanza().get("refresh", REFRESH_S)), rules)
    return rules


def _lines(source: str) -> list[str]:
    """The lines of a file, or the rows of `:datasource:name:SELECT …` written as lines."""
    ports = current().ports
    if not source.startswith(":datasource:"):
        return to_str(wait(ports.files.read(source))).splitlines()
    _, _, name, query = source.split(":", 3)
    rows = wait(ports.database.query(name, query, {}, nocache=True))
    return [",".join("" if value is None else str(value) for value in row.values()) for row in rows]


@documented(
    "msys.bounce.classify_smtp_response",
    assumed="the rules are ours, without regard to case, first match wins; nil and no match are 1",
)
def classify_smtp_response(response_text: str | None, domain: Any = ABSENT) -> Result:
    """The class of an SMTP reply: number, name and text.

    domain: the receiving domain, for rules made for it; may be left out. nil is BC_UNDETERMINED.
    Source: lua.ref.msys.bounce.classify_smtp_response.
    """
    text = optional_string("classify_smtp_response", 1, response_text, "")
    receiver = optional_string("classify_smtp_response", 2, domain, "").strip().lower()
    if not text:
        return _result(UNDETERMINED)
    return _result(match([*_overrides("smtp", True), *SMTP_RULES], text, receiver))


@documented(
    "msys.bounce.classify", assumed="ordinary mail is 1 and no recipient; the rules are ours"
)
def classify(msg: Message) -> tuple[int, str, str, str]:
    """The class of a bounce message: number, name, text, and the original recipient (empty if unknown).

    A delivery report (RFC 3464) is read first; without one the rules run over the first 8192 bytes of
    the decoded text. Source: lua.ref.msys.bounce.classify.
    """
    message = check_class("classify", 1, msg, Message, "message")
    report = extract_delivery_status(message)
    if report is not None:
        code = _of_report(report)
        address = report["Original-Recipient"] or report["Final-Recipient"] or ""
        return *_result(code), _allowed(address.partition(";")[2].strip() or address)
    return *_result(_of_text(message)), ""


def _of_report(report: Any) -> int:
    action = (report["Action"] or "").strip().lower()
    if action == "delayed":
        return TRANSIENT
    if action and action != "failed":
        return UNDETERMINED
    diagnostic = report["Diagnostic-Code"] or ""
    text = diagnostic.partition(";")[2].strip() or diagnostic
    code = match([*_overrides("smtp", True), *SMTP_RULES], text) if text else UNDETERMINED
    return code if code != UNDETERMINED else by_status(report["Status"] or "")


def _of_text(message: Message) -> int:
    automatic = message.header("Auto-Submitted")[1] or ""
    rules = [*_overrides("mdn", False), *MDN_RULES]
    text = message.text()
    found = match(rules, f"{message.header('Subject')[1] or ''}\n{str(text or '')[:BODY_MAX]}")
    if found == UNDETERMINED and automatic.strip().lower().startswith("auto-replied"):
        return AUTO_REPLY
    return found


def _allowed(address: str) -> str:
    """The address, unless it or its domain is in bounce_suppress_list."""
    listed = current().ports.configuration.option("bounce_suppress_list") or ()
    words = listed.split() if isinstance(listed, str) else listed
    unwanted = {str(word).lower() for word in words}
    hidden = {address.lower(), split_address(address)[1].lower()} & unwanted
    return "" if hidden else address
