"""What all packages that judge content have in common: which message, which contexts, which engine.

Knows the engines only through the Scanners port, and no vendor's words: each package has its own table for those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msys.accept import Accept
from msys.arguments import check_class
from msys.lua import ABSENT
from msys.lua.errors import RuntimeFault
from msys.message import Message
from msys.ports import Envelope, PortError, Scanners, SpamReport, VirusReport, current, wait
from msys.running import BEFORE_DATA, forbid
from msys.vctx import ValidationContext

NO_CONTENT = "there is no content to scan yet"
ERROR = "error"  # the verdict of a scan that did not happen

# The words that one engine's or another's test names have for a kind of finding
KINDS: Mapping[str, re.Pattern[str]] = {
    "virus": re.compile(r"VIRUS|MALWARE|CLAM_?AV|EICAR"),
    "phishing": re.compile(r"PHISH"),
    "attachment": re.compile(r"MIME_BAD|BAD_EXT|BAD_ATTACHMENT|EXE_|MIMEOLE_|OLEMACRO|DOUBLE_EXT"),
    "bulk": re.compile(r"BULK|HAS_LIST_UNSUB|MAILLIST|MAILING_LIST|PRECEDENCE|DCC_|PYZOR|RAZOR"),
    "url": re.compile(r"URIBL|URI_|SURBL|_URL|URL_|DBL_|REDIRECTOR"),
}


def scanners() -> Scanners | None:
    """The engines, if there are any."""
    return current().ports.scanners


def settings(module: str) -> Mapping[str, Any] | None:
    """The options of a module that stands for an engine; None when it is not configured."""
    found = scanners()
    return None if found is None else found.settings(module)


def the_message(function: str, position: int, given: Any) -> Message:
    """The message an argument means: itself, or the running callout's when it is nil or absent."""
    if given is None or given is ABSENT:
        found = current().message
        if found is None:
            raise RuntimeFault(f"'{function}': no message is given and none is being received")
        forbid(function, BEFORE_DATA, NO_CONTENT)
        return found
    message = check_class(function, position, given, Message, "message")
    if message is current().message:
        forbid(function, BEFORE_DATA, NO_CONTENT)
    return message


def the_context(function: str, position: int, given: Any) -> ValidationContext | None:
    """The validation context an argument means; the running callout's when it is nil or absent."""
    if given is None or given is ABSENT:
        found = current().vctx
        return found if isinstance(found, ValidationContext) else None
    return check_class(function, position, given, ValidationContext, "validation context")


def the_connection(function: str, position: int, given: Any) -> Accept | None:
    """The accept construct an argument means; the running callout's when it is nil or absent."""
    if given is None or given is ABSENT:
        found = current().accept
        return found if isinstance(found, Accept) else None
    return check_class(function, position, given, Accept, "accept construct")


def remember(
    message: Message | None, vctx: ValidationContext | None, values: Mapping[str, str]
) -> None:
    """Set message context variables, as both the message and its validation context show them."""
    if message is not None:
        message.mess.update(values)
    if vctx is not None and current().message is message:
        vctx.mess.update(values)


def complain(module: str, text: str) -> None:
    """One line of the panic log."""
    current().ports.log.panic(module, text)


def virus(engine: str, content: bytes) -> VirusReport:
    """What `engine` finds; the verdict `error`, logged, when it cannot be asked. Waits."""
    found = scanners()
    try:
        if found is None:
            raise PortError("NO_ENGINE", f"no virus engine '{engine}' is configured")
        return wait(found.virus(engine, content))
    except PortError as error:
        complain(engine, f"{error}; not scanned")
        return VirusReport(ERROR, str(error))


def envelope(message: Message, accept: Accept | None, vctx: ValidationContext | None) -> Envelope:
    """What an anti-spam engine is told beside the content."""
    ours = current().message is message
    recipients = tuple(vctx.recipients) if ours and vctx is not None else ()
    conn = message.conn
    address = message.peer[0] or (accept.remote_addr.ip if ours and accept is not None else "")
    return Envelope(
        sender=message.sender,
        recipients=recipients or ((message.recipient,) if message.recipient else ()),
        ip=address,
        helo=conn.get("ehlo_domain", ""),
        user=conn.get("auth_user", ""),
        id=str(message.id),
    )


def spam(
    module: str, message: Message, accept: Accept | None, vctx: ValidationContext | None
) -> SpamReport:
    """What the engine behind `module` thinks of a message. PortError when it cannot be asked. Waits."""
    found = scanners()
    options = None if found is None else found.settings(module)
    if found is None or options is None:
        raise PortError(
            "NO_ENGINE",
            f'no engine is configured: add a stanza `scanner "{module}" {{ engine daemon }}`',
        )
    content = message.content
    largest = int(options.get("max_size") or 0)
    if largest > 0:
        content = content[:largest]
    return wait(found.spam(module, content, envelope(message, accept, vctx)))


def level(report: SpamReport) -> int:
    """The score on a scale to 100: 0 and less is 0, `mark_at` is 80, `reject_at` is 100, straight between."""
    if report.score <= 0:
        return 0
    if report.score >= report.reject_at:
        return 100
    if report.score < report.mark_at:
        return int(80 * report.score / report.mark_at)
    return int(80 + 20 * (report.score - report.mark_at) / (report.reject_at - report.mark_at))


def kinds(report: SpamReport) -> frozenset[str]:
    """Which kinds of finding (`KINDS`) its tests speak of."""
    return frozenset(
        kind
        for kind, words in KINDS.items()
        if any(words.search(symbol) for symbol in report.symbols)
    )
