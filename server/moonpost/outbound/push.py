"""Push notifications as HTTP requests, the way Momentum's gcm module builds them, and what the answers mean.

Pure. Google has switched the old gateway off; what takes these requests today is a server of one's own, or policy that
rewrites them for the present one (`http_request_eval`).
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message as Part
from typing import Any
from urllib.parse import urlsplit

from moonpost.outbound.answers import Fate, Outcome, Stage
from msys.constants import DELIVERY_PERMFAILED, DELIVERY_SUCCESS
from msys.gcm import gcm_classify_error, gcm_get_result_error_code

KIND = "vnd.msys.gcm"
NO_PART = (
    "550 5.6.0 [internal] the message has no part of the type message/vnd.msys.gcm with content"
)
LATER = frozenset((408, 425, 429, *range(500, 600)))  # answers that say: another time
SCHEMES = {"gcm": 443, "https": 443, "http": 80}

# Python's parser takes the content of any message/* for a message; this one is JSON.
_OPAQUE = re.compile(rb"(?im)^(content-type:[ \t]*)message/(vnd\.msys\.)")

# JSON field -> (header of the part, option, how a header's text reads)
FIELDS: Mapping[str, tuple[str, str]] = {
    "time_to_live": ("X-Time-To-Live", "gcm_ttl"),
    "delay_while_idle": ("X-Delay-While-Idle", "gcm_delay_while_idle"),
    "restricted_package_name": ("X-Application-ID", "gcm_application_id"),
    "collapse_key": ("X-Collapse-Key", ""),
    "dry_run": ("X-Dry-Run", "gcm_dry_run"),
}
OPTIONS = (
    "gcm_ttl", "gcm_delay_while_idle", "gcm_application_id", "gcm_dry_run",
    "gcm_authorization_token_id", "http_method", "http_uri", "http_host", "http_basic_auth",
)  # fmt: skip


class NoNotification(Exception):
    """The message holds nothing that could be pushed."""


@dataclass(slots=True)
class PushRequest:
    """An HTTP request, but for where it goes. Text is Latin-1, one character per byte."""

    method: str
    uri: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""


def notification(content: bytes, options: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The JSON of a message's push part. device: where it goes when the part does not say. Raises NoNotification."""
    part = _part(content)
    text = part.get_payload(decode=True) if part is not None else None
    if part is None or not isinstance(text, bytes) or not text.strip():
        raise NoNotification
    try:
        data = json.loads(text)
    except ValueError:
        data = {"message": text.decode("utf-8", "replace").strip()}
    found: dict[str, Any] = {"data": data}
    registration = str(part.get("X-Registration-ID", "")).strip() or device
    if registration:
        found["registration_ids"] = [registration]
    for name, (header, option) in FIELDS.items():
        value = part.get(header)
        chosen = _value(str(value).strip()) if value is not None else options.get(option)
        if chosen not in (None, "", -1, False):
            found[name] = chosen
    return found


def request(body: str, options: Mapping[str, Any]) -> PushRequest:
    """The request that carries a body."""
    headers = [("Host", str(options["http_host"]))] if options["http_host"] else []
    if options["gcm_authorization_token_id"]:
        headers.append(("Authorization", f"key={options['gcm_authorization_token_id']}"))
    elif options["http_basic_auth"]:
        token = b64encode(str(options["http_basic_auth"]).encode("latin-1")).decode()
        headers.append(("Authorization", f"Basic {token}"))
    headers.append(("Content-Type", "application/json"))
    headers.append(("Content-Length", str(len(body))))
    return PushRequest(
        str(options["http_method"]).upper(), str(options["http_uri"]) or "/", headers, body
    )


def servers(routes: Sequence[str], secure: bool) -> list[str]:
    """`https://host:port` of each route that can take pushes; without TLS in the options `http://`."""
    found = []
    for route in routes:
        parts = urlsplit(route)
        if parts.scheme in SCHEMES and parts.hostname:
            query = dict(pair.partition("=")[::2] for pair in parts.query.split("&"))
            port = int(query.get("port") or parts.port or SCHEMES[parts.scheme])
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            found.append(f"{'https' if secure else 'http'}://{host}:{port}")
    return found


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer came to: the outcome, and the context that policy reads."""

    outcome: Outcome
    status: str = ""  # DLV_Response_Status; empty: delivered
    detail: str = ""


def meaning(status: int, reason: str, body: bytes) -> Meaning:
    """The fate of a notification by the answer to its request."""
    text = f"HTTP {status} {reason}".strip()
    if status in LATER:
        return Meaning(_outcome(Fate.DEFERRED, text), str(status), reason)
    if not 200 <= status < 300:
        return Meaning(_outcome(Fate.FAILED, text), str(status), reason)
    error = result_of(body).get("error")
    if not error:
        return Meaning(_outcome(Fate.DELIVERED, text))
    code = gcm_get_result_error_code(str(error))
    kind = gcm_classify_error(code)
    fate = {DELIVERY_SUCCESS: Fate.DELIVERED, DELIVERY_PERMFAILED: Fate.FAILED}.get(
        kind, Fate.DEFERRED
    )
    return Meaning(_outcome(fate, f"{text}: {error}"), str(code), str(error))


def answered(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; empty when it is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def result_of(body: bytes) -> dict[str, Any]:
    """The first of `results` in an answer."""
    results = answered(body).get("results")
    first = results[0] if isinstance(results, list) and results else None
    return first if isinstance(first, dict) else {}


def unsent(text: str) -> Meaning:
    """No answer: the notification waits."""
    outcome = Outcome(Fate.DEFERRED, 451, f"451 4.4.1 [internal] {text}", Stage.NOT_CONNECTED)
    return Meaning(outcome, "0", text)


CODES = {Fate.DELIVERED: 250, Fate.DEFERRED: 451, Fate.FAILED: 550}


def _outcome(fate: Fate, text: str) -> Outcome:
    line = " ".join(text.split())[:500]
    return Outcome(fate, CODES[fate], f"{CODES[fate]} {line}", Stage.CONFIRMATION)


def _part(content: bytes) -> Part | None:
    whole = message_from_bytes(_OPAQUE.sub(rb"\1application/\2", content))
    return next((part for part in whole.walk() if part.get_content_subtype() == KIND), None)


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.isascii() and text.isdigit() else text
