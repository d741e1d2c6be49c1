"""The accept construct and what hangs on it."""

from __future__ import annotations

import pytest

from msys import core
from msys.accept import Accept, CommandConstruct
from msys.lua import LuaError, index, length, tostring
from msys.message import Message
from msys.testing.policy import policy
from msys.vctx import ValidationContext

row = pytest.mark.row


def test_remote_address_as_text() -> None:
    four, six = Accept(remote=("192.0.2.1", 4711)), Accept(remote=("2001:db8::1", 25))
    assert tostring(index(four, "remote_addr")) == "192.0.2.1:4711"
    assert tostring(six.remote_addr) == "2001:db8::1.25"
    assert core.ec_sockaddr_family(four.remote_addr) == core.AF_INET
    assert core.ec_sockaddr_family(six.remote_addr) == core.AF_INET6
    assert (index(four, "protocol"), tostring(index(four, "conn_id"))[:3]) == (core.P_ESMTP, "00/")


@row("ac:esmtp_capability_add")
@row("ac:esmtp_capability_remove")
def test_capabilities_are_matched_by_keyword() -> None:
    accept = Accept(capabilities=["PIPELINING", "SIZE 100"])
    accept.esmtp_capability_add("X-NEW a b")
    accept.esmtp_capability_add("size 200")
    assert accept.capabilities == ["PIPELINING", "size 200", "X-NEW a b"]
    accept.esmtp_capability_remove("pipelining")
    accept.esmtp_capability_remove("NOPE")
    accept.esmtp_capability_remove("x-new")
    assert accept.capabilities == ["size 200"]


@row("ac:esmtp_capability_add")
@row("ac:esmtp_capability_remove")
def test_capabilities_are_for_smtp_and_one_line() -> None:
    for call in (Accept.esmtp_capability_add, Accept.esmtp_capability_remove):
        with pytest.raises(LuaError, match="SMTP listener"):
            call(Accept(protocol=core.P_ECSTREAM), "X")
        for wrong in ("a\r\nb", "", None):
            with pytest.raises(LuaError, match="bad argument #1"):
                call(Accept(), wrong)


@row("ac:inbound_session_count")
def test_session_counts_are_asked_of_the_port() -> None:
    accept = Accept(remote=("192.0.2.7", 25), listener="in")
    with policy() as here:
        asked: list[tuple[str, str, str | None]] = []

        def count(cidr: str, service: str, listener: str | None = None) -> int:
            asked.append((cidr, service, listener))
            return 3

        here.ports.sessions.count = count  # type: ignore[method-assign]
        assert accept.inbound_session_count() == 3
        assert accept.inbound_session_count("/24") == 3
        assert accept.inbound_session_count("10.0.0.0/8", "ECStream") == 3
        accept.inbound_session_count(None, "SMTP")
        accept.inbound_session_count("localhost/32")
        accept.pbp_inbound_session_count_service("SMTP", "/16")
        assert asked == [
            ("192.0.2.7/32", "SMTP", "in"),
            ("192.0.2.0/24", "SMTP", None),
            ("10.0.0.0/8", "ECStream", None),
            ("192.0.2.7/32", "SMTP", None),
            ("127.0.0.1/32", "SMTP", None),
            ("192.0.0.0/16", "SMTP", None),
        ]
        for wrong in (("/99",), ("nonsense",), (None, "smtp")):
            with pytest.raises(LuaError, match="bad argument"):
                accept.inbound_session_count(*wrong)


def test_message_construct_leads_to_message_and_context() -> None:
    accept = Accept()
    accept.vctx, accept.message = ValidationContext(), Message()
    construct = core.accept_construct_get_message_construct(accept)
    assert construct is not None
    assert index(construct, "ctx") is accept.vctx
    assert index(construct, "message") is accept.message
    assert core.accept_construct_get_message_construct(Accept(protocol=core.P_MM7)) is None
    with pytest.raises(LuaError, match="accept construct expected, got nil"):
        core.accept_construct_get_message_construct(None)


def test_command_arguments_count_from_zero_and_end() -> None:
    command = CommandConstruct(["name", "a", "b"])
    words = index(command, "argv")
    assert (index(command, "argc"), index(words, 0), index(words, 2.0)) == (3, "name", "b")
    assert length(words) == 3
    for wrong in (3, -1, 1.5, "x", None, True):
        with pytest.raises(LuaError, match=r"argv\[.*\] is out of range"):
            index(words, wrong)
