"""Modules that judge by themselves, without a server: what they ask, write and keep, and what odd mail does to them."""

from __future__ import annotations

from typing import Any

import pytest

import msys
from msys.accept import Accept
from msys.lua import LuaError
from msys.message import Message
from msys.ports import PortError
from msys.testing.policy import Policy, policy
from msys.validate.automatic import MODULES, registrations
from msys.validate.sender import responsible
from msys.vctx import ValidationContext

PLAIN = b"From: Ann <ann@example.test>\r\nSubject: x\r\n\r\nx\r\n"


class Session:
    """One transaction of a client at 192.0.2.1, with the modules of `stanzas`."""

    def __init__(
        self, here: Policy, content: bytes = PLAIN, sender: str = "ann@example.test", **stanzas: Any
    ) -> None:
        self.here = here
        here.ports.configuration.modules.update(stanzas)
        self.message = Message(content=content, mailfrom=sender)
        local, _, domain = sender.rpartition("@")
        self.message.mess.update(mailfrom_localpart=local, mailfrom_domain=domain)
        self.message.conn["ehlo_domain"] = "client.test"
        self.vctx = ValidationContext(conn=self.message.conn, mess=self.message.mess)
        self.accept = Accept(remote=("192.0.2.1", 25))
        here.call.message, here.call.accept, here.call.vctx = self.message, self.accept, self.vctx
        self.modules = registrations(here.ports.configuration.module)

    def run(self, callout: str, phase: str) -> None:
        self.here.call.phase, self.here.call.callout = phase, callout
        for module in self.modules:
            function = module.table[callout]
            if function is not None:
                subject = self.message if callout == "validate_data" else "MAIL FROM:<>"
                assert function(None, subject, self.accept, self.vctx) == msys.core.VALIDATE_CONT

    def whole(self) -> str:
        self.run("validate_mailfrom", "mailfrom")
        self.run("validate_data", "data")
        return self.message.content.decode("latin-1")


def reflect(session: Session, phase: str = "rcptto", **change: Any) -> int:
    session.here.call.phase = phase
    given = {"msg": None, "sender": "post@mx.test", "to": "a@b.test; c@d.test", **change}
    return msys.validate.dkim.reflect(given["msg"], None, given["sender"], given["to"])


@pytest.mark.row("msys.validate.dkim.reflect")
def test_a_report_is_queued_once_the_signatures_were_looked_at(here: Policy) -> None:
    session = Session(here, dkim_validate={})
    assert reflect(session) == 1
    assert here.ports.outbox.submitted == []
    session.whole()
    ((report, sender, recipients),) = here.ports.outbox.submitted
    assert (sender, recipients) == ("", ("a@b.test", "c@d.test"))
    assert b"The message has no DKIM signature." in report.content
    assert b"Auto-Submitted: auto-generated" in report.content
    session.run("validate_data", "data")
    assert len(here.ports.outbox.submitted) == 1


@pytest.mark.row("msys.validate.dkim.reflect")
def test_why_no_report_will_be_sent(here: Policy) -> None:
    assert reflect(Session(here)) == 0
    session = Session(here, dkim_validate={})
    for phase in "data", "data_spool", "set_binding", "":
        assert reflect(session, phase) == -2
    for change in {"sender": "nobody"}, {"to": ""}, {"to": "a@b.test; x"}, {"to": ";"}:
        assert reflect(session, **change) == -3
    with pytest.raises(LuaError, match="#4 to 'reflect'"):
        reflect(session, to=None)
    here.call.message = None
    assert reflect(session) == -1


def test_only_configured_modules_are_registered(here: Policy) -> None:
    assert Session(here).modules == []
    names = [one.name for one in Session(here, **{name: {} for name in MODULES}).modules]
    assert names == list(MODULES)


@pytest.mark.parametrize(
    ("code", "outcome"), [("TIMEOUT", "temperror"), ("SERVFAIL", "temperror"), ("NXDOMAIN", "none")]
)
def test_a_failure_of_dns_is_an_outcome(here: Policy, code: str, outcome: str) -> None:
    here.ports.dns.add("example.test", "TXT", PortError(code, "no"))
    session = Session(here, spf_v1={}, senderid={})
    text = session.whole()
    assert (
        session.message.mess["spf_status"] == session.message.mess["senderid_pra_status"] == outcome
    )
    assert (
        f"Received-SPF: {outcome} (" in text
        and f"spf={outcome} smtp.mailfrom=ann@example.test" in text
    )


def test_slow_dns_ends_in_an_outcome(here: Policy) -> None:
    here.ports.dns.add("example.test", "TXT", ["v=spf1 a:a.test a:b.test a:c.test a:d.test ?all"])
    for name in "abcd":
        here.ports.dns.add(f"{name}.test", "A", ["192.0.2.99"])
    answer = here.ports.dns.lookup

    def slowly(*question: Any) -> Any:
        here.ports.clock.advance(9)
        return answer(*question)

    here.ports.dns.lookup = slowly  # type: ignore[method-assign]
    session = Session(here, spf_v1={})
    assert "no outcome within 20 s" in session.whole()
    assert session.message.mess["spf_status"] == "temperror"
    assert [name for name, *_ in here.ports.dns.asked] == ["example.test", "a.test", "b.test"]


def test_names_of_context_and_headers_are_options(here: Policy) -> None:
    here.ports.dns.add("example.test", "TXT", ["v=spf1 ip4:192.0.2.1 -all"])
    session = Session(
        here,
        spf_v1={
            "context_variable": "mine",
            "add_headers": False,
            "add_authentication_results": False,
        },
    )
    assert session.whole().encode() == PLAIN
    assert session.message.mess["mine"] == "pass"


def test_the_rule_for_domains_without_a_record(here: Policy) -> None:
    session = Session(here, spf_v1={"default_rule": "a:mx.example.test ~all"})
    here.ports.dns.add("mx.example.test", "A", ["192.0.2.1"])
    session.whole()
    assert session.message.mess["spf_status"] == "pass"


@pytest.mark.parametrize(
    "sender",
    ['"a b"@example.test', "a\\b@example.test", "\xfc@example.test", "x" * 60 + "@example.test"],
)
def test_odd_senders_cannot_break_headers(here: Policy, sender: str) -> None:
    here.ports.dns.add("example.test", "TXT", ["v=spf1 exists:%{l}.%{d} ?all"])
    text = Session(here, sender=sender, spf_v1={}).whole()
    head = text.partition("From:")[0]
    assert head.count("\r\n") == head.count("\r\n\t") + 2 == head.count("\n")


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"From: a@b.test\r\n", ("from", "a@b.test")),
        (b"From: a@b.test\r\nSender: c@d.test\r\n", ("sender", "c@d.test")),
        (b"From: a@b.test\r\nSender: c@d.test\r\nSender: e@f.test\r\n", ("", "")),
        (b"From: a@b.test\r\nFrom: c@d.test\r\n", ("", "")),
        (b"From: a@b.test, c@d.test\r\n", ("", "")),
        (b"Resent-From: r@b.test\r\nFrom: a@b.test\r\n", ("resent-from", "r@b.test")),
        (b"Resent-Sender: s@b.test\r\nResent-From: r@b.test\r\n", ("resent-sender", "s@b.test")),
        (b"Resent-From: r@b.test\r\nResent-Sender: s@b.test\r\n", ("resent-sender", "s@b.test")),
        (
            b"Resent-From: r@b.test\r\nReceived: x\r\nResent-Sender: s@b.test\r\n",
            ("resent-from", "r@b.test"),
        ),
        (b"Resent-Sender: \r\nFrom: a@b.test\r\n", ("from", "a@b.test")),
        (b"", ("", "")),
    ],
)
def test_who_is_responsible(header: bytes, wanted: tuple[str, str]) -> None:
    assert responsible(header + b"\r\n") == wanted


@pytest.fixture
def here() -> Any:
    with policy() as running:
        yield running
