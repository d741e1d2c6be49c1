"""The last steps of a copy, as the queue and injected mail use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from moonpost.phases.actions import Failed, Run
from moonpost.phases.enqueue import Fate, Judged, enqueue, enqueue_generated
from moonpost.policy.interface import PolicyState
from msys.accept import Accept
from msys.message import Message
from msys.vctx import ValidationContext
from testkit.fake_policy import FakeGeneration


def drive(
    generation: FakeGeneration,
    message: Message,
    start: Callable[..., Any] = enqueue,
    **options: Any,
) -> tuple[Judged, list[str]]:
    """The fate of a message, and the errors on the way."""
    accept, vctx = Accept(), ValidationContext(conn=message.conn, mess=message.mess)
    steps = start(generation, message, accept, vctx, 1_000_000.0, **options)
    failed = []
    value: Any = None
    while True:
        try:
            action = steps.send(value)
        except StopIteration as end:
            return end.value, failed
        value = None
        if isinstance(action, Run):
            value = generation.run(action.callout, PolicyState(), action.args, action.message)
        else:
            assert isinstance(action, Failed)
            failed.append(action.error.text)


def bind(name: str) -> Callable[..., int]:
    def function(message: Message) -> int:
        message.binding_name = name
        return 0

    return function


def test_generated_mail_has_two_hooks_of_its_own_and_no_session_callouts() -> None:
    generation = FakeGeneration()
    for name in (
        "core_pre_msg_each_rcpt",
        "core_post_msg_each_rcpt",
        "validate_data_spool_each_rcpt",
        "validate_set_binding",
        "core_final_validation",
        "core_ec_message_enqueue",
    ):
        generation.on(name, lambda *_: 0)
    judged, _ = drive(generation, Message(), enqueue_generated)
    assert judged.fate is Fate.KEEP
    assert generation.ran == [
        "core_pre_msg_each_rcpt",
        "core_post_msg_each_rcpt",
        "validate_set_binding",
        "core_final_validation",
        "core_ec_message_enqueue",
    ]


def test_without_policy_everything_is_kept() -> None:
    assert drive(FakeGeneration(), Message())[0] == Judged(Fate.KEEP)


def test_the_changed_binding_is_told_once() -> None:
    generation = FakeGeneration()
    generation.on("validate_set_binding", bind("outbound"))
    generation.on("core_post_validate_set_binding", lambda message: None)
    message = Message()
    drive(generation, message)
    drive(generation, message)  # bound already: nothing changes
    assert generation.ran.count("core_post_validate_set_binding") == 1


@pytest.mark.parametrize("callout", ["validate_set_binding", "core_final_validation"])
def test_a_failure_defers(callout: str) -> None:
    generation = FakeGeneration()

    def fail(*_: Any) -> int:
        raise RuntimeError("no key")

    generation.on(callout, fail)
    judged, failed = drive(generation, Message())
    assert judged.fate is Fate.DEFER
    assert judged.verdict is not None
    assert judged.verdict.code == 451
    assert failed == ["no key"]


@pytest.mark.parametrize(("answer", "fate"), [(0, Fate.KEEP), (1, Fate.REFUSE), (2, Fate.DEFER)])
def test_final_validation_2(answer: int, fate: Fate) -> None:
    generation = FakeGeneration()
    generation.on("core_final_validation2", lambda msg, accept, vctx: answer)
    assert drive(generation, Message())[0].fate is fate


def test_final_validation_2_in_its_own_words() -> None:
    generation = FakeGeneration()

    def refuse(message: Message, accept: Accept, vctx: ValidationContext) -> int:
        vctx.set_code(552, "5.7.1 unsigned")
        return 1

    generation.on("core_final_validation2", refuse)
    judged, _ = drive(generation, Message())
    assert judged.verdict is not None
    assert (judged.verdict.code, judged.verdict.text) == (552, "5.7.1 unsigned")


@pytest.mark.parametrize(
    ("bound", "fate"), [(None, Fate.DEFER), ("default", Fate.DEFER), ("b", Fate.KEEP)]
)
def test_default_binding_none(bound: str | None, fate: Fate) -> None:
    generation = FakeGeneration()
    if bound is not None:
        generation.on("validate_set_binding", bind(bound))
    assert drive(generation, Message(), default_binding="none")[0].fate is fate


def test_the_enqueue_hook_can_take_it_over_but_not_by_failing() -> None:
    generation = FakeGeneration()
    generation.on("core_ec_message_enqueue", lambda msg, now: 1)
    assert drive(generation, Message())[0].fate is Fate.TAKEN
    generation = FakeGeneration()
    generation.on("core_ec_message_enqueue", lambda msg, now: 1 / 0)
    assert drive(generation, Message())[0].fate is Fate.KEEP
