"""The tables of the machine agree with the catalogue, and are complete."""

from __future__ import annotations

from itertools import product

import pytest

from moonpost.phases import replies
from moonpost.phases.machine import COMMANDS, OUT_OF_ORDER, WITHOUT_AUTH
from moonpost.phases.table import ARGUMENTS, MOMENTS, OnError
from moonpost.phases.verdicts import AFTER_ERROR, FAN_OUT
from msys.catalog import callouts

# Asked or told by name, at no moment of their own.
ELSEWHERE = {
    "validate_dealloc",
    "core_post_validate_set_binding",
    "core_ec_message_enqueue",
    "core_log_reception_v1",
    "core_log_rejection",
    "core_pre_esmtp_auth",
    "ac_auth_perform_auth",
    "ac_auth_log_auth_failure",
    "core_get_received_header_text",
    "core_server_esmtp_session_abort",
}
SESSION_PHASES = {
    "connect",
    "ehlo",
    "mailfrom",
    "rcptto",
    "rcptto_list",
    "data",
    "data_spool",
    "data_spool_each_rcpt",
    "set_binding",
    "core_final_validation",
    "core_data_validation",
}


def test_every_callout_of_a_session_has_its_moment() -> None:
    asked = {name for moment in MOMENTS for name in moment.callouts} | ELSEWHERE
    # The choice of a group's member is the queue's; generated mail over HTTP is not received here.
    others = {"core_binding_group_choose_binding", "msg_gen_data_spool"}
    expected = {name for name, row in callouts().items() if row.phase in SESSION_PHASES} - others
    assert expected - asked == set()
    assert asked - set(callouts()) == set()


def test_a_moment_uses_the_phase_word_of_its_callouts() -> None:
    for moment in MOMENTS:
        for name in moment.callouts:
            assert callouts()[name].phase in (moment.name, "core_data_validation"), name


def test_arguments_are_those_of_the_catalogue() -> None:
    assert ARGUMENTS["validate_rcptto"] == ("msg", "str", "accept", "vctx")
    assert ARGUMENTS["core_log_reception_v1"] == ("accept", "msg", "now", "note", "note_len")


def test_every_fan_out_is_decided() -> None:
    assert set(FAN_OUT) == set(product((False, True), repeat=3))


def test_every_way_to_fail_has_a_verdict() -> None:
    assert set(AFTER_ERROR) == set(OnError)


def test_order_of_commands_names_known_commands() -> None:
    assert {verb for _, verb in OUT_OF_ORDER} <= set(COMMANDS)
    assert set(COMMANDS) >= WITHOUT_AUTH


@pytest.mark.parametrize(
    ("name", "text"), [(n, v) for n, v in vars(replies).items() if isinstance(v, bytes)]
)
def test_every_reply_is_one_line_with_a_code_and_its_class(name: str, text: bytes) -> None:
    assert text.endswith(b"\r\n"), name
    assert text.count(b"\r\n") == 1, name
    code, _, rest = text.partition(b" ")
    assert code.isdigit() and len(code) == 3, name
    enhanced = rest.split(b" ")[0].split(b".")
    if len(enhanced) == 3 and code[:1] != b"3":
        assert enhanced[0] == code[:1], name
