"""Bounce classes and delivery reports: replies as receivers write them, reports as they come and as we make them."""

from __future__ import annotations

import email
import email.policy

import pytest

import msys
from msys.constants import DELAYED, FAILED
from msys.lua import LuaError
from msys.message import Message
from msys.testing.policy import Policy

REPLIES = [
    ("550 5.1.1 <x@y.test>: Recipient address rejected: User unknown in virtual mailbox table", 10),
    ("550-5.1.1 The email account that you tried to reach does not exist.", 10),
    ("552 5.2.2 The email account that you tried to reach is over quota.", 22),
    ("452 4.2.2 Mailbox full", 22),
    ("552 5.3.4 Message size exceeds fixed limit", 23),
    ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", 51),
    ("421 4.7.0 IP has a poor reputation", 51),
    ("550 5.7.1 Message content rejected, spam detected", 52),
    ("552 5.7.0 This attachment type is not allowed here: executable", 53),
    ("550 5.7.1 Relaying denied", 54),
    ("554 5.7.1 <x@y.test>: Relay access denied", 54),
    ("550 5.1.2 Host unknown (Name server: y.test: host not found)", 21),
    ("421 4.4.2 connection timed out", 24),
    ("550 [internal] failed by policy", 25),
    ("550 5.7.1 Access denied", 50),
    ("451 4.7.1 Greylisting in action, please come back later", 70),
    ("450 try again later", 70),
    ("250 nothing to see", 1),
    ("", 1),
    (None, 1),
]


@pytest.mark.parametrize(("text", "code"), REPLIES)
def test_replies_find_their_class(here: Policy, text: str | None, code: int) -> None:
    found, name, description = msys.bounce.classify_smtp_response(text)
    assert found == code and name.startswith("BC_") and description


@pytest.mark.row("msys.bounce.classify_smtp_response")
def test_overrides_come_first_and_per_domain_ones_before_all(here: Policy) -> None:
    here.ports.files.content["/policy/user.ovr"] = (
        b"# ours\n,99,come|later\nYahoo.test,22,Come back\nbroken\n"
    )
    here.ports.configuration.modules["bounce_classifier_override"] = {
        "user_smtp_classification_override": "user.ovr",
        "custom_classes": ['99 = "profanity"'],
    }
    classify = msys.bounce.classify_smtp_response
    assert classify("450 come back a little later", "x.test") == (99, "BC_CUSTOM_99", "profanity")
    assert classify("450 come back a little later", "YAHOO.test")[0] == 22
    assert classify("550 user unknown")[0] == 10
    here.ports.files.content["/policy/user.ovr"] = b",50,user unknown\n"
    assert classify("550 user unknown")[0] == 10
    here.ports.clock.advance(301)
    assert classify("550 user unknown")[0] == 50


def original() -> Message:
    message = Message(
        content=b"From: ann@a.test\r\nSubject: hi\r\n\r\nsecret body\r\n",
        mailfrom="ann@a.test",
        rcptto="bob@b.test",
        creation_time=1_700_000_000,
    )
    message.code(550, "5.1.1 no such user\nsorry")
    return message


@pytest.mark.row("msys.rfc3464.create_mdn")
def test_a_report_we_make_is_one_that_python_and_we_can_read(here: Policy) -> None:
    here.ports.configuration.options |= {"hostname": "mx.test", "mailerdaemon": "daemon@mx.test"}
    report = msys.rfc3464.create_mdn(original(), FAILED)
    assert report is not None
    assert (report.sender, report.recipient) == ("", "ann@a.test")
    parsed = email.message_from_bytes(report.content, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/report"
    assert parsed["From"].addresses[0].addr_spec == "daemon@mx.test"
    text, status, header = parsed.get_payload()
    assert "bob@b.test" in text.get_content() and "no such user" in text.get_content()
    assert status.get_payload()[1]["Action"] == "failed"
    assert "hi" in header.get_payload() and "secret" not in header.get_payload()
    fields = msys.rfc3464.extract_delivery_status(report)
    assert fields is not None
    assert fields["final-recipient"] == "rfc822; bob@b.test"
    assert fields["Status"] == "5.1.1"
    assert fields["Reporting-MTA"] == "dns; mx.test"
    assert fields["Arrival-Date"]
    assert msys.bounce.classify(report)[0] == 10
    assert msys.bounce.classify(report)[3] == "bob@b.test"


def test_how_much_of_the_original_is_an_option(here: Policy) -> None:
    here.ports.configuration.options["bounces_inline_original"] = "full"
    report = msys.rfc3464.create_mdn(original(), DELAYED)
    assert report is not None and b"secret body" in report.content
    assert msys.bounce.classify(report)[0] == 70
    here.ports.configuration.options["bounces_inline_original"] = "none"
    report = msys.rfc3464.create_mdn(original(), DELAYED)
    assert report is not None and b"Subject: hi" not in report.content


@pytest.mark.row("msys.rfc3464.send_mdn")
def test_send_queues_and_says_so(here: Policy) -> None:
    assert msys.rfc3464.send_mdn(original(), FAILED) == 1
    message, sender, recipients = here.ports.outbox.submitted[0]
    assert (sender, recipients) == ("", ("ann@a.test",))
    assert b"Message-ID:" in message.content
    nobody = Message(content=b"From: a@b\r\n\r\n", mailfrom="", rcptto="x@y.test")
    assert msys.rfc3464.send_mdn(nobody, FAILED) == 0
    assert msys.rfc3464.create_mdn(nobody, FAILED) is None


@pytest.mark.row("msys.rfc3464.compute_delivery_status")
@pytest.mark.row("msys.rfc3464.compute_delivery_status_string")
def test_status_as_table_and_text(here: Policy) -> None:
    found = msys.rfc3464.compute_delivery_status(original(), FAILED)
    assert found["Diagnostic-Code"].startswith("smtp; 550-5.1.1 no such user")
    assert "\r" not in "".join(found.values())
    text = msys.rfc3464.compute_delivery_status_string(original(), FAILED)
    assert text.endswith("\r\n") and "Action: failed\r\n" in text
    assert msys.rfc3464.compute_delivery_status_string("450 4.2.2 full") == (
        "Action: delayed\r\nStatus: 4.2.2\r\nDiagnostic-Code: smtp; 450 4.2.2 full\r\n"
    )
    fresh = Message(content=b"", mailfrom="a@b", rcptto="c@d")
    assert "Diagnostic-Code" not in dict(msys.rfc3464.compute_delivery_status(fresh, DELAYED))
    with pytest.raises(LuaError, match=r"one of msys.core.FAILED"):
        msys.rfc3464.compute_delivery_status(fresh, 17)


@pytest.mark.row("msys.bounce.classify")
@pytest.mark.row("msys.rfc3464.extract_delivery_status")
def test_reports_of_others_and_no_reports(here: Policy) -> None:
    other = (
        b"From: MAILER-DAEMON@x.test\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; x.test\r\n\r\n"
        b"Original-Recipient: rfc822;carl@c.test\r\nFinal-Recipient: RFC822; c@inner.test\r\n"
        b"Action: failed\r\nStatus: 5.2.2\r\nDiagnostic-Code: x-unix;\r\n code 7\r\n\r\n"
        b"Final-Recipient: rfc822; second@c.test\r\nAction: delayed\r\nStatus: 4.0.0\r\n\r\n--b--\r\n"
    )
    fields = msys.rfc3464.extract_delivery_status(Message(content=other))
    assert fields is not None and fields["STATUS"] == "5.2.2"
    assert msys.bounce.classify(Message(content=other))[::3] == (22, "carl@c.test")
    here.ports.configuration.options["bounce_suppress_list"] = ["c.test"]
    assert msys.bounce.classify(Message(content=other))[3] == ""
    assert msys.rfc3464.extract_delivery_status(original()) is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"Subject: Out of office: hi\r\n\r\nI am away\r\n", 60),
        (b"Auto-Submitted: auto-replied\r\nSubject: x\r\n\r\nthanks\r\n", 60),
        (b"Subject: Mail failure\r\n\r\nuser unknown: <a@b.test>\r\n", 10),
        (b"Subject: please\r\n\r\nverify that you are human by clicking here\r\n", 100),
        (b"Subject: hello\r\n\r\nordinary mail\r\n", 1),
        (b"Subject: far\r\n\r\n" + b"x" * 9000 + b" user unknown\r\n", 1),
    ],
)
def test_bounces_without_a_report_are_read_as_text(here: Policy, content: bytes, code: int) -> None:
    assert msys.bounce.classify(Message(content=content))[0] == code
