"""msys.core: constants, C names, string buffers, io objects."""

from __future__ import annotations

import os

import pytest

from msys import core
from msys.accept import SocketAddress
from msys.domain_record import DomainRecord
from msys.ecstring import EcString
from msys.lua import (
    LuaError,
    Table,
    concat,
    eq,
    index,
    invoke,
    length,
    lt,
    open_libs,
    setindex,
    string,
    tostring,
)
from msys.lua import type as lua_type
from msys.message import Message
from msys.testing.policy import policy
from msys.vctx import ValidationContext

row = pytest.mark.row


def test_published_constants_have_their_values() -> None:
    names = core.members()
    assert [names[f"VALIDATE_{word}"] for word in ("CONT", "DONE", "AGAIN")] == [0, 1, 2]
    assert (names["VCTX_CONN"], names["VCTX_MESS"]) == (0, 1)
    assert (names["ECMESS_CTX_CONN"], names["ECMESS_CTX_MESS"]) == (0, 1)
    assert [names[f"EC_HOOK_{word}"] for word in ("CONT", "DONE", "RETRY")] == [0, 1, 2]
    assert (names["P_ESMTP"], names["MC_STATE_COUNT"], names["STRING_TYPE_IO_OBJECT"]) == (
        2,
        23,
        -102,
    )
    assert names["O_RDRW"] == os.O_RDWR
    assert names["STANDARD_KEY_MAILFROM_DOMAIN"] == "mailfrom_domain"
    assert "PROTOCOLS" not in names


@row("msys.core.string_new")
def test_string_buffers() -> None:
    buffer = core.string_new()
    assert (lua_type(buffer), tostring(buffer), length(buffer)) == ("userdata", "", 0)
    assert core.string_new() is not buffer
    invoke(buffer, "set", "abc")
    assert buffer.write("defg", 2) == 2
    assert core.stringwrite(buffer, 7) == 1
    assert index(buffer, "buffer") == "abcde7"
    assert (index(buffer, "len"), length(buffer)) == (6, 6)
    assert concat("<", buffer) == "<abcde7"


@row("msys.core.string_new")
def test_a_string_buffer_is_accepted_as_a_string_and_equal_to_none() -> None:
    buffer = EcString("abc")
    with policy() as here:
        open_libs(here.environment)
        assert string.upper(buffer) == "ABC"
        assert invoke(buffer, "upper") == "ABC"
        assert not eq(buffer, "abc")
        assert lt(EcString("a"), EcString("b"))
    assert Message().context_set(1, buffer, buffer) == 1


def test_a_string_buffer_of_fixed_size_refuses_more() -> None:
    buffer = EcString("", capacity=3)
    buffer.set("abc")
    with pytest.raises(LuaError, match="4 bytes do not fit"):
        buffer.write("d")
    assert tostring(buffer) == "abc"


def test_a_string_buffer_writes_into_an_io_object() -> None:
    with policy() as here:
        stream, _ = core.io_wrapper_open("/data/out", core.O_WRONLY | core.O_CREAT)
        buffer = core.string_new()
        setindex(buffer, "type", core.STRING_TYPE_IO_OBJECT)
        setindex(buffer, "backing", stream)
        Message(content=b"A: 1\r\n\r\nx\r\n").render_to_string(buffer, 0)
        assert stream is not None
        stream.close()
        assert here.ports.files.content["/data/out"] == b"A: 1\r\n\r\nx\r\n.\r\n"


@row("msys.core.get_now_ts")
def test_now_is_whole_seconds_of_the_clock() -> None:
    with policy() as here:
        before = core.get_now_ts()
        here.ports.clock.advance(60.7)
        assert (core.get_now_ts() - before, lua_type(before)) == (60, "number")
        assert isinstance(before, int)


@row("msys.core.io_wrapper_open")
def test_io_objects_write_and_read() -> None:
    with policy() as here:
        flags = core.O_CREAT | core.O_APPEND | core.O_WRONLY
        stream, error = core.io_wrapper_open("/log/x", flags, 0o660)
        assert error is None
        assert stream is not None
        data = "one\r\ntwo\nthree"
        assert stream.write(data, len(data)) == len(data)
        assert stream.write("!!!", 1) == 1
        assert stream.close() is True
        with pytest.raises(LuaError, match="closed"):
            stream.write("x")
        assert here.ports.files.content["/log/x"] == b"one\r\ntwo\nthree!"
        again, _ = core.io_wrapper_open("/log/x")
        assert again is not None
        assert [again.read(), again.read("*l"), again.read(2), again.read("*a")] == [
            "one",
            "two",
            "th",
            "ree!",
        ]
        assert (again.read(), again.read(5), again.read("*a")) == (None, None, "")
        with pytest.raises(LuaError, match="bad argument #1 to 'read'"):
            again.read(-1)


@row("msys.core.io_wrapper_open")
def test_what_cannot_be_opened_gives_nil_and_the_reason() -> None:
    with policy():
        stream, error = core.io_wrapper_open("/no/such/file")
        assert stream is None
        assert "No such file" in str(error)
        with pytest.raises(LuaError, match="bad argument #1 to 'io_wrapper_open'"):
            core.io_wrapper_open(None)


@row("msys.core.dns_get_domain")
@row("msys.core.mail_queue_delay_domain")
def test_domain_records_can_be_delayed() -> None:
    with policy() as here:
        here.ports.outbox.domains["example.test"] = DomainRecord("example.test", deliveries=5)
        record = core.dns_get_domain("Example.TEST.")
        assert record is not None
        assert (index(record, "domain"), index(record, "deliveries")) == ("example.test", 5)
        assert core.mail_queue_delay_domain(record, "451 4.4.1 held") is None
        assert here.ports.outbox.delayed == [("example.test", "451 4.4.1 held")]
        assert core.dns_get_domain("unknown.test") is None
        assert core.dns_get_domain("not a domain") is None
        for wrong in ((None, "x"), ("example.test", "x"), (record, None)):
            with pytest.raises(LuaError, match="bad argument"):
                core.mail_queue_delay_domain(*wrong)


def test_c_names_are_the_methods() -> None:
    msg, vctx = Message(mess={"k": "v"}), ValidationContext()
    names = core.members()
    assert names["ec_message_context_get"](msg, core.ECMESS_CTX_MESS, "k") == "v"
    assert names["ec_message_context_exists_and_get"](msg, 1, "no") == (0, None)
    names["validate_context_set_code"](vctx, 550, "no")
    names["validate_context_disconnect"](vctx, 554, "gone")
    assert (vctx.code, vctx.disconnect) == (554, 1)
    with pytest.raises(
        LuaError, match=r"bad argument #1 to 'ec_message_context_get' .message expected, got nil"
    ):
        names["ec_message_context_get"](None, 1, "k")
    with pytest.raises(LuaError, match="got no value"):
        names["ec_message_get_code"]()
    with pytest.raises(LuaError, match="mobile edition"):
        names["ec_message_blobject_get"](msg, "x")


def test_a_builder_makes_the_message_when_it_is_closed() -> None:
    with policy():
        msg = core.ec_message_new(None)
        builder = core.ec_message_builder(msg, 100)
        assert builder.write("A: 1\r\n\r\nbody\r\n.\r\nxx", 18) == 18
        assert msg.content == b""
        builder.close()
        assert msg.header("A")[1] == "1"
        with pytest.raises(LuaError, match="built already"):
            builder.write("x")


def test_bindings_have_slots() -> None:
    with policy() as here:
        here.ports.configuration.bindings[:] = ["default", "fast"]
        here.ports.configuration.groups["g"] = ["fast"]
        assert core.config_get_binding_id_from_name("fast") == 1
        assert core.config_get_binding_id_from_name("nope") == -1
        assert core.config_get_binding_name_from_id(1) == "fast"
        assert core.config_get_binding_name_from_id(2) is None
        assert (
            core.config_get_binding_group_size("g"),
            core.config_get_binding_group_size("x"),
        ) == (1, 0)
    assert core.protocol_string(core.P_ESMTP) == "ESMTP"
    assert core.protocol_string(99) == "UNKNOWN"
    with pytest.raises(LuaError, match="socket address expected, got table"):
        core.ec_sockaddr_family(Table())
    assert core.ec_sockaddr_family(SocketAddress("::1", 1)) == core.AF_INET6
