"""Registration, classes, macros, free space, rules, push outcomes, traps."""

from __future__ import annotations

import os

import pytest

import msys
from msys.accept import Accept
from msys.adaptive import Action, rules_of
from msys.constants import DELIVERY_PERMFAILED, DELIVERY_SUCCESS, DELIVERY_TEMPFAILED
from msys.httpclnt import HttpRequest, HttpSession
from msys.lua import LuaError, Table, index, invoke, u8
from msys.message import Message
from msys.testing.policy import Policy, policy
from msys.vctx import ValidationContext

# --- registration ---


@pytest.mark.row("msys.registerControl")
@pytest.mark.row("msys.registerModule")
def test_modules_commands_and_schemes_land_in_the_environment(here: Policy) -> None:
    here.environment.script = "a.lua"
    first, second = Table({"init": len}), Table()
    msys.registerModule("a", first)
    msys.registerModule("b", first)
    msys.registerModule("a", second)
    found = here.environment.registrations
    assert [(r.name, r.table is second, r.script) for r in found] == [
        ("a", True, "a.lua"),
        ("b", False, "a.lua"),
    ]
    msys.registerControl("hello", len)
    msys.registerControl("hello", max)
    assert here.environment.commands == {"hello": max}
    msys.registerAuth("mine", second)
    assert here.environment.auth_schemes == {"mine": second}
    for wrong in (
        lambda: msys.registerModule("a", None),
        lambda: msys.registerControl("two words", len),
        lambda: msys.registerControl("x", None),
        lambda: msys.registerAuth(None, second),
    ):
        with pytest.raises(LuaError, match="bad argument"):
            wrong()


# --- classes ---


@pytest.mark.row("msys.cast")
@pytest.mark.row("msys.type")
def test_types_and_casts(here: Policy) -> None:
    message = Message(content=b"")
    assert msys.type(message) == "msys.core:_ec_message"
    assert [msys.type(value) for value in (None, True, 1, "x", Table(), len)] == [
        "nil",
        "boolean",
        "number",
        "string",
        "table",
        "function",
    ]
    assert msys.cast(message, "msys.core:_ec_message") is message
    assert msys.cast(message, "_ec_message") is message
    for wrong in (message, "_accept_construct"), (None, "_ec_message"), ("text", "_ec_message"):
        with pytest.raises(LuaError, match="bad argument #1 to 'cast'"):
            msys.cast(*wrong)
    with pytest.raises(LuaError, match="value expected"):
        msys.type()


@pytest.mark.row("msys.getClassMetaTable")
def test_methods_added_to_a_class_work_on_its_objects(here: Policy) -> None:
    metatable = msys.getClassMetaTable("msys.core:_ec_message")
    assert metatable is not None and metatable is msys.getClassMetaTable("_ec_message")
    metatable["__index"]["shout"] = lambda message, text: f"{text}!"
    message = Message(content=b"")
    assert invoke(message, "shout", "hey") == "hey!"
    assert index(message, "recv_method") is not None
    assert msys.getClassMetaTable("no:such") is None
    with policy(), pytest.raises(LuaError):
        invoke(message, "shout", "hey")  # another generation, another metatable


# --- macros ---

MAIL = (
    b"From: ann@a.test\r\nSubject: hi\x01there\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nSch\xf6n\r\nline two\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--b--\r\n"
)


@pytest.fixture
def session():
    message = Message(content=MAIL, mailfrom="strong-bad@email.example.com", rcptto="bob@b.test")
    accept = Accept(remote=("192.0.2.3", 4711))
    vctx = ValidationContext()
    vctx.conn |= {"ehlo_domain": "helo.test", "ehlo_string": "helo.test"}
    vctx.mess["note"] = "noted"
    with policy(message=message, accept=accept, vctx=vctx) as running:
        running.ports.configuration.options["hostname"] = "mx.test"
        yield running


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100%% plain %", "100% plain %"),
        ("%{vctx_mess:note}/%{vctx_conn:ehlo_string}/%{vctx_mess:none}", "noted/helo.test/"),
        ("%{rfc822:date}", None),
        ("%{rfc2822:message,5b}", "From:\r\n"),
        ("%{rfc2822:message,1}", "From: ann@a.test\r\n"),
        ("%{rfc2822:body,1}", "--b\r\n"),
        ("%{rfc2822:text}", u8("Schön\r\nline two\r\n")),
        ("%{rfc2822:text,2,1}", "Content-Type: text/html\r\n"),
        (
            "%{rfc2822:part,1}",
            "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nSch\xf6n\r\nline two\r\n",
        ),
        ("%{rfc2822:part,9}%{rfc2822:nothing}", ""),
        # RFC 7208 section 7.4
        ("%{spfv1:s}", "strong-bad@email.example.com"),
        ("%{spfv1:o}", "email.example.com"),
        ("%{spfv1:d4}", "email.example.com"),
        ("%{spfv1:d2}", "example.com"),
        ("%{spfv1:dr}", "com.example.email"),
        ("%{spfv1:d2r}", "example.email"),
        ("%{spfv1:l-}", "strong.bad"),
        ("%{spfv1:lr-}", "bad.strong"),
        ("%{spfv1:l1r-}", "strong"),
        ("%{spfv1:ir}.%{spfv1:v}._spf.%{spfv1:d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%m %M %r %R %d %i|%{i}", "strong-bad email.example.com bob b.test b.test ID|ID"),
        ("%h{Subject}|%h{None}", "hi there|"),
        ("%vctx_mess{note} %{custom_logger:H} %B %p", f"noted 192.0.2.3 {len(MAIL)} ESMTP"),
        ("%t %us{2} %t{%Y} %T", "1700000000 1700000000.00 2023 "),
        ("%{nothing:here}%{nothing}", ""),
    ],
)
def test_macros(session: Policy, text: str, expected: str | None) -> None:
    found = msys.expandMacro(text)
    if expected is None:
        assert found.endswith(("+0000", "GMT")) or found[-5] in "+-"
    else:
        assert found == expected.replace("ID", session.call.message.id.text)


@pytest.mark.row("msys.expandMacro")
def test_macros_of_ipv6_and_without_a_session(here: Policy) -> None:
    assert msys.expandMacro("%{vctx_mess:x}%m%B%{rfc2822:body}%H") == ""
    here.call.accept = Accept(remote=("2001:db8::cb01", 25))
    assert msys.expandMacro("%{i}") == "2001:db8::cb01"
    assert msys.expandMacro("%{spfv1:ir}").startswith("1.0.b.c.0.0")
    assert msys.expandMacro("%{spfv1:v}") == "ip6"
    with pytest.raises(LuaError, match="bad argument #1 to 'expandMacro'"):
        msys.expandMacro(None)


# --- free space ---


@pytest.mark.row("msys.os.statvfs_read")
@pytest.mark.row("msys.os.statvfs_subscribe")
def test_free_space_is_watched_at_an_interval(here: Policy, tmp_path) -> None:
    record = msys.os.statvfs_subscribe(str(tmp_path), 10)
    first, problem = msys.os.statvfs_read(record)
    assert problem is None and first is not None
    expected = os.statvfs(tmp_path)
    assert first["kilobytes_total"] == expected.f_blocks * expected.f_frsize // 1024
    assert first["objects_total"] == expected.f_files
    assert 0 <= first["kilobytes_available"] <= first["kilobytes_total"]
    here.ports.clock.advance(9)
    assert msys.os.statvfs_read(str(tmp_path))[0] is first
    here.ports.clock.advance(1)
    assert msys.os.statvfs_read(str(tmp_path))[0] is not first
    assert "not subscribed" in msys.os.statvfs_read("/elsewhere")[1]
    msys.os.statvfs_subscribe(f"{tmp_path}/none", 0)
    assert "No such file" in msys.os.statvfs_read(f"{tmp_path}/none")[1]


# --- adaptive rules ---


def response(code: str, action: Table, trigger: str = "1") -> Table:
    return Table(
        {"code": code, "trigger": trigger, "action": action, "message": "m", "phase": "connect"}
    )


def test_rules_are_read_in_every_documented_form(here: Policy) -> None:
    def option(current: float, last: float, age: float, attempts: float) -> float:
        return current

    msys.adaptive.registerRules(
        Table(
            {
                "WP.PL ": Table(
                    {
                        "responses": Table.array(
                            response("^421 ", Table.array("suspend", "4 hours"), "10/1"),
                            response(
                                "^450", Table.array("transcode", "454", "suspend", "15 minutes")
                            ),
                            response(
                                "x",
                                Table.array(
                                    Table.array("throttle", "down"), Table.array("warmup", 60)
                                ),
                            ),
                        ),
                        "configuration": Table(
                            {"Max_Retries": 3, "a": Table.array(1, 5), "b": option}
                        ),
                    }
                ),
                "alias.test": "wp.pl",
            }
        )
    )
    rules = rules_of(here.environment)
    assert rules["alias.test"] is rules["wp.pl"]
    first, second, third = rules["wp.pl"].responses
    assert (first.code, first.events, first.seconds, first.message) == ("^421 ", 10, 1, "m")
    assert first.actions == (Action("suspend", 4 * 3600),)
    assert second.actions == (Action("transcode", 454), Action("suspend", 900))
    assert third.actions == (Action("throttle", "down"), Action("warmup", 60))
    assert rules["wp.pl"].configuration == {"max_retries": 3, "a": (1, 5), "b": option}


@pytest.mark.row("msys.adaptive.registerRules")
def test_augment_puts_rules_before_and_replace_puts_them_instead(here: Policy) -> None:
    def rules(code: str, **configuration: int) -> Table:
        responses = Table.array(response(code, Table.array("suspend", "1 hour")))
        entry = Table({"responses": responses, "configuration": Table(configuration)})
        return Table({"a.test": entry})

    msys.adaptive.registerRules(rules("one", x=1, y=1))
    msys.adaptive.registerRules(Table({"b.test": "a.test"}))
    msys.adaptive.registerRules(rules("two", x=2), "augment")
    found = rules_of(here.environment)["a.test"]
    assert [one.code for one in found.responses] == ["two", "one"]
    assert found.configuration == {"x": 2, "y": 1}
    msys.adaptive.registerRules(rules("three"), "replace")
    assert [one.code for one in rules_of(here.environment)["a.test"].responses] == ["three"]
    assert "b.test" not in rules_of(here.environment)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (True, "the name of another domain expected"),
        (Table({"responses": 5}), "responses must be a table"),
        (Table({"responses": Table.array(response("a(", Table()))}), "code: .*parenthesis"),
        (
            Table({"responses": Table.array(response("a", Table.array("explode", "1")))}),
            "unknown action 'explode'",
        ),
        (
            Table({"responses": Table.array(response("a", Table.array("suspend", "soon")))}),
            "'soon' is no duration",
        ),
        (Table({"responses": Table.array(response("a", Table.array("suspend")))}), "pairs"),
        (Table({"responses": Table.array(response("a", Table(), "often"))}), "trigger 'often'"),
        (Table({"configuration": Table({"x": "y"})}), "x: a number"),
    ],
)
def test_bad_rules_raise_and_name_the_domain(here: Policy, entry, problem: str) -> None:
    with pytest.raises(LuaError, match=f"d.test: .*{problem}"):
        msys.adaptive.registerRules(Table({"d.test": entry}))
    with pytest.raises(LuaError, match="augment or replace"):
        msys.adaptive.registerRules(Table(), "merge")


# --- push ---


@pytest.mark.row("msys.apn.apn_status_classifier")
@pytest.mark.row("msys.gcm.gcm_classify_error")
@pytest.mark.row("msys.gcm.gcm_get_result_error_code")
@pytest.mark.row("msys.httpclnt.http_status_classifier")
def test_push_outcomes() -> None:
    apn = msys.apn.apn_status_classifier
    assert [apn(code) for code in (None, 0, 1, 2, 8, 10, 255, 77)] == [
        *[DELIVERY_SUCCESS] * 2,
        DELIVERY_TEMPFAILED,
        *[DELIVERY_PERMFAILED] * 2,
        *[DELIVERY_TEMPFAILED] * 3,
    ]
    gcm = msys.gcm.gcm_classify_error
    assert [gcm(code) for code in (0, 1, 9, 2, 10, 99)] == [
        DELIVERY_SUCCESS,
        *[DELIVERY_TEMPFAILED] * 2,
        *[DELIVERY_PERMFAILED] * 2,
        DELIVERY_TEMPFAILED,
    ]
    code = msys.gcm.gcm_get_result_error_code
    assert [code(word) for word in (None, "", "NotRegistered", "Unheard")] == [
        0,
        0,
        5,
        msys.gcm.GCM_UNKNOW,
    ]
    http = msys.httpclnt.http_status_classifier
    assert [http(status) for status in (200, 204, 302, 500)] == [DELIVERY_SUCCESS] * 2 + [
        DELIVERY_PERMFAILED
    ] * 2


@pytest.mark.row("msys.delivery.ob_get_current_message")
@pytest.mark.row("sess:request_add_header")
@pytest.mark.row("sess:request_delete_header")
@pytest.mark.row("sess:request_finalize")
@pytest.mark.row("sess:request_set_body")
def test_the_request_of_a_push_delivery_can_be_changed(here: Policy) -> None:
    message = Message(content=b"x")
    session = HttpSession(HttpRequest(headers=[("Host", "h"), ("Accept", "a")]), message)
    assert msys.delivery.ob_get_current_message(session["connh"]) is message
    assert msys.delivery.ob_get_current_message(session) is message
    assert msys.delivery.ob_get_current_message(None) is None
    session.request_add_header("accept", "b", 0)
    session.request_add_header("Content-Length", 99, True)
    session.request_set_body("{}")
    session.request_finalize(0)
    assert session["request"]["data"] == (
        "POST / HTTP/1.1\r\nHost: h\r\nAccept: a\r\naccept: b\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert "Content-Length was 99" in here.ports.log.text
    session.request_add_header("ACCEPT", "c", 1)
    session.request_delete_header("host")
    session.request_finalize(1)
    assert session["request"]["data"].split("\r\n")[1:3] == ["Content-Length: 2", "ACCEPT: c"]
    with pytest.raises(LuaError, match="line end"):
        session.request_add_header("A", "b\r\nC: d", 0)


# --- traps ---


def test_traps_are_checked_and_handed_on(here: Policy) -> None:
    sent: list[tuple] = []

    class Port:
        def trap(self, *arguments) -> None:
            sent.append(arguments)

    with pytest.raises(LuaError, match="sends no traps"):
        msys.snmpTrap(Table({"mib": "1.3.6", "payload": "x"}))
    here.ports.snmp = Port()
    msys.snmpTrap(Table({"mib": ".1.3.6", "payload": "x"}))
    msys.snmpTrap(
        Table(
            {
                "mib": "1.3.6",
                "type": "gauge",
                "payload": "7",
                "address": "192.0.2.1",
                "community": "c",
                "trapvar.mib": "1.2.3",
            }
        )
    )
    assert sent == [
        ("1.3.6", "1.3.6.1.4.1.19552.1.4.1.0", "string", "x", None, None),
        ("1.3.6", "1.2.3", "gauge", 7, ("192.0.2.1", 162), "c"),
    ]
    for wrong in (
        {"payload": "x"},
        {"mib": "not an oid", "payload": "x"},
        {"mib": "1.3.6", "type": "IP", "payload": "::1"},
        {"mib": "1.3.6", "type": "counter", "payload": -1},
        {"mib": "1.3.6", "type": "tree", "payload": 1},
        {"mib": "1.3.6"},
    ):
        with pytest.raises(LuaError, match="bad argument #1 to 'snmpTrap'"):
            msys.snmpTrap(Table(wrong))
