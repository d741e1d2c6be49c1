"""Stored messages as policy loads, saves, sends and forgets them."""

from __future__ import annotations

import pytest

from msys.lua import LuaError
from msys.ports import PortError, StoredMessage
from msys.testing.policy import Policy
from testkit.lua_chunk import results
from testkit.messages import PLAIN, message

row = pytest.mark.row


@pytest.fixture
def stored(here: Policy) -> Policy:
    kept = StoredMessage(PLAIN, "ann@example.test", "+12345@mms.example.test")
    here.ports.mstore.messages["MADR-12345", "id-1"] = kept
    return here


@row("msys.mstore.load")
def test_load_gives_a_message_with_its_envelope(stored: Policy) -> None:
    lua = """
        require("msys.mstore")
        local msg = msys.mstore.load("MADR-12345", "id-1")
        return msys.type(msg), msg:mailfrom(), msg:rcptto(), msg:header("Subject")[1], msg:body()"""
    kind, sender, recipient, subject, body = results(stored, lua)
    assert kind == "msys.core:_ec_message" and subject == "Hello" and "Dear Bob" in body
    assert (sender, recipient) == ("ann@example.test", "+12345@mms.example.test")


@row("msys.mstore.load")
def test_a_message_that_is_not_there_is_nil_without_noise(stored: Policy) -> None:
    lua = 'return msys.mstore.load("MADR-12345", "id-2"), msys.mstore.load("MADR-MM7", "id-1")'
    assert results(stored, lua) == (None, None)
    assert not stored.ports.log.lines


@row("msys.mstore.load")
def test_a_loaded_message_is_sent_to_another_and_stays_stored(stored: Policy) -> None:
    lua = """
        local msg = msys.mstore.load("MADR-12345", "id-1")
        msg:inject(msg:mailfrom(), "john@example.test")
        return msys.mstore.load("MADR-12345", "id-1") ~= nil"""
    assert results(stored, lua) == (True,)
    sent, sender, recipients = stored.ports.outbox.submitted[0]
    assert (sender, recipients) == ("ann@example.test", ("john@example.test",))
    assert b"Dear Bob" in sent.content


@row("msys.mstore.load")
def test_a_store_that_fails_is_nil_and_a_line_in_the_log(stored: Policy) -> None:
    stored.ports.mstore.down = PortError("STORE", "Riak does not answer")
    lua = 'return msys.mstore.load("MADR-12345", "id-1")'
    assert results(stored, lua) == (None,)
    assert "mstore: Riak does not answer; MADR-12345/id-1 not loaded" in stored.ports.log.text
    stored.ports.mstore = None  # type: ignore[assignment]
    assert results(stored, lua) == (None,)
    assert "no store is configured: add a stanza `mstore { }`" in stored.ports.log.text


@row("msys.mstore.load")
def test_names_are_checked(stored: Policy) -> None:
    for arguments, words in (
        ("", "#1 to 'load' (string expected, got no value)"),
        ("'b'", "#2 to 'load' (string expected, got no value)"),
        ("nil, 'k'", "#1 to 'load' (string expected, got nil)"),
        ("'', 'k'", "#1 to 'load' (an empty name)"),
        ("'b', {}", "#2 to 'load' (string expected, got table)"),
    ):
        with pytest.raises(LuaError) as caught:
            results(stored, f"return msys.mstore.load({arguments})")
        assert f"bad argument {words}" in str(caught.value)
    assert results(stored, "return msys.mstore.load(1, 2)") == (None,)


def test_save_delete_and_inject_work_on_what_load_sees(here: Policy) -> None:
    here.call.message = message(mailfrom="ann@example.test", rcptto="bob@example.test")
    lua = """
        require("msys.mstore")
        local saved = msys.mstore.save(msg, "MADR-MM7", "7")
        local again = msys.mstore.load("MADR-MM7", "7")
        msys.mstore.inject(again)
        local gone = msys.mstore.delete("MADR-MM7", "7")
        return saved, again:rcptto(), gone, msys.mstore.load("MADR-MM7", "7")"""
    assert results(here, lua) == (True, "bob@example.test", True, None)
    assert here.ports.outbox.submitted[0][1:] == ("ann@example.test", ("bob@example.test",))
    here.ports.mstore.down = PortError("STORE", "no space")
    lua = "return msys.mstore.save(msg, 'b', 'k'), msys.mstore.delete('b', 'k')"
    assert results(here, lua) == (False, False)
    for arguments in "save(1, 'b', 'k')", "save(msg, nil, 'k')", "delete('b')", "inject('x')":
        with pytest.raises(LuaError, match="bad argument"):
            results(here, f"msys.mstore.{arguments}")
