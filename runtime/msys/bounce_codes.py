"""Bounce classes: their numbers, names, texts, and the rules that find the class of a reply. Pure.

The numbers and texts are Momentum's; its rules are not public, so the rules are our own. The first match
wins, so special classes stand before general ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

UNDETERMINED = 1
TRANSIENT = 70
AUTO_REPLY = 60

# code -> name and description; only BC_UNDETERMINED, BC_SOFT_TIMEOUT and BC_SUBSCRIBE are documented names
CLASSES: dict[int, tuple[str, str]] = {
    1: ("BC_UNDETERMINED", "The response text could not be identified."),
    10: ("BC_INVALID_RECIPIENT", "The recipient is invalid."),
    20: ("BC_SOFT_BOUNCE", "The message soft bounced."),
    21: ("BC_SOFT_DNS", "The message bounced due to a DNS failure."),
    22: ("BC_SOFT_MAILBOX_FULL", "The message bounced due to the remote mailbox being over quota."),
    23: ("BC_SOFT_TOO_LARGE", "The message bounced because it was too large for the recipient."),
    24: ("BC_SOFT_TIMEOUT", "The message timed out."),
    25: ("BC_ADMIN_FAILURE", "The message was failed by Momentum's configured policies."),
    30: ("BC_GENERIC_NO_RCPT", "No recipient could be determined for the message."),
    40: ("BC_GENERIC", "The message failed for unspecified reasons."),
    50: ("BC_MAIL_BLOCK", "The message was blocked by the receiver."),
    51: (
        "BC_SPAM_BLOCK",
        "The message was blocked by the receiver as coming from a known spam source.",
    ),
    52: ("BC_SPAM_CONTENT", "The message was blocked by the receiver as spam."),
    53: (
        "BC_PROHIBITED_ATTACHMENT",
        "The message was blocked by the receiver because it contained an attachment.",
    ),
    54: (
        "BC_RELAY_DENIED",
        "The message was blocked by the receiver because relaying is not allowed.",
    ),
    60: ("BC_AUTO_REPLY", "The message is an auto-reply/vacation mail."),
    70: ("BC_TRANSIENT_FAILURE", "Message transmission has been temporarily delayed."),
    80: ("BC_SUBSCRIBE", "The message is a subscribe request."),
    90: ("BC_UNSUBSCRIBE", "The message is an unsubscribe request."),
    100: ("BC_CHALLENGE_RESPONSE", "The message is a challenge-response probe."),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A text that contains `pattern` is of class `code`; domain: only for that receiver, empty: for all."""

    code: int
    pattern: re.Pattern[str]
    domain: str = ""

    def holds(self, text: str, domain: str) -> bool:
        return self.domain in ("", domain) and self.pattern.search(text) is not None


def _rule(code: int, *alternatives: str) -> Rule:
    return Rule(code, re.compile("|".join(alternatives), re.IGNORECASE | re.ASCII))


# What receivers say, most special first
SMTP_RULES: tuple[Rule, ...] = (
    _rule(25, r"\[internal\]"),
    _rule(
        54,
        r"relay(?:ing)?(?: access)? (?:is )?(?:denied|prohibited|not (?:allowed|permitted))",
        r"(?:unable|not permitted|not allowed|cannot) to relay",
        r"we do not relay",
    ),
    _rule(
        52,
        r"(?:looks like|detected as|considered|classified as|identified as|contains?|probable|suspected) \(?spam",
        r"spam (?:message|content|detected)",
        r"(?:message|content)(?: was)? (?:rejected|blocked|refused)[^.]{0,40}(?:spam|content)",
        r"unsolicited (?:bulk )?(?:e-?)?mail",
        r"bulk mail",
        r"url[^.]{0,40}(?:black|block)list",
    ),
    _rule(
        51,
        r"(?:black|block|deny)[- ]?list",
        r"\b(?:dns|r|s)bl\b",
        r"\b(?:spamhaus|spamcop|sorbs|barracudacentral|uceprotect|senderscore)\b",
        r"(?:listed|blocked) (?:at|by|in|on|using) [\w.-]+\.(?:org|net|com)",
        r"(?:poor|bad|low)(?: sender| ip)? reputation",
        r"reputation",
    ),
    _rule(
        53,
        r"(?:attachment|executable|file type)[^.]{0,40}not (?:allowed|accepted|permitted)",
        r"(?:attachment|executable|file type)[^.]{0,40}(?:prohibited|blocked|rejected)",
        r"(?:prohibited|blocked|illegal|forbidden|banned) (?:attachment|file)",
        r"virus|malware",
    ),
    _rule(
        22,
        r"(?:mailbox|inbox|account|user|recipient)[^.]{0,40}(?:full|quota exceeded)",
        r"over(?: (?:its|the|their))? (?:disk )?quota",
        r"(?:over|exceeded?s?)(?: (?:its|the|their|storage))* quota",
        r"quota exceeded",
        r"out of (?:disk )?(?:space|storage)",
        r"\b[45]\.2\.2\b",
    ),
    _rule(
        23,
        r"message[^.]{0,30}(?:too (?:big|large|long)|size (?:exceeds|limit))",
        r"size exceeds",
        r"exceeds (?:the )?(?:maximum|fixed) (?:message )?size",
        r"\b5\.(?:3\.4|2\.3)\b",
    ),
    _rule(
        10,
        r"(?:user|recipient|address|mailbox|account|alias)[^.]{0,40}(?:unknown|invalid)",
        r"(?:user|recipient|address|mailbox|account)[^.]{0,40}not (?:found|known|exist|valid|active)",
        r"(?:user|recipient|address|mailbox|account)[^.]{0,60}does(?: not|n't) exist",
        r"(?:user|recipient|mailbox|account)[^.]{0,60}(?:disabled|inactive|suspended|unavailable)",
        r"(?:unknown|invalid|no such|bad) (?:user|recipient|address|mailbox|account|local part)",
        r"no (?:mailbox|account)[^.]{0,20}(?:here|by that name|with that name)",
        r"not (?:our|a local|a valid) (?:customer|user|recipient|mailbox)",
        r"recipient (?:address )?rejected",
        r"\b5\.1\.[0136]\b|\b5\.2\.1\b",
    ),
    _rule(
        21,
        r"(?:domain|host)[^.]{0,30}(?:not found|does(?: not|n't) exist|unknown|cannot be resolved)",
        r"(?:no|null) mx\b",
        r"no route to (?:host|domain)",
        r"\bnxdomain\b|\bdns (?:error|failure|lookup)",
        r"\b[45]\.(?:1\.2|4\.[34]|1\.10)\b",
    ),
    _rule(24, r"time(?:d)?[ -]?out", r"expired", r"\b[45]\.4\.7\b"),
    _rule(
        50,
        r"\bblocked\b",
        r"(?:access|permission) denied",
        r"(?:not|refuse[ds]?(?: to)?) accept(?:ed|ing)?",
        r"(?:administrative|policy|security)[^.]{0,30}(?:prohibit|reject|reason|violation)",
        r"(?:against|violates?) (?:our )?(?:site |mail |security )?polic",
        r"(?:spf|dkim|dmarc)[^.]{0,40}(?:fail|reject|not|unauthenticated)",
        r"\b5\.7\.\d+\b|\A554 ",
    ),
    _rule(
        70,
        r"gr[ae]y-?list",
        r"(?:try|retry)(?: again)?(?: later)?",
        r"temporar(?:y|ily)",
        r"too many (?:connections|messages|recipients)",
        r"rate limit|throttl",
        r"\A4\d\d\b|\b4\.\d+\.\d+\b",
    ),
)

# What reports without a machine-readable part say, in their text
MDN_RULES: tuple[Rule, ...] = (
    _rule(
        100,
        r"challenge[- ]response",
        r"(?:confirm|verify)[^.]{0,60}(?:you are (?:a )?(?:human|real)|by (?:clicking|replying))",
    ),
    _rule(
        60,
        r"out of (?:the )?office",
        r"auto(?:matic|mated)?[- ]?(?:reply|response|responder)",
        r"on (?:vacation|holiday|leave)",
        r"away from (?:my|the) (?:office|desk|e-?mail)",
    ),
    *SMTP_RULES,
)

# Enhanced status of a report without a diagnostic -> class; checked from the most exact key
BY_STATUS = {
    "5.1.2": 21,
    "5.1": 10,
    "5.2.1": 10,
    "5.2.2": 22,
    "5.2.3": 23,
    "5.3.4": 23,
    "5.4.7": 24,
    "5.4": 21,
    "5.7": 50,
    "5": 40,
    "4.2.2": 22,
    "4.4.7": 24,
    "4": 70,
}


def description(code: int, custom: dict[int, str] | None = None) -> tuple[str, str]:
    """Name and text of a class; `custom` has the text of classes made by the configuration."""
    known = CLASSES.get(code)
    if known is not None:
        return known
    return f"BC_CUSTOM_{code}", (custom or {}).get(code, CLASSES[UNDETERMINED][1])


def match(rules: Iterable[Rule], text: str, domain: str = "") -> int:
    """The class of the first rule that holds; UNDETERMINED when none does."""
    return next((rule.code for rule in rules if rule.holds(text, domain)), UNDETERMINED)


def by_status(status: str) -> int:
    """The class of an enhanced status code, by its longest known beginning."""
    parts = status.strip().split(".")
    for length in range(len(parts), 0, -1):
        code = BY_STATUS.get(".".join(parts[:length]))
        if code is not None:
            return code
    return UNDETERMINED


def override(line: str, with_domain: bool) -> Rule | None:
    """A line of an override file: `domain,code,rule` or `code,rule`; None for comments and what is none.

    A rule is a part of the text; `|` in it stands for anything.
    """
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    fields = line.rstrip("\r\n").split(",", 2 if with_domain else 1)
    if len(fields) != (3 if with_domain else 2) or not fields[-2].strip().isdigit():
        return None
    pattern = ".*".join(map(re.escape, fields[-1].strip().split("|")))
    domain = fields[0].strip().lower() if with_domain else ""
    return Rule(int(fields[-2]), re.compile(pattern, re.IGNORECASE | re.DOTALL), domain)
