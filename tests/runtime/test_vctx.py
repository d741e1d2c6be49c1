"""The validation context: codes, dictionaries, recipients, holding a session."""

from __future__ import annotations

import pytest

from msys import core
from msys.lua import LuaError, Table, index, invoke, length, setindex, tostring
from msys.lua.access import call_method
from msys.lua.explain import explain
from msys.testing.policy import policy
from msys.vctx import ValidationContext

row = pytest.mark.row
MESS, CONN = core.VCTX_MESS, core.VCTX_CONN


@row("vctx:set")
@row("vctx:get")
def test_variables_are_text_and_missing_ones_empty() -> None:
    vctx = ValidationContext()
    vctx.set(MESS, "k", 1)
    vctx.set(CONN, "k", True)
    assert (vctx.get(MESS, "k"), vctx.get(CONN, "k"), vctx.get(MESS, "no")) == ("1", "true", "")
    assert (vctx.mess, vctx.conn) == ({"k": "1"}, {"k": "true"})
    with pytest.raises(LuaError, match="bad argument #3 to 'set'"):
        vctx.set(MESS, "k", Table())


@row("vctx:set")
@row("vctx:get")
def test_nil_stores_nothing_and_a_nil_key_cannot_be_read() -> None:
    vctx = ValidationContext()
    with policy() as here:
        vctx.set(CONN, "k", None)
        vctx.set(MESS, None, "v")
        assert [text for _, text, _ in here.ports.log.lines] == [
            "Attempt to set null key or value in validate context connection dictionary.",
            "Attempt to set null key or value in validate context message dictionary.",
        ]
        assert vctx.get(9, "k") == ""
        assert "out of bounds" in here.ports.log.lines[2][1]
    assert (vctx.mess, vctx.conn) == ({}, {})
    for arguments in ((MESS, None), (None, "k")):
        with pytest.raises(LuaError, match="bad argument"):
            vctx.get(*arguments)


def test_exists_and_delete_answer_with_numbers() -> None:
    vctx = ValidationContext(mess={"k": ""})
    assert (vctx.exists(MESS, "k"), vctx.exists(MESS, "no")) == (1, 0)
    assert (vctx.delete(MESS, "k"), vctx.delete(MESS, "k")) == (1, 0)


@row("vctx:set_code")
def test_set_code_decides_the_reply_and_remembers_the_line() -> None:
    vctx = ValidationContext()
    vctx.begin(250, "2.1.5 ok")
    assert (vctx.code, vctx.note, vctx.changed_at) == (250, "2.1.5 ok", None)
    assert vctx.set_code("550", "5.7.1 no\r\nreally\n") is None
    assert (vctx.code, vctx.note) == (550, "5.7.1 no\nreally")
    assert vctx.changed_at is not None
    assert vctx.changed_at[0].endswith("test_vctx.py")
    vctx.begin()
    assert (vctx.code, vctx.note, vctx.changed_at) == (250, "", None)


@row("vctx:set_code")
@pytest.mark.parametrize(
    "arguments",
    [(99, "x"), (600, "x"), (550.5, "x"), ("x", "y"), (None, "x"), (550, None), (550, "a\rb")],
)
def test_set_code_refuses_what_is_no_reply(arguments: tuple[object, ...]) -> None:
    vctx = ValidationContext()
    with pytest.raises(LuaError, match=r"bad argument #[12] to 'set_code'"):
        vctx.set_code(*arguments)
    assert (vctx.code, vctx.changed_at) == (250, None)


@row("vctx:disconnect")
def test_disconnect_is_a_method_and_a_field() -> None:
    vctx = ValidationContext()
    assert vctx.disconnect == 0
    vctx.disconnect(554, "go away")
    assert (vctx.code, vctx.note, vctx.disconnect, index(vctx, "disconnect")) == (
        554,
        "go away",
        1,
        1,
    )
    setindex(vctx, "disconnect", 0)
    assert vctx.disconnect == 0
    vctx.disconnect = 1
    assert vctx.disconnect_flag is True
    other = ValidationContext()
    invoke(other, "disconnect", 421)
    assert (other.code, other.disconnect_flag) == (421, True)
    assert other.note
    with policy() as here:
        here.environment.class_metatables[ValidationContext] = Table(
            {"__index": Table({"mine": lambda v: 7})}
        )
        invoke(other, "disconnect", 550, "x")
        assert (other.code, invoke(other, "mine"), tostring(index(other, "disconnect"))) == (
            550,
            7,
            "1",
        )
    third = ValidationContext()
    third.disconnect()
    assert (third.code, third.disconnect_flag) == (421, True)


def test_default_policy_helpers_answer_done() -> None:
    vctx = ValidationContext()
    assert vctx.pbp_action(450, "later") == core.VALIDATE_DONE
    assert (vctx.code, vctx.note, vctx.disconnect) == (450, "later", 0)
    assert vctx.pbp_disconnect(550, "no") == core.VALIDATE_DONE
    assert (vctx.code, vctx.disconnect) == (550, 1)


def test_code_is_a_field_to_set() -> None:
    vctx = ValidationContext()
    setindex(vctx, "code", 451)
    assert (index(vctx, "code"), vctx.code) == (451, 451)


@row("vctx:tarpit")
def test_tarpit_holds_up_to_data() -> None:
    vctx = ValidationContext()
    with policy(phase="connect"):
        vctx.tarpit(2.5)
        vctx.tarpit("3")
    assert (vctx.tarpit_s, vctx.changed_at is not None) == (3.0, True)
    vctx.begin()
    assert vctx.tarpit_s == 0
    with policy(phase="data_spool"):
        vctx.tarpit(5)
    assert vctx.tarpit_s == 0
    for wrong in (-1, float("inf"), None):
        with pytest.raises(LuaError, match="bad argument #1 to 'tarpit'"):
            vctx.tarpit(wrong)


def listed(vctx: ValidationContext) -> list[str]:
    found = vctx.recipient_list()
    return [found[at] for at in range(1, length(found) + 1)]


@row("vctx:add_recipient")
@row("vctx:remove_recipient")
@row("vctx:recipient_list")
def test_recipients_are_added_removed_and_listed() -> None:
    vctx = ValidationContext(recipients=["a@x.test"])
    with policy(phase="data"):
        vctx.add_recipient("b@x.test")
        vctx.add_recipient(Table.array("<c@x.test>", "B@x.test", "a@X.TEST"))
        assert listed(vctx) == ["a@x.test", "b@x.test", "c@x.test", "B@x.test"]
        vctx.remove_recipient("a@X.test")
        vctx.remove_recipient(Table.array("nobody@x.test", "b@x.test"))
        assert listed(vctx) == ["c@x.test", "B@x.test"]


@row("vctx:recipient_list")
def test_the_list_reads_from_one_and_zero_is_the_empty_string() -> None:
    found = ValidationContext(recipients=["a@x.test"]).recipient_list()
    assert (index(found, 0), index(found, 1), index(found, 2)) == ("", "a@x.test", None)
    assert length(found) == 1
    assert index(found, False) is None


@row("vctx:recipient_list")
def test_the_list_can_be_replaced() -> None:
    vctx = ValidationContext(recipients=["a@x.test"])
    shared = vctx.recipients
    found = vctx.recipient_list(Table.array("b@x.test", "c@x.test"))
    assert [found[1], found[2]] == ["b@x.test", "c@x.test"]
    assert listed(vctx) == ["b@x.test", "c@x.test"]
    assert vctx.recipients is shared
    vctx.recipient_list("d@x.test")
    assert listed(vctx) == ["d@x.test"]
    vctx.recipient_list(Table())
    assert listed(vctx) == []


@row("vctx:recipient_list")
def test_the_list_cannot_be_used_in_rcptto() -> None:
    with policy(phase="rcptto"), pytest.raises(LuaError, match="rcptto"):
        ValidationContext().recipient_list()


@row("vctx:add_recipient")
@row("vctx:remove_recipient")
@row("vctx:recipient_list")
@pytest.mark.parametrize("phase", ["data_spool", "data_spool_each_rcpt"])
def test_recipients_are_fixed_from_the_spool_on(phase: str) -> None:
    vctx = ValidationContext(recipients=["a@x.test"])
    with policy(phase=phase):
        for call in (vctx.add_recipient, vctx.remove_recipient, vctx.recipient_list):
            with pytest.raises(LuaError, match=phase):
                call("b@x.test")
        assert listed(vctx) == ["a@x.test"]


@row("vctx:add_recipient")
def test_only_addresses_are_added() -> None:
    vctx = ValidationContext()
    for wrong in ("", "a b@x", "x\r\nRCPT TO:<y@z>", None, True):
        with pytest.raises(LuaError, match="bad argument #1 to 'add_recipient'"):
            vctx.add_recipient(wrong)
    assert vctx.recipients == []


def test_recipients_can_be_walked_by_position() -> None:
    vctx = ValidationContext(recipients=["a@x.test", "b@x.test"])
    assert vctx.iterate_rcpt(0) == (1, "a@x.test")
    assert vctx.iterate_rcpt(1) == (2, "b@x.test")
    assert vctx.iterate_rcpt(2) == (None, None)


def test_methods_called_with_too_few_or_too_many_arguments() -> None:
    vctx = ValidationContext()
    with pytest.raises(LuaError, match=r"bad argument #2 to 'set_code' .string expected, got nil"):
        invoke(vctx, "set_code", 550)
    invoke(vctx, "set_code", 550, "no", "extra")
    assert (vctx.code, vctx.note) == (550, "no")
    assert call_method(vctx, "get", MESS, "k", 1, 2) == ("",)
    with pytest.raises(LuaError) as caught:
        try:
            vctx.set_code(551)  # type: ignore[call-arg]
        except TypeError as error:
            raise explain(error) from None
    assert "set_code" in str(caught.value)
