"""msys.policyeditor: the calls that the graphical editor generated."""

from __future__ import annotations

from typing import Any

import pytest

from msys import policyeditor as editor
from msys.lua import LuaError, Table, u8
from msys.message import Message
from msys.testing.policy import policy
from testkit.messages import PLAIN, message

row = pytest.mark.row


def given(msg: Message | None = None, **params: Any) -> tuple[Table, Table, Table]:
    ctx = Table({"ec_message": msg or message()})
    return ctx, Table(), Table(params)


@row("msys.policyeditor.get_mailfrom")
@row("msys.policyeditor.get_rcptto")
def test_envelope() -> None:
    assert editor.get_mailfrom(*given()) == "ann@example.test"
    assert editor.get_rcptto(*given()) == "bob@example.test"
    for call in (editor.get_mailfrom, editor.get_rcptto):
        with pytest.raises(LuaError, match=r"ctx.ec_message: message expected, got nil"):
            call(Table(), Table(), Table())


@row("msys.policyeditor.get_header")
@row("msys.policyeditor.del_header")
def test_headers() -> None:
    msg = message(b"Subject: =?utf-8?q?=C3=BC?=\r\n x\r\nSubject: two\r\n\r\n")
    assert editor.get_header(*given(msg, header="subject")) == u8("ü x")
    assert editor.get_header(*given(msg, header="nope")) is None
    assert editor.del_header(*given(msg, header="Subject")) == "Subject"
    assert editor.get_header(*given(msg, header="subject")) is None
    assert editor.del_header(*given(msg, header="Subject")) is None
    with pytest.raises(LuaError, match=r"params.header: string expected, got nil"):
        editor.get_header(*given())


@row("msys.policyeditor.get_mess_recv_from")
@row("msys.policyeditor.get_mess_recv_via")
def test_both_ends() -> None:
    assert editor.get_mess_recv_from(*given()) == "198.51.100.7:40123"
    assert editor.get_mess_recv_from(*given(ip_only=1)) == "198.51.100.7"
    assert editor.get_mess_recv_via(*given()) == "192.0.2.1:25"
    assert editor.get_mess_recv_via(*given(ip_only=1)) == "192.0.2.1"
    ctx, variables, _ = given()
    assert editor.get_mess_recv_via(ctx, variables, None) == "192.0.2.1:25"


@row("msys.policyeditor.vctx_mess_get")
@row("msys.policyeditor.vctx_mess_set")
@row("msys.policyeditor.vctx_conn_get")
@row("msys.policyeditor.vctx_conn_set")
def test_context_variables() -> None:
    msg = message()
    assert editor.vctx_mess_get(*given(msg, key="k")) is None
    assert editor.vctx_mess_set(*given(msg, key="k", value=1)) == 1
    assert editor.vctx_mess_get(*given(msg, key="k")) == "1"
    assert editor.vctx_conn_get(*given(msg, key="k")) is None
    assert editor.vctx_conn_set(*given(msg, key="k", value="c")) == 1
    assert editor.vctx_conn_get(*given(msg, key="k")) == "c"
    assert (msg.mess, msg.conn) == ({"k": "1"}, {"k": "c"})


@row("msys.policyeditor.get_variable")
@row("msys.policyeditor.set_variable")
def test_script_variables() -> None:
    ctx, variables, _ = given()
    assert editor.get_variable(ctx, variables, Table({"name": "x"})) is None
    assert editor.set_variable(ctx, variables, Table({"name": "x", "value": 5})) == 5
    assert editor.get_variable(ctx, variables, Table({"name": "x"})) == 5
    assert editor.set_variable(ctx, variables, Table({"name": "x"})) is None
    assert dict(variables) == {}


@row("msys.policyeditor.pcre_match")
def test_pcre_match_sets_variables() -> None:
    ctx, variables, _ = given()
    params = Table({"subject": "ann@example.test", "pattern": "(.)@(?<domain>.*)"})
    assert editor.pcre_match(ctx, variables, params) is True
    assert dict(variables) == {
        "$0": "ann@example.test",
        "$1": "n",
        "$2": "example.test",
        "$domain": "example.test",
    }
    params["pattern"] = "zzz"
    assert editor.pcre_match(ctx, variables, params) is False
    assert variables["$1"] == "n"
    with policy() as here:
        params["pattern"] = "("
        assert editor.pcre_match(ctx, variables, params) is False
        assert "not valid" in here.ports.log.text
    with pytest.raises(LuaError, match=r"params.subject: string expected, got nil"):
        editor.pcre_match(ctx, variables, Table({"pattern": "x"}))


@row("msys.policyeditor.set_binding")
@row("msys.policyeditor.set_binding_group")
def test_bindings_and_groups() -> None:
    with policy("validate_set_binding", phase="set_binding") as here:
        here.ports.configuration.bindings[:] = ["default", "a", "b"]
        here.ports.configuration.groups.update(g=["a"], empty=[])
        msg = message()
        assert editor.set_binding(*given(msg, binding="b")) is True
        assert msg.binding() == "b"
        assert editor.set_binding(*given(msg, binding="nope")) is False
        assert editor.set_binding_group(*given(msg, binding_group="g")) is True
        assert msg.binding() == "a"
        for name in ("nope", "empty"):
            assert editor.set_binding_group(*given(msg, binding_group=name)) is False
        seen = set()
        for _ in range(60):
            editor.set_binding(*given(msg, binding="a, b"))
            seen.add(msg.binding())
        assert seen == {"a", "b"}
        with pytest.raises(LuaError, match="binding is empty"):
            editor.set_binding(*given(msg, binding=" , "))


@row("msys.policyeditor.get_binding_domain_failure_rate")
def test_failure_rate_is_a_fraction() -> None:
    with policy() as here:
        here.ports.outbox.failure_rates["b", "example.test"] = 0.25
        rate = editor.get_binding_domain_failure_rate
        assert rate(*given(binding="b", domain="Example.test", period=3600)) == 0.25
        assert rate(*given(binding="b", domain="other.test", period="60")) == 0
        with pytest.raises(LuaError, match=r"params.period: number expected"):
            rate(*given(binding="b", domain="x", period="soon"))


@row("msys.policyeditor.send_email")
def test_send_email_goes_to_the_queue() -> None:
    with policy() as here:
        params = {
            "from": "me@x.test",
            "to": "a@b.test, c@d.test e@f.test",
            "subject": "Hi",
            "body": u8("Grüße\n.x"),
        }
        assert editor.send_email(*given(**params)) is None
        ((sent, sender, recipients),) = here.ports.outbox.submitted
    assert (sender, recipients) == ("me@x.test", ("a@b.test", "c@d.test", "e@f.test"))
    assert sent.text() == u8("Grüße\r\n.x\r\n")
    assert sent.header("From")[1] == "me@x.test"
    assert sent.header("To")[1] == "a@b.test, c@d.test, e@f.test"
    assert all(sent.header(name)[1] for name in ("Date", "Message-ID", "Received"))


@row("msys.policyeditor.send_email")
def test_send_email_is_throttled_by_what_it_says() -> None:
    with policy() as here:
        params = {
            "from": "me@x.test",
            "to": "a@b.test",
            "subject": "Hi",
            "body": "x",
            "throttle": 60,
        }
        for _ in range(3):
            editor.send_email(*given(**params))
        editor.send_email(*given(**(params | {"subject": "other"})))
        assert len(here.ports.outbox.submitted) == 2
        here.ports.clock.advance(61)
        editor.send_email(*given(**params))
        assert len(here.ports.outbox.submitted) == 3


@row("msys.policyeditor.send_email")
def test_send_email_refuses_injection_and_bad_addresses() -> None:
    with policy() as here:
        good = {"from": "me@x.test", "to": "a@b.test", "subject": "Hi", "body": "x"}
        for change in ({"subject": "a\r\nBcc: x@y"}, {"from": "nobody"}, {"to": ""}, {"to": "x"}):
            with pytest.raises(LuaError):
                editor.send_email(*given(**(good | change)))
        assert here.ports.outbox.submitted == []


@row("msys.policyeditor.send_trap")
def test_send_trap_becomes_a_trap() -> None:
    sent: list[tuple[Any, ...]] = []

    class Snmp:
        def trap(self, *trap: Any) -> None:
            sent.append(trap)

    with policy() as here:
        here.ports.snmp = Snmp()
        editor.send_trap(*given(type="ip", payload="192.0.2.1", tmib="1.2.3", throttle=5))
        editor.send_trap(*given(type="ip", payload="192.0.2.1", tmib="1.2.3", throttle=5))
        editor.send_trap(*given(type="string", payload="x", address="192.0.2.9", port=1162))
        with pytest.raises(LuaError, match=r"#3 to 'send_trap' \(payload '-1' is no number"):
            editor.send_trap(*given(type="gauge", payload=-1))
    mib, variable = "1.3.6.1.4.1.19552.1.4.7", "1.3.6.1.4.1.19552.1.4.1.0"
    assert sent == [
        (mib, "1.2.3", "IP", "192.0.2.1", None, None),
        (mib, variable, "string", "x", ("192.0.2.9", 1162), None),
    ]


def test_content_stays_as_it_is() -> None:
    msg = message()
    editor.get_header(*given(msg, header="Subject"))
    assert msg.content == PLAIN
