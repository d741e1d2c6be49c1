"""The message functions of the catalogue, called from compiled Lua in a simulated session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from moonpost.cli.sim import command

LETTER = (
    b"From: Ann <ann@example.test>\r\nTo: Bob <bob@example.test>\r\nSubject: one\r\nX-Gone: x\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nHello big world\r\n"
)
HEAD = """\
require("msys.core") require("msys.extended.message") require("msys.extended.message_routing")
require("msys.extended.vctx") require("msys.extended.ac")
local mod = {}
"""
CASES = [  # functions, Lua that runs when the message is whole, what it prints
    (["msg:header"], 'msg:header("Subject", "two") print(msg:header("subject")[1])', ["two"]),
    (["msg:header"], 'msg:header("X-Gone", nil) print(#msg:header("X-Gone"))', ["0"]),
    (["msg:header"], 'msg:header("X-N", "1") msg:header("X-N", "2", "append") '
     'print(#msg:header("X-N"))', ["2"]),
    (["msg:context_set", "msg:context_get"],
     'msg:context_set(msys.core.ECMESS_CTX_MESS, "k", "v") '
     'print(msg:context_get(msys.core.ECMESS_CTX_MESS, "k"))', ["v"]),
    (["msg:context_exists", "msg:context_delete", "msg:context_exists_and_get"],
     'local M = msys.core.ECMESS_CTX_MESS msg:context_set(M, "k", "v") '
     'print(msg:context_exists(M, "k"), msg:context_exists_and_get(M, "k")) '
     'msg:context_delete(M, "k") print(msg:context_exists(M, "k"))', ["1\t1\tv", "0"]),
    (["msg:mailfrom"], 'msg:mailfrom("new@example.test") print(msg:mailfrom())',
     ["new@example.test"]),
    (["msg:rcptto"], "print(msg:rcptto())", ["bob@example.test"]),
    (["msg:get_message_size"], "print(msg:get_message_size() > 100)", ["true"]),
    (["msg:body"], 'print(msg:body():find("Hello", 1, true))', ["1\t5"]),
    (["msg:raw"], 'print((msg:raw()):find("X-Gone", 1, true) ~= nil)', ["true"]),
    (["msg:text"], 'msg:text("fresh words") print(msg:raw():find("fresh words", 1, true) ~= nil)',
     ["true"]),
    (["msg:body_replace"], 'msg:body_replace("big", "small") '
     'print(msg:raw():find("Hello small world", 1, true) ~= nil)', ["true"]),
    (["msg:text_replace"], 'msg:text_replace("big", "small") '
     'print(msg:raw():find("Hello small world", 1, true) ~= nil)', ["true"]),
    (["msg:raw_replace"], 'msg:raw_replace("Hello", "Bye") '
     'print(msg:raw():find("Bye big world", 1, true) ~= nil)', ["true"]),
    (["msg:body_match"], 'print(msg:body_match("(b.g)")[1])', ["big"]),
    (["msg:text_match"], 'print(msg:text_match("(b.g)")[1])', ["big"]),
    (["msg:raw_match"], 'print(msg:raw_match("X-(Gone)")[1])', ["Gone"]),
    (["msg:makeBoundary"], "print(msg:makeBoundary() ~= msg:makeBoundary())", ["true"]),
    (["msg:mime", "msgpart:content_type"], "print(msg:mime():content_type().mimetype)", ["text/plain"]),
    (["msg:mime", "msgpart:header"], 'print(msg:mime():header("Subject")[1])', ["one"]),
    (["msg:mime", "msgpart:address_header"],
     'print(msg:mime():address_header("From", "domain")[1])', ["example.test"]),
    (["msgpart:body_match"], 'print(msg:mime():body_match("(b.g)")[1])', ["big"]),
    (["msgpart:text_match"], 'print(msg:mime():text_match("(b.g)")[1])', ["big"]),
    (["vctx:set", "vctx:get"], 'vctx:set(msys.core.VCTX_MESS, "k", "v") '
     'print(vctx:get(msys.core.VCTX_MESS, "k"))', ["v"]),
    (["msgpart:raw_match"], 'print(msg:mime():raw_match("X-(Gone)")[1])', ["Gone"]),
    (["msgpart:text"], 'msg:mime(false):text("fresh") print(msg:mime():text())', ["fresh"]),
    (["msgpart:text_replace"],
     'msg:mime(false):text_replace("big", "small") print((msg:raw():find("small world", 1, true)) ~= nil)',
     ["true"]),
    (["msgpart:body_replace"],
     'msg:mime(false):body_replace("big", "small") print((msg:raw():find("small world", 1, true)) ~= nil)',
     ["true"]),
    (["msgpart:raw_replace"],
     'msg:mime(false):raw_replace("Hello", "Bye") print((msg:raw():find("Bye big", 1, true)) ~= nil)',
     ["true"]),
    (["msg:makeContainer", "msg:makePart", "msgpart:addLastChild", "msgpart:addFirstChild"],
     'local box = msg:makeContainer("multipart/mixed") '
     'print(box:addLastChild(msg:makePart("text/plain", "b")), '
     'box:addFirstChild(msg:makePart("text/plain", "a")))', ["true\ttrue"]),
    (["msgpart:insertAfter", "msgpart:insertBefore", "msgpart:unlink"],
     'local box = msg:makeContainer("multipart/mixed") '
     'local a, b, c = msg:makePart("text/plain", "a"), msg:makePart("text/plain", "b"), '
     'msg:makePart("text/plain", "c") box:addLastChild(b) '
     'print(c:insertAfter(b), a:insertBefore(b), box:addLastChild(a)) '
     'a:unlink() print(box:addLastChild(a))', ["true\ttrue\tfalse", "true"]),
    (["msg.id", "msg.conn_id", "msg.batch_id"],
     'print(#tostring(msg.id) > 0, #tostring(msg.conn_id) > 0, #tostring(msg.batch_id) > 0)',
     ["true\ttrue\ttrue"]),
    (["msg:reception_peer"], 'print(msg:reception_peer():match("^127.0.0.1") ~= nil)', ["true"]),
    (["msg:listener_addr"], "print(type(msg:listener_addr()))", ["string"]),
    (["msg:routing_domain"], 'msg:routing_domain("far.test") print(msg:routing_domain())',
     ["far.test"]),
    (["vctx:recipient_list"], "print(vctx:recipient_list()[1])", ["bob@example.test"]),
    (["vctx:add_recipient"],
     'vctx:add_recipient("cy@example.test") print(#vctx:recipient_list())', ["2"]),
    (["vctx:remove_recipient"],
     'vctx:add_recipient("cy@example.test") vctx:remove_recipient("bob@example.test") '
     'print(vctx:recipient_list()[1])', ["cy@example.test"]),
    (["msg:code"], 'msg:code("554", "5.4.7 too old") print(msg:code())', ["554 5.4.7 too old"]),
    (["msg:get_delivery_method"], "print(msg:get_delivery_method():lower())", ["esmtp"]),
    (["msg:get_envelope2"],
     'local name, domain = msys.core.string_new(), msys.core.string_new() '
     'print((msg:get_envelope2(msys.core.EC_MSG_ENV_TO, name, domain)), '
     'tostring(name), tostring(domain))', ["1\tbob\texample.test"]),
    (["msg:build"], 'local new = msys.core.ec_message_new(nil) '
     'new:build({Subject = "made"}, {["text/plain"] = "words"}, {}) '
     'print(new:header("Subject")[1])', ["made"]),
    (["msg:forward"], 'print(msg:forward("ann@example.test", "cy@example.test", "see below"))',
     ["true"]),
    (["msg:inject"], 'print(msg:inject("ann@example.test", "cy@example.test"))', ["true"]),
    (["ac:inbound_session_count"], "print(accept:inbound_session_count())", ["1"]),
]  # fmt: skip
NAMED = [
    pytest.param(body, expected, marks=pytest.mark.from_lua(*names), id=f"{n}-{names[0]}")
    for n, (names, body, expected) in enumerate(CASES)
]


SESSIONS = [  # functions, callout, Lua, phase, what its reply has
    (["ac:esmtp_capability_add"], "validate_ehlo(ehlo, accept, vctx)",
     'accept:esmtp_capability_add("XFRESH 1")', "ehlo", (250, "XFRESH 1")),
    (["vctx:set_code"], "validate_data(msg, accept, vctx)",
     'vctx:set_code(554, "5.7.1 unwanted words")', "data", (554, "5.7.1 unwanted words")),
    (["vctx:disconnect"], "validate_rcptto(msg, rcpt, accept, vctx)",
     'vctx:disconnect(421, "4.7.0 come later")', "rcpt", (421, "4.7.0 come later")),
]  # fmt: skip
WRONG = [  # a function, Lua that passes what it does not take, the argument that the error names
    ("msg:header", "msg:header(nil)", "bad argument #1 to 'header'"),
    ("msg:context_get", "msg:context_get(nil, 'k')", "bad argument #1 to 'context_get'"),
    ("msg:body_match", "msg:body_match(nil)", "bad argument #1 to 'body_match'"),
    ("msg:raw_replace", "msg:raw_replace('a', nil)", "bad argument #2 to 'raw_replace'"),
    ("msg:makePart", "msg:makePart(nil)", "bad argument #1 to 'makePart'"),
    ("msgpart:addLastChild", "msg:mime(false):addLastChild(nil)", "bad argument #1 to 'addLastChild'"),
    ("vctx:set_code", "vctx:set_code({}, 'x')", "bad argument #1 to 'set_code'"),
    ("vctx:add_recipient", "vctx:add_recipient(nil)", "bad argument #1 to 'add_recipient'"),
]  # fmt: skip


def play(folder: Path, callout: str, body: str) -> list[dict[str, Any]]:
    """The phases of a session in which the callout runs the Lua; an error in it fails the test."""
    script = folder / "policy.lua"
    script.write_text(
        f"{HEAD}function mod:{callout}\n{body}\n"
        '  return msys.core.VALIDATE_CONT\nend\nmsys.registerModule("policy", mod)\n',
        encoding="utf-8",
    )
    (folder / "letter.eml").write_bytes(LETTER)
    done = CliRunner().invoke(
        command, [str(script), "-m", str(folder / "letter.eml"), "--from", "ann@example.test",
                  "--rcpt", "bob@example.test", "--json"],
    )  # fmt: skip
    phases: list[dict[str, Any]] = json.loads(done.stdout)["phases"]
    ran = [ran for phase in phases for ran in phase["callouts"]]
    assert [each["error"] for each in ran] == [None], done.output
    return phases


def printed(folder: Path, body: str) -> list[str]:
    """What the Lua prints in validate_data."""
    phases = play(folder, "validate_data(msg, accept, vctx)", body)
    lines: list[str] = [
        line for phase in phases for ran in phase["callouts"] for line in ran["printed"]
    ]
    return lines


@pytest.mark.parametrize(("body", "expected"), NAMED)
def test_a_function_has_its_effect(tmp_path: Path, body: str, expected: list[str]) -> None:
    assert printed(tmp_path, body) == expected


@pytest.mark.parametrize(
    ("callout", "body", "phase", "reply"),
    [
        pytest.param(*rest, marks=pytest.mark.from_lua(*names), id=names[0])
        for names, *rest in SESSIONS
    ],
)
def test_a_function_changes_the_reply(
    tmp_path: Path, callout: str, body: str, phase: str, reply: tuple[int, str]
) -> None:
    said = next(each["reply"] for each in play(tmp_path, callout, body) if each["phase"] == phase)
    assert said["code"] == reply[0]
    assert reply[1] in said["text"]


@pytest.mark.from_lua("ac:esmtp_capability_remove")
def test_a_removed_capability_is_not_offered(tmp_path: Path) -> None:
    phases = play(tmp_path, "validate_ehlo(ehlo, accept, vctx)",
                  'accept:esmtp_capability_remove("PIPELINING")')  # fmt: skip
    assert "PIPELINING" not in phases[1]["reply"]["text"].split("\n")


@pytest.mark.from_lua("vctx:tarpit")
def test_a_tarpit_holds_the_session(tmp_path: Path) -> None:
    phases = play(tmp_path, "validate_connect(accept, vctx)", "vctx:tarpit(3)")
    assert phases[0]["held_s"] == 3


@pytest.mark.parametrize(
    ("body", "text"),
    [pytest.param(*rest, marks=pytest.mark.from_lua(name), id=name) for name, *rest in WRONG],
)
def test_a_wrong_argument_is_an_error_that_names_it(tmp_path: Path, body: str, text: str) -> None:
    lines = printed(tmp_path, f"print(pcall(function() {body} end))")
    assert len(lines) == 1
    assert lines[0].startswith("false\t")
    assert text in lines[0]
