"""Spam scans by rspamd: the whole message to `/checkv2`, what it thinks back as JSON."""

from __future__ import annotations

import json
from typing import Any

from msys.lua.bytestr import to_str
from msys.ports import Envelope, Http, PortError, SpamReport

PORT = 11333  # the normal worker
MARK_AT, REJECT_AT = 6.0, 15.0  # rspamd's own defaults, for a reply that does not tell

# What rspamd wants done -> our word. Anything else (an operator's own action) is judged by the score.
ACTIONS = {
    "no action": "pass",
    "greylist": "later",
    "soft reject": "later",
    "add header": "mark",
    "rewrite subject": "mark",
    "quarantine": "reject",
    "reject": "reject",
    "discard": "reject",
}


def report(body: bytes, mark_at: float = MARK_AT) -> SpamReport:
    """What the JSON of `/checkv2` means; PortError when it is none.

    mark_at: the score that means "probably", for versions that tell only the score that means "certainly".
    """
    try:
        found = json.loads(body)
        score = float(found.get("score", 0))
        thresholds = found.get("thresholds") or {}
        reject_at = float(thresholds.get("reject") or found.get("required_score") or REJECT_AT)
        mark_at = float(thresholds.get("add header") or min(mark_at, reject_at))
        symbols = tuple(found.get("symbols") or ())
        action = ACTIONS.get(str(found.get("action", "")).lower())
        tag = str(found.get("message-id") or "")
        tag = "" if tag == "undef" else tag
    except (ValueError, TypeError, AttributeError) as error:
        raise PortError("ENGINE", f"rspamd's reply cannot be read: {error}") from None
    if action is None:
        action = "reject" if score >= reject_at else "mark" if score >= mark_at else "pass"
    return SpamReport("rspamd", action, score, mark_at, reject_at, symbols, tag)


def request_headers(envelope: Envelope) -> list[tuple[str, str]]:
    """What rspamd is told beside the message; what is not known is left out."""
    known = [
        ("IP", envelope.ip),
        ("Helo", envelope.helo),
        ("User", envelope.user),
        ("Queue-Id", envelope.id),
        ("From", envelope.sender),
        *(("Rcpt", recipient) for recipient in envelope.recipients),
    ]
    always = [("Content-Type", "message/rfc822"), ("Pass", "all")]  # all tests, also past the limit
    return [*always, *(pair for pair in known if pair[1])]


class Rspamd:
    """One rspamd. daemon: `host:port`."""

    def __init__(
        self, daemon: str, http: Http, timeout_s: float = 10.0, mark_at: float = MARK_AT
    ) -> None:
        self.daemon = daemon if ":" in daemon else f"{daemon}:{PORT}"
        self._http: Any = http
        self._timeout_s = timeout_s
        self._mark_at = mark_at

    async def scan(self, content: bytes, envelope: Envelope) -> SpamReport:
        """Judge a message."""
        try:
            reply = await self._http.request(
                "POST",
                f"http://{self.daemon}/checkv2",
                request_headers(envelope),
                content,
                self._timeout_s,
            )
        except PortError as error:
            code = "TIMEOUT" if error.code == "OPERATION_TIMEDOUT" else "UNREACHABLE"
            raise PortError(code, f"rspamd at {self.daemon}: {error}") from None
        if reply.status != 200:
            said = to_str(reply.body[:200]).strip() or reply.reason
            raise PortError("ENGINE", f"rspamd at {self.daemon} says {reply.status}: {said}")
        return report(reply.body, self._mark_at)
