"""Complaints and bounces that come in as mail: marked, recognised, logged, put away, and never answered."""

from __future__ import annotations

import base64
import json
from email.message import EmailMessage
from pathlib import Path

import pytest

from msys.feedback import HEADER, Origin, decoded, encoded, read_report
from testkit.receiver import receiver
from testkit.small_server import callout, connect, small_server, until

ORIGIN = Origin("ann", "yahoo.test", "fast", "bulk", "blue@x")
OPTIONS = """
relay_domains = ( "fbl.test" "bounce.test" )
bounce_domains = ( "bounce.test" "*.bounce.test" )
bounce_behavior = "blackhole"
enable_fbl_header_insertion = true
adaptive_enabled = true
adaptive_fbl_volume_threshold = 1
adaptive {}
Binding "fast" {}
bounce_logger { bouncelog = "var/bouncelog.ec" }
fbl { auto_log = true  addresses = ( "^complaints@fbl\\\\.test$" )  user_string = "%{vctx_mess:campaign}" }
"""
POLICY = callout(
    "validate_data",
    "msg, ac, vctx",
    '  vctx:set(msys.core.VCTX_MESS, "campaign", "spring")',
    script="policy",
)


def marked() -> EmailMessage:
    original = EmailMessage()
    original["Subject"] = "an offer"
    original[HEADER] = encoded(ORIGIN)
    original.set_content("buy")
    return original


def parts(kind: str, *bodies: tuple[str, str]) -> bytes:
    """A multipart report with a part of each type."""
    lines = [
        "Subject: report",
        f'Content-Type: multipart/report; report-type={kind}; boundary="=b"',
        "",
    ]
    for content_type, body in (("text/plain", "see below"), *bodies):
        lines += ["--=b", f"Content-Type: {content_type}", "", body]
    return "\r\n".join([*lines, "--=b--", ""]).encode()


def complaint(original: EmailMessage, kind: str = "abuse", *, headers_only: bool = False) -> bytes:
    """A report of RFC 5965."""
    facts = f"Feedback-Type: {kind}\r\nUser-Agent: test/1\r\nVersion: 1\r\n"
    header = "".join(f"{name}: {value}\r\n" for name, value in original.items())
    body = header if headers_only else f"{header}\r\nbuy\r\n"
    returned = "text/rfc822-headers" if headers_only else "message/rfc822"
    return parts("feedback-report", ("message/feedback-report", facts), (returned, body))


def bounce(recipient: str, status: str = "5.1.1") -> bytes:
    """A report of RFC 3464."""
    facts = (
        "Reporting-MTA: dns; mx.test\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 user unknown\r\n"
    )
    return parts("delivery-status", ("message/delivery-status", facts))


@pytest.mark.parametrize("headers_only", [False, True])
def test_a_report_is_read(headers_only: bool) -> None:
    report = read_report(complaint(marked(), "Abuse", headers_only=headers_only), HEADER)
    assert report == ("abuse", ORIGIN)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00" * 100,
        b"Subject: x\r\n\r\nX-MSFBL: " + encoded(ORIGIN).encode(),  # text is no header
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" * 500,
        b"Content-Type: message/rfc822\r\n\r\n" * 2000,
        complaint(marked())[:300],
    ],
)
def test_what_is_no_report_is_read_as_none(content: bytes) -> None:
    assert read_report(content, HEADER).origin is None


@pytest.mark.parametrize("value", ["", "!!!", "YWJj", base64.b64encode(b"a@@b@c@d").decode()])
def test_a_header_that_is_not_ours(value: str) -> None:
    assert decoded(value) is None
    assert decoded(encoded(ORIGIN)) == ORIGIN


def test_complaints_and_bounces_reach_the_logs_and_nobody_else(tmp_path: Path) -> None:
    with (
        receiver() as host,
        small_server(tmp_path, {"policy": POLICY}, receiver=host.port, options=OPTIONS) as server,
    ):
        server.start()
        with connect(server.port) as client:
            client.sendmail("news@bounce.test", ["bob@b.test"], "Subject: x\r\n\r\nhi\r\n")
            client.sendmail("", ["complaints@fbl.test"], complaint(marked()))
            client.sendmail("", ["complaints@fbl.test"], complaint(EmailMessage()))
            client.sendmail("", ["news@bounce.test"], bounce("gone@b.test"))
        assert until(lambda: len(host.received) == 1)
        value = host.received[0].content.split(b"X-MSFBL: ")[1].split(b"\r\n")[0].decode()
        assert decoded(value) == ("bob", "b.test", "default", "default", "spring")
        assert until(lambda: server.log("fbllog.ec").count("\n") == 1)
        line = server.log("fbllog.ec").strip().split("@", 9)
        assert line[2:] == ["F", "ann", "yahoo.test", "fast", "bulk", "abuse", "fbl.test", "blue@x"]
        assert until(lambda: server.log("bouncelog.ec").count("@B@") == 1)
        row = server.log("bouncelog.ec").strip().split("@")
        assert row[4:9] == ["B", "gone", "b.test", "news", "bounce.test"]
        assert row[11:13] == ["21", "10"] and "[oob] The recipient is invalid." in row[15]
        assert until(lambda: server.log("events.json").count('"discarded"') == 3)
        events = [json.loads(text) for text in server.log("events.json").splitlines()]
        told = {
            event["event"]: event for event in events if event["event"] in ("feedback", "bounce")
        }
        assert told["bounce"]["recipient"] == "gone@b.test"
        assert [e.get("text") for e in events if e["event"] == "feedback"] == [
            None,
            "no usable X-MSFBL header in it",
        ]
        assert sum(event["event"] == "received" for event in events) == 1  # nothing was made here
        assert len(host.received) == 1
