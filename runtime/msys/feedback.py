"""Complaints (feedback loops, RFC 5965) and bounces that come in as mail: recognised, logged, put away.

Both only read a message and say what it is about; neither ever sends anything, so nothing can go in circles. Modules
`fbl` and `bounces` of `msys.validate.automatic` run this before every script.
"""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.message import Message as Parsed
from typing import Any, NamedTuple

from msys.addresses import split_address
from msys.bounce import classify
from msys.lua.bytestr import to_bytes, to_str
from msys.macros import expandMacro
from msys.message import Message
from msys.pcre_engine import matches
from msys.ports import current

PARSED_BYTES = 1 << 20  # of a report: enough for the report and the header of what it is about
HEADER = "X-MSFBL"
BLACKHOLE = "blackhole"
SUBSCRIBE = 80  # bounce class: not logged, as in the original
PUT_AWAY = "550 5.7.1 [internal] processed as FBL message, and disposition is blackhole"
BOUNCE_PUT_AWAY = "550 5.7.1 [internal] discarded by policy"

Options = Mapping[str, Any]
Judge = Callable[[Any, Any, Any], None]


class Origin(NamedTuple):
    """What the header that we write says about a message: whom it was for, and how it left."""

    local: str
    domain: str
    binding: str
    group: str
    user: str

    @property
    def recipient(self) -> str:
        return f"{self.local}@{self.domain}"


def encoded(origin: Origin) -> str:
    """The header's value."""
    return base64.b64encode(to_bytes("@".join(origin))).decode("ascii")


def decoded(value: str) -> Origin | None:
    """What a header says; None when it is not one of ours."""
    try:
        fields = to_str(base64.b64decode("".join(value.split()), validate=True)).split("@", 4)
    except (binascii.Error, ValueError):
        return None
    return Origin(*fields) if len(fields) == 5 and fields[1] else None


# --- reading a report ------------------------------------------------------------------------------------


class Report(NamedTuple):
    """A complaint or a bounce, as far as it can be read."""

    kind: str  # Feedback-Type in lower case; empty for mail that is no report of RFC 5965
    origin: Origin | None


def read_report(content: bytes, header: str) -> Report:
    """Look through the parts for the kind of report, and for the header that we wrote into the original."""
    kind, origin = "", None
    try:
        for part in _parts(content):
            kind = kind or str(part.get("Feedback-Type", "")).strip().lower()
            value = part.get(header)
            if origin is None and value is not None:
                origin = decoded(str(value))
    except RecursionError:  # messages in messages, deeper than anybody reports
        return Report("", None)
    return Report(kind, origin)


def _parts(content: bytes) -> Iterator[Parsed]:
    """Every part that has header fields: MIME parts, messages in them, and header blocks that are returned as text."""
    whole = email.message_from_bytes(content[:PARSED_BYTES], policy=email.policy.compat32)
    for part in whole.walk():
        if part is whole:
            continue
        yield part
        if part.get_content_type() in ("text/rfc822-headers", "text/rfc822", "text/plain"):
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                yield email.message_from_bytes(payload, policy=email.policy.compat32)


# --- complaints ------------------------------------------------------------------------------------------


def fbl(options: Options) -> dict[str, Judge]:
    """The module `fbl`: marks what leaves, and logs and puts away complaints that come back."""
    header = str(options.get("header_name") or HEADER)
    addresses = [str(pattern) for pattern in options.get("addresses") or ()]

    def validate_data_spool_each_rcpt(message: Message, accept: Any, vctx: Any) -> None:
        if not _any_found(addresses, message.recipient):
            return
        report = read_report(message.content, header)
        if report.origin is not None:
            _tell_complaint(message, report.kind, report.origin)
        else:
            text = f"no usable {header} header in it"
            _tell("feedback", message, kind=report.kind, text=text)
        if str(options.get("message_disposition") or BLACKHOLE) == BLACKHOLE:
            message.discard(PUT_AWAY)

    def core_final_validation(message: Message, accept: Any, vctx: Any) -> None:
        local, domain = split_address(message.recipient)
        binding = message.binding_name or "default"
        configuration = current().ports.configuration
        if not configuration.delivery_option("enable_fbl_header_insertion", binding, domain):
            return
        condition = options.get("condition")
        if condition and not message.mess.get(str(condition)):
            return
        text = options.get("user_string")
        user = expandMacro(to_str(str(text).encode())) if text else ""
        group = message.binding_group_name or "default"
        message.header(header, encoded(Origin(local, domain, binding, group, user)))

    found: dict[str, Judge] = {}
    if addresses:
        found["validate_data_spool_each_rcpt"] = validate_data_spool_each_rcpt
    if options.get("auto_log"):
        found["core_final_validation"] = core_final_validation
    return found


def _tell_complaint(message: Message, kind: str, origin: Origin) -> None:
    _tell(
        "feedback",
        message,
        kind=kind or "unknown",
        recipient=origin.recipient,
        binding=origin.binding,
        group=origin.group,
        domain=origin.domain,
        reported_to=split_address(message.recipient)[1],
        user=origin.user,
    )


# --- bounces ---------------------------------------------------------------------------------------------


def bounces(options: Options) -> dict[str, Judge]:
    """The option `bounce_domains`: mail to those is about mail that did not arrive."""

    def validate_data_spool_each_rcpt(message: Message, accept: Any, vctx: Any) -> None:
        address = message.recipient
        domain = split_address(address)[1].lower()
        configuration = current().ports.configuration
        if not _is_among(domain, _bounce_domains(vctx)):
            return
        pattern = configuration.delivery_option("bounce_pattern", "default", domain)
        if pattern and not _any_found([str(pattern)], address):
            return
        code, _, description, original = classify(message)
        origin = read_report(message.content, HEADER).origin
        if code != SUBSCRIBE:
            _tell(
                "bounce",
                message,
                code=code,
                text=description,
                sender=address,
                recipient=original or (origin.recipient if origin else ""),
                binding=origin.binding if origin else "default",
                group=origin.group if origin else "default",
            )
        if configuration.delivery_option("bounce_behavior", "default", domain) == BLACKHOLE:
            message.discard(BOUNCE_PUT_AWAY)

    return {"validate_data_spool_each_rcpt": validate_data_spool_each_rcpt}


def _bounce_domains(vctx: Any) -> Sequence[str]:
    """Those of the session's pathway, or of the server."""
    configuration = current().ports.configuration
    pathway = vctx.conn.get("pathway") if vctx is not None else None
    if pathway:
        value, _ = configuration.command(["eval", "pathway", pathway, "bounce_domains"])
        if isinstance(value, list):
            return value
    return configuration.option("bounce_domains") or ()


def _is_among(domain: str, patterns: Sequence[str]) -> bool:
    """`x` is itself, `*.x` whatever is below it, `*` everything."""
    for pattern in patterns:
        wanted = str(pattern).lower()
        if wanted in ("*", domain) or (wanted.startswith("*.") and domain.endswith(wanted[1:])):
            return True
    return False


def _any_found(patterns: Sequence[str], address: str) -> bool:
    subject = to_bytes(address)
    return any(any(matches(subject, pattern)) for pattern in patterns)


def _tell(event: str, message: Message, **facts: Any) -> None:
    facts = {"message_id": message.id.text, "batch_id": message.batch_id.text, **facts}
    current().ports.log.told(event, facts)
