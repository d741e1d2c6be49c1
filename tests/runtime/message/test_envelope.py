"""Envelope, ids, binding, disposition and contexts of messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from msys import core
from msys.identity import NO_ID, Id, IdSource
from msys.lua import LuaError, Table, concat, eq, index, setindex, tostring
from msys.message import Message
from msys.testing.policy import Policy, policy
from msys.vctx import ValidationContext
from testkit.messages import PLAIN, message

row = pytest.mark.row
FORM = re.compile(r"[0-9A-F]{2}/[0-9A-F]{2}-\d{5}-[0-9A-F]{8}")


@row("msg.id")
def test_id_has_the_form_of_the_logs_and_stays() -> None:
    msg = message()
    text = tostring(msg.id)
    assert FORM.fullmatch(text)
    assert tostring(index(msg, "id")) == text
    assert concat("id ", msg.id) == "id " + text
    assert eq(msg.id, Id(text))
    with policy():
        assert not eq(msg.id, text)
    assert message().id != msg.id
    with pytest.raises(LuaError):
        setindex(msg, "id", "x")


@row("msg.conn_id")
def test_conn_id_is_that_of_the_connection() -> None:
    conn = Id("00/01-00002-00000003")
    assert message(conn_id=conn).conn_id is conn
    assert message().conn_id == NO_ID
    assert tostring(index(message(), "conn_id")) == "00/00-00000-00000000"


@row("msg.batch_id")
def test_batch_id_is_common_to_all_copies() -> None:
    alone = message()
    assert alone.batch_id == alone.id
    batch = Id("00/01-00002-00000003")
    copies = [message(batch_id=batch).copy_for(f"r{n}@example.test") for n in range(3)]
    assert {copy.batch_id for copy in copies} == {batch}
    assert len({copy.id for copy in copies}) == 3
    assert tostring(index(copies[0], "batch_id")) == batch.text


def test_ids_never_repeat_even_when_the_clock_stands_still() -> None:
    source = IdSource(process=lambda: 123456, now_s=lambda: 1000.0)
    seen = {source.next().text for _ in range(70_000)}
    assert len(seen) == 70_000
    assert all(FORM.fullmatch(text) for text in list(seen)[:100])


@row("msg:mailfrom")
def test_mailfrom_reads_and_writes() -> None:
    msg = message()
    assert msg.mailfrom() == "ann@example.test"
    assert msg.mailfrom(None) == "ann@example.test"
    assert msg.mailfrom("<new@example.test>") == "new@example.test"
    assert msg.sender == "new@example.test"
    assert msg.mailfrom("") == ""
    assert msg.content == PLAIN
    for wrong in ("no address", "a@b\r\nc", "@x"):
        with pytest.raises(LuaError, match="not an address"):
            msg.mailfrom(wrong)


@row("msg:mailfrom")
def test_mailfrom_in_set_binding_works_and_is_logged() -> None:
    with policy("validate_set_binding", phase="set_binding") as here:
        assert message().mailfrom("x@y.test") == "x@y.test"
        assert len(here.ports.log.lines) == 1


@row("msg:rcptto")
def test_rcptto_can_be_set_on_the_copies_only() -> None:
    msg = message()
    for phase in ("rcptto", "data", "data_spool"):
        with policy(phase=phase):
            assert msg.rcptto() == "bob@example.test"
            with pytest.raises(LuaError, match=phase):
                msg.rcptto("x@y.test")
    for phase in ("data_spool_each_rcpt", "set_binding", "delivery"):
        with policy(phase=phase):
            assert msg.rcptto(f"{phase}@y.test") == f"{phase}@y.test"
    assert msg.routing_domain() == "y.test"
    with pytest.raises(LuaError, match="not an address"):
        msg.rcptto("")


@row("msg:get_envelope2")
def test_get_envelope2_fills_buffers() -> None:
    msg = message()
    local, domain = core.string_new(), core.string_new()
    local.set("old")
    assert msg.get_envelope2(core.EC_MSG_ENV_TO, local, domain) == (1, 0)
    assert (tostring(local), index(domain, "buffer")) == ("bob", "example.test")
    flags = core.EC_MSG_ENV_FROM | core.EC_MSG_ENV_COMPLETE
    assert msg.get_envelope2(flags, local, None) == (1, 0)
    assert tostring(local) == "ann@example.test"
    msg.mailfrom("")
    assert msg.get_envelope2(core.EC_MSG_ENV_FROM, local, domain) == (1, 1)
    assert (tostring(local), tostring(domain)) == ("", "")


@row("msg:get_envelope2")
def test_get_envelope2_refuses_what_is_unclear() -> None:
    msg, buffer = message(), core.string_new()
    for flags in (0, core.EC_MSG_ENV_FROM | core.EC_MSG_ENV_TO, core.EC_MSG_ENV_COMPLETE):
        with pytest.raises(LuaError, match="EC_MSG_ENV_FROM"):
            msg.get_envelope2(flags, buffer, None)
    with pytest.raises(LuaError, match="ec_string expected, got string"):
        msg.get_envelope2(core.EC_MSG_ENV_TO, "x", None)


@contextmanager
def binding_policy(phase: str = "set_binding") -> Iterator[Policy]:
    """A running call with bindings, in the phase where they are assigned or another."""
    with policy("validate_set_binding", phase=phase) as here:
        here.ports.configuration.bindings[:] = ["default", "fast", "slow"]
        here.ports.configuration.groups["both"] = ["fast", "slow"]
        here.ports.configuration.groups["none"] = []
        yield here


@row("msg:binding")
def test_binding_is_assigned_in_set_binding() -> None:
    msg = message()
    with binding_policy() as here:
        assert msg.binding() is None
        assert msg.binding("fast") == "fast"
        assert msg.binding("FAST") is None
        assert (msg.binding(), msg.binding_name) == ("fast", "fast")
        assert msg.binding("default") == "default"
        assert len(here.ports.log.lines) == 1


@row("msg:binding")
@row("msg:binding_group")
def test_elsewhere_nothing_is_assigned_and_the_log_says_so() -> None:
    msg = message()
    with binding_policy("data") as here:
        assert msg.binding("fast") is None
        assert msg.binding_group("both") is None
        assert msg.binding_name is None
        assert len(here.ports.log.lines) == 2


@row("msg:binding_group")
def test_binding_group_picks_a_member() -> None:
    with binding_policy():
        seen = set()
        for _ in range(100):
            msg = message()
            assert msg.binding_group() is None
            assert msg.binding_group("both") == "both"
            assert msg.binding_group() == "both"
            seen.add(msg.binding())
        assert seen == {"fast", "slow"}
        msg = message()
        assert msg.binding_group("nope") is None
        assert msg.binding_name is None
        assert msg.binding_group("none") == "none"
        assert msg.binding() == "default"


@row("msg:binding_group")
def test_binding_group_leaves_suspended_members_out() -> None:
    with binding_policy() as here:
        held = here.ports.configuration.suspensions
        domain = message().recipient.rpartition("@")[2]
        held.add(("fast", domain))
        chosen = []
        for _ in range(30):
            msg = message()
            msg.binding_group("both")
            chosen.append(msg.binding())
        assert set(chosen) == {"slow"}
        held.add(("slow", domain))
        msg = message()
        assert msg.binding_group("both") == "both" and msg.binding() in ("fast", "slow")


@row("msg:code")
def test_code_gets_and_sets_the_response() -> None:
    msg = message()
    assert msg.code() is None
    assert msg.code("421", "Too much spam.") == "421 Too much spam."
    assert msg.code(554, "a\nb\r\nc") == "554-a\r\n554-b\r\n554 c"
    assert msg.code() == msg.get_code() == msg.response
    assert msg.code(0, "550 5.7.1 no") == "550 5.7.1 no"
    assert msg.set_code(421, "x") == "421 x"
    for wrong in ((1000, "x"), (-1, "x"), (0, "no code"), ("abc", "x")):
        with pytest.raises(LuaError, match="bad argument"):
            msg.code(*wrong)


@row("msg:code")
@row("msg:discard")
def test_set_binding_cannot_refuse() -> None:
    with policy("validate_set_binding", phase="set_binding"):
        for call in (lambda: message().code(550, "x"), lambda: message().discard()):
            with pytest.raises(LuaError, match="set_binding"):
                call()


@row("msg:discard")
def test_discard_keeps_the_reason() -> None:
    msg, vctx = message(), ValidationContext()
    with policy(vctx=vctx):
        msg.discard("550 5.7.1 spam")
    assert msg.discarded == "550 5.7.1 spam"
    assert vctx.changed_at is not None
    assert vctx.changed_at[0].endswith("test_envelope.py")
    msg.discard()
    assert msg.discarded == "550 5.7.0 discarded by policy"
    msg.discard("no code")
    assert msg.discarded == "550 5.7.1 [internal] discarded by policy"
    copy = message().copy_for("x@y.test")
    copy.discard()
    assert message().discarded is None


@row("msg:listener_addr")
@row("msg:reception_peer")
def test_addresses_of_both_ends() -> None:
    msg = message(peer=("2001:db8::1", 4711))
    assert (msg.listener_addr("ip"), msg.listener_addr("port")) == ("192.0.2.1", "25")
    assert msg.listener_addr() == msg.listener_addr(None) == msg.listener_addr("all")
    assert msg.listener_addr() == "192.0.2.1:25"
    assert msg.reception_peer("ip") == "2001:db8::1"
    assert msg.reception_peer("port") == "4711"
    assert msg.reception_peer() == "[2001:db8::1]:4711"
    assert Message().reception_peer() == ""
    assert Message().listener_addr("port") == ""
    with pytest.raises(LuaError, match="invalid flag 'host'"):
        msg.reception_peer("host")


@row("msg:routing_domain")
def test_routing_domain_defaults_to_gateway_then_recipient() -> None:
    msg = message(rcptto="bob@Example.TEST")
    assert msg.routing_domain() == "example.test"
    with policy() as here:
        here.ports.configuration.options["gateway"] = "Relay.test"
        assert msg.routing_domain() == "relay.test"
        assert msg.routing_domain("Other.Test.") == "other.test"
    assert msg.routing_domain() == "other.test"
    assert msg.routing_domain("192.0.2.9") == "192.0.2.9"
    assert msg.copy_for("x@y.test").routing_domain() == "192.0.2.9"
    for wrong in (None, "", "a b", Table()):
        with pytest.raises(LuaError, match="bad argument #1 to 'routing_domain'"):
            msg.routing_domain(wrong)


@row("msg:get_delivery_method")
def test_delivery_method_is_the_configured_one_in_lower_case() -> None:
    assert message().get_delivery_method() == "esmtp"
    with policy() as here:
        here.ports.configuration.options["delivery_method"] = "GCM"
        assert message().get_delivery_method() == "gcm"


def test_priority_is_zero_or_one() -> None:
    msg = message()
    setindex(msg, "priority", 1)
    assert index(msg, "priority") == 1
    assert msg.copy_for("x@y.test").priority == 1
    with pytest.raises(LuaError, match="0 or 1"):
        setindex(msg, "priority", 2)
    assert (index(msg, "recv_method"), msg.is_mcmt()) == (core.P_ESMTP, 0)


MESS, CONN = core.ECMESS_CTX_MESS, core.VCTX_CONN


@row("msg:context_set")
@row("msg:context_get")
def test_context_variables_are_text() -> None:
    msg = message()
    assert msg.context_set(MESS, "k", 1) == 1
    assert msg.context_get(MESS, "k") == "1"
    assert msg.context_set(MESS, "k", "1") == 0
    assert msg.context_set(MESS, "k", "2") == 1
    assert msg.context_set(CONN, "k", 1.5) == 1
    assert (msg.context_get(CONN, "k"), msg.context_get("0", "k")) == ("1.5", "1.5")
    assert msg.context_get(MESS, "K") == ""
    assert (msg.mess, msg.conn) == ({"k": "2"}, {"k": "1.5"})


@row("msg:context_set")
def test_nil_is_not_stored_and_logged() -> None:
    with policy() as here:
        assert message().context_set(MESS, "k", None) == 0
        assert message().context_set(MESS, None, "v") == 0
        assert len(here.ports.log.lines) == 2
    for wrong in (True, Table()):
        with pytest.raises(LuaError, match="string expected"):
            message().context_set(MESS, "k", wrong)


@row("msg:context_exists")
@row("msg:context_exists_and_get")
@row("msg:context_delete")
def test_existence_is_a_number() -> None:
    msg = message(mess={"empty": ""})
    assert (msg.context_exists(MESS, "empty"), msg.context_exists(MESS, "no")) == (1, 0)
    assert msg.context_exists_and_get(MESS, "empty") == (1, "")
    assert msg.context_exists_and_get(MESS, "no") == (0, None)
    assert msg.context_delete(MESS, "empty") == 1
    assert msg.context_delete(MESS, "empty") == 0
    assert msg.context_exists(MESS, "empty") == 0


@row("msg:context_get")
def test_a_wrong_dictionary_is_logged_and_a_nil_one_raises() -> None:
    with policy() as here:
        assert message().context_get(7, "k") == ""
        assert message().context_exists(True, "k") == 0
        assert all("out of bounds" in text for _, text, _ in here.ports.log.lines)
        assert len(here.ports.log.lines) == 2
    for call in (
        lambda: message().context_get(None, "k"),
        lambda: message().context_get(MESS, None),
        lambda: message().context_delete(MESS, None),
    ):
        with pytest.raises(LuaError, match="bad argument"):
            call()


def test_keys_can_be_walked() -> None:
    msg = message(mess={"a": "1", "b": "2"})
    assert msg.context_firstkey(MESS) == "a"
    assert msg.context_nextkey(MESS, "a") == "b"
    assert msg.context_nextkey(MESS, "b") is None
    assert msg.context_firstkey(CONN) is None


def test_contexts_are_shared_until_fan_out() -> None:
    vctx = ValidationContext()
    msg = message(conn=vctx.conn, mess=vctx.mess)
    vctx.set(core.VCTX_MESS, "k", "v")
    assert msg.context_get(MESS, "k") == "v"
    copy = msg.copy_for("x@y.test")
    copy.context_set(MESS, "k", "mine")
    assert msg.context_get(MESS, "k") == "v"
    vctx.follow(copy)
    assert vctx.get(core.VCTX_MESS, "k") == "mine"
