"""Notices as mail programs read them."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.message import Message as MimeMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.bounces import DELAYED, FAILED, Letterhead, Report, build, status_of
from moonpost.outbound.notices import Notices
from moonpost.queue.keeper import Internal
from moonpost.queue.options import resolve
from moonpost.spool.record import Record
from msys.message import Message

HEAD = Letterhead("mta.test", "mailer-daemon@mta.test", "id@mta.test", "=_boundary")
CONTENT = b"From: a@a.test\r\nSubject: hello\r\n\r\nsecret body\r\n"


def record(**changed: Any) -> Record:
    values: dict[str, Any] = {
        "id": "1", "sender": "a@a.test", "recipient": "b@b.test", "domain": "b.test",
        "created_at": 1_000_000.0, "next_attempt_at": 0.0,
    }  # fmt: skip
    return Record(**(values | changed))


def notice(inline: str = "headers", report: Report | None = None, **changed: Any) -> EmailMessage:
    report = report or Report(FAILED, "550 5.1.1 no such user", 1_000_060.0, "192.0.2.1")
    data = build(record(**changed), CONTENT, report, HEAD, inline)
    assert data.count(b"\n") == data.count(b"\r\n") and max(map(len, data.split(b"\r\n"))) < 998
    parsed = message_from_bytes(data, policy=policy.default)
    assert isinstance(parsed, EmailMessage) and not parsed.defects
    return parsed


def fields(part: Any) -> list[dict[str, str]]:
    return [dict(group.items()) for group in part.get_payload() if isinstance(group, MimeMessage)]


def test_a_report_says_who_what_and_why() -> None:
    found = notice()
    assert found["To"] == "a@a.test" and found["Auto-Submitted"] == "auto-replied"
    assert found.get_content_type() == "multipart/report"
    assert found.get_param("report-type") == "delivery-status"
    text, status, original = found.iter_parts()
    assert "b@b.test" in text.get_content() and "550 5.1.1 no such user" in text.get_content()
    envelope, recipient = fields(status)
    assert envelope == {
        "Reporting-MTA": "dns; mta.test", "Arrival-Date": "Mon, 12 Jan 1970 13:46:40 -0000",
    }  # fmt: skip
    assert recipient == {
        "Final-Recipient": "rfc822; b@b.test", "Action": "failed", "Status": "5.1.1",
        "Remote-MTA": "dns; [192.0.2.1]", "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
        "Last-Attempt-Date": "Mon, 12 Jan 1970 13:47:40 -0000",
    }  # fmt: skip
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: hello" in original.get_content() and "secret" not in original.get_content()


@pytest.mark.parametrize(
    ("inline", "ret", "kinds"),
    [
        ("none", "", []), ("headers", "", ["text/rfc822-headers"]), ("all", "", ["message/rfc822"]),
        ("all", "HDRS", ["text/rfc822-headers"]), ("headers", "FULL", ["text/rfc822-headers"]),
    ],
)  # fmt: skip
def test_as_much_of_the_original_as_both_sides_allow(
    inline: str, ret: str, kinds: list[str]
) -> None:
    parts = list(notice(inline, parameters={"RET": ret}).iter_parts())
    assert [part.get_content_type() for part in parts[2:]] == kinds


def test_the_original_comes_back_byte_for_byte() -> None:
    report = Report(FAILED, "550 no", 0.0)
    parsed = message_from_bytes(build(record(), CONTENT, report, HEAD, "all"), policy=policy.SMTP)
    *_, original = parsed.iter_parts()  # type: ignore[attr-defined]
    assert original.get_content().as_bytes() == CONTENT


def test_what_the_sender_gave_comes_back() -> None:
    _, status, *_ = notice(
        parameters={"ENVID": "a+2Bb", "ORCPT": "rfc822;b+2Bold@b.test"}
    ).iter_parts()
    envelope, recipient = fields(status)
    assert envelope["Original-Envelope-Id"] == "a+b"
    assert recipient["Original-Recipient"] == "rfc822; b+old@b.test"


def test_an_address_that_is_not_ascii() -> None:
    text, status, _ = notice(recipient="b\xc3\xa9@b.test").iter_parts()
    assert "bé@b.test" in text.get_content()
    assert fields(status)[1]["Final-Recipient"] == r"utf-8; b\x{E9}@b.test"


def test_a_delay_says_until_when() -> None:
    report = Report(DELAYED, "450 4.2.2 full", 0.0, retried_until=86_400.0)
    found = notice(report=report)
    assert found["Subject"] == "Delayed mail"
    _, status, _ = found.iter_parts()
    assert fields(status)[1]["Will-Retry-Until"] == "Fri, 02 Jan 1970 00:00:00 -0000"
    assert fields(status)[1]["Status"] == "4.2.2"


@given(st.text(max_size=300), st.text(st.characters(max_codepoint=255), max_size=50))
def test_nothing_that_was_said_becomes_a_field(text: str, address: str) -> None:
    evil = record(sender=address, recipient=address, parameters={"ENVID": text, "ORCPT": text})
    data = build(evil, b"", Report(FAILED, text, 0.0, "192.0.2.1"), HEAD, "headers")
    parsed = message_from_bytes(data, policy=policy.compat32)
    assert set(parsed.keys()) <= {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version",
        "Content-Type", "Content-Transfer-Encoding",
    }  # fmt: skip
    assert isinstance(parsed.get_payload(), list) and len(parsed.get_payload()) == 3


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("550 5.7.1 no", "5.7.1"),
        ("550-5.7.1 no", "5.7.1"),
        ("550 no", "5.0.0"),
        ("451 4.3.0 x", "5.0.0"),
    ],
)
def test_the_status_is_the_hosts_own_when_it_fits(text: str, status: str) -> None:
    assert status_of(text) == status


OUTCOME = Outcome(Fate.FAILED, 550, "550 5.1.1 who?", Stage.AFTER_RCPT)


def told(
    options: dict[str, Any] | None = None, policy: Any = None, **changed: Any
) -> list[Message]:
    sent: list[Message] = []

    async def inject(messages: Any) -> None:
        sent.extend(messages)

    def option(name: str, _binding: str, _domain: str) -> Any:
        return (options or {}).get(name)

    notices = Notices(inject, option, lambda: 0.0, "mta.test", lambda _: record(**changed), policy)
    one = record(**changed)
    asyncio.run(notices.failed(one, CONTENT, OUTCOME, resolve(option, "default", "x"), "192.0.2.1"))
    return sent


def test_the_sender_is_told_by_the_null_sender() -> None:
    (sent,) = told()
    assert (sent.sender, sent.recipient) == ("", "a@a.test")
    assert b"mailer-daemon@mta.test" in sent.content
    assert b"postmaster@x.test" in told({"mailerdaemon": "postmaster@x.test"})[0].content


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({}, {"sender": ""}), ({"generate_bounces": False}, {}),
        ({}, {"parameters": {"NOTIFY": "NEVER"}}), ({}, {"parameters": {"NOTIFY": "SUCCESS,DELAY"}}),
    ],
)  # fmt: skip
def test_nobody_is_told_who_does_not_want_to_know(options: Any, changed: Any) -> None:
    assert told(options, **changed) == []


def test_failed_notices_go_to_a_mailbox_that_an_operator_named() -> None:
    (sent,) = told({"mdn_failures_notify": "lost@mta.test"}, sender="")
    assert sent.recipient == "lost@mta.test"


class Policy:
    def __init__(self, wanted: bool | None, replacement: Any) -> None:
        self._wanted, self._replacement = wanted, replacement

    async def wanted(self, record: Record, content: bytes) -> bool | None:
        return self._wanted

    async def replacement(self, record: Record, content: bytes, action: str) -> Any:
        return self._replacement


def test_policy_overrides_the_option_and_the_notice() -> None:
    assert told(policy=Policy(False, True)) == []
    assert told(policy=Policy(None, False)) == []
    assert len(told({"generate_bounces": False}, Policy(True, True))) == 1
    own = Message(content=b"Subject: own\r\n\r\n", mailfrom="x@y.test", rcptto="")
    (sent,) = told(policy=Policy(None, own))
    assert sent is own and (sent.sender, sent.recipient) == ("", "a@a.test")


def test_a_refusal_by_policy_is_told_like_a_failure() -> None:
    sent: list[Message] = []

    async def inject(messages: Any) -> None:
        sent.extend(messages)

    notices = Notices(inject, lambda *_: None, lambda: 0.0, "mta.test", lambda _: record())
    asyncio.run(notices.bounce(Message(content=CONTENT), 550, "5.7.1 not here"))
    assert b"550 5.7.1 not here" in sent[0].content
    assert Internal(0.0).parameters == {}
