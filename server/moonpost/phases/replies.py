"""Every wording a peer can see, and how a reply becomes bytes.

Text shown to strangers is short and bland. A reply built from outside text can't carry a line of its own: every line
gets the code, control characters are replaced (an unescaped CR would let policy data forge a reply).
"""

from __future__ import annotations

import re

MAX_TEXT = 500  # octets of text per line: RFC 5321 section 4.5.3.1.5 allows 512 with code and CRLF

_LINES = re.compile(r"\r\n|\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|\r(?!\n)")

POLICY_FAILED = "temporary issue, please retry your message later"  # after the host name


def reply(code: int, text: str) -> bytes:
    """`code text` on as many lines as the text has. Text is one character per byte."""
    if text.isprintable() and len(text) <= MAX_TEXT:
        return _encode(f"{code} {text}\r\n")
    lines = []
    for line in _LINES.split(text.rstrip("\r\n")):
        clean = _CONTROL.sub("?", line)
        lines += [clean[at : at + MAX_TEXT] for at in range(0, len(clean), MAX_TEXT)] or [""]
    *first, last = lines
    return _encode("".join(f"{code}-{line}\r\n" for line in first) + f"{code} {last}\r\n")


def several(code: int, lines: list[str]) -> bytes:
    """A reply of the given lines, for EHLO."""
    return reply(code, "\n".join(lines))


def _encode(text: str) -> bytes:
    return text.encode("latin-1", "replace")


OK_MAIL = reply(250, "2.1.0 sender ok")
OK_RCPT = reply(250, "2.1.5 recipient ok")
OK_RSET = reply(250, "2.0.0 reset")
OK_NOOP = reply(250, "2.0.0 ok")
START_DATA = reply(354, "send the message, end with <CR><LF>.<CR><LF>")
START_TLS = reply(220, "2.0.0 ready to start TLS")

UNKNOWN_COMMAND = reply(500, "5.5.1 command not recognized")
LINE_TOO_LONG = reply(500, "5.5.2 line too long")
BARE_NEWLINE = reply(500, "5.5.2 lines must end with CR LF and nothing else")
EHLO_SYNTAX = reply(501, "5.5.4 syntax: EHLO hostname")
NEED_EHLO = reply(501, "5.5.1 say EHLO or HELO first")  # 501 is the documented code of require_ehlo
NO_ARGUMENT = reply(501, "5.5.4 this command takes no argument")
MAIL_SYNTAX = reply(501, "5.5.4 syntax: MAIL FROM:<address>")
RCPT_SYNTAX = reply(501, "5.5.4 syntax: RCPT TO:<address>")
BAD_SENDER = reply(553, "5.1.7 sender address is malformed")
BAD_RECIPIENT = reply(553, "5.1.3 recipient address is malformed")
NULL_SENDER_REFUSED = reply(550, "5.1.7 null sender is not accepted here")
LITERAL_REFUSED = reply(550, "5.1.3 address literals are not accepted here")
BAD_PARAMETER = reply(555, "5.5.4 parameter not recognized")
BAD_PARAMETER_VALUE = reply(501, "5.5.4 parameter value is malformed")
TOO_LARGE = reply(552, "5.3.4 message is larger than this host accepts")
NESTED_MAIL = reply(503, "5.5.1 a sender was given already")
NEED_MAIL = reply(503, "5.5.1 MAIL first")
NEED_RCPT = reply(503, "5.5.1 RCPT first")
BDAT_UNDERWAY = reply(503, "5.5.1 BDAT has begun, DATA can't follow")
BDAT_SYNTAX = reply(501, "5.5.4 syntax: BDAT size [LAST]")
REFUSED_SESSION = reply(503, "5.5.1 this session was refused, QUIT is all that is left")
ARGUMENT_NEEDED = reply(501, "5.5.4 this command needs an argument")
NEEDS_UTF8 = reply(553, "5.6.7 this address needs SMTPUTF8")
NOT_FOR_THIS_PEER = reply(550, "5.7.0 this command is not for this peer")
BAD_ATTRIBUTE = reply(501, "5.5.4 attribute not understood")
AUTH_GOOD = reply(235, "2.7.0 authentication successful")
AUTH_BAD = reply(535, "5.7.8 authentication failed")
AUTH_UNAVAILABLE = reply(454, "4.7.0 authentication is not possible at present")
AUTH_DONE = reply(503, "5.5.1 logged in already")
AUTH_NEEDS_TLS = reply(538, "5.7.11 encryption is required for authentication")
AUTH_REQUIRED = reply(530, "5.7.0 authentication required")
RELAYING_DENIED = reply(550, "5.7.1 relaying denied")
TOO_MANY_RECIPIENTS = reply(452, "4.5.3 too many recipients")
BARE_CONTENT = reply(550, "5.6.11 message contains a bare CR or LF")
CONTENT_LINE_TOO_LONG = reply(550, "5.6.0 message contains a line that is too long")
TLS_UNAVAILABLE = reply(454, "4.7.0 TLS is not available")
TLS_ACTIVE = reply(503, "5.5.1 TLS is active already")
TLS_INJECTION = reply(501, "5.5.1 nothing may follow STARTTLS before the handshake")
CANNOT_VERIFY = reply(252, "2.1.5 send mail to find out")
HELP = reply(214, "2.0.0 see RFC 5321")
CONCURRENCY = reply(421, "4.4.5 Service unavailable, concurrency limit reached.")
THROTTLED = reply(451, "4.3.2 too many messages at present, try again later")
NO_BINDING = "4.3.0 no binding for this message"
DEFERRED = "4.3.0 temporary issue, please retry your message later"

# What stands after a code that policy set without a text of its own.
BARE_CODE = {4: "4.7.1 try again later", 5: "5.7.1 refused by policy"}


def closing(hostname: str, why: str) -> bytes:
    """421: the session ends here and now."""
    return reply(421, f"4.4.2 {hostname} {why}")


def policy_failed(hostname: str) -> bytes:
    return reply(421, f"{hostname} {POLICY_FAILED}")


def goodbye(hostname: str) -> bytes:
    return reply(221, f"2.0.0 {hostname} closing connection")


def accepted(message_id: str) -> bytes:
    return reply(250, f"2.0.0 OK {message_id}")
