"""What policy left behind, as one answer."""

from __future__ import annotations

import pytest

from moonpost.phases.table import CONNECT, DATA
from moonpost.phases.verdicts import FanOut, Verdict, fold, of_context
from msys.vctx import ValidationContext

NO = Verdict(550, "no")
NEITHER = Verdict(554, "neither")
LATER = Verdict(451, "later")
HAM = Verdict(250, "ham")


def context() -> ValidationContext:
    vctx = ValidationContext()
    vctx.begin(DATA.positive)
    return vctx


def test_an_untouched_context_is_no_verdict() -> None:
    assert of_context(context(), DATA) is None


def test_a_code_is_a_verdict_and_names_its_line() -> None:
    vctx = context()
    vctx.set_code(550, "5.7.1 no")
    verdict = of_context(vctx, DATA)
    assert verdict is not None
    assert (verdict.code, verdict.text, verdict.close, verdict.refuses) == (
        550,
        "5.7.1 no",
        False,
        True,
    )
    assert verdict.decided_by.startswith(__file__)


@pytest.mark.parametrize(
    ("code", "sent"), [(200, 200), (354, 451), (99, 451), (421, 421), (700, 451)]
)
def test_a_code_that_is_no_answer_puts_off(code: int, sent: int) -> None:
    vctx = context()
    vctx.code = code
    verdict = of_context(vctx, DATA)
    assert verdict is not None
    assert verdict.code == sent


def test_a_code_without_words_has_ours() -> None:
    vctx = context()
    vctx.code = 550
    verdict = of_context(vctx, DATA)
    assert verdict is not None
    assert verdict.text == "5.7.1 refused by policy"


def test_disconnect_and_tarpit_are_carried() -> None:
    vctx = context()
    vctx.begin(CONNECT.positive)
    vctx.disconnect(421, "bye")
    vctx.tarpit_s = 2.5
    verdict = of_context(vctx, CONNECT)
    assert verdict is not None
    assert (verdict.close, verdict.pause_s, verdict.temporary) == (True, 2.5, True)


@pytest.mark.parametrize(
    ("judged", "outcome", "words"),
    [
        ([None], FanOut.ACCEPT, None),
        ([None, HAM], FanOut.ACCEPT, HAM),
        ([NO], FanOut.REFUSE, NO),
        ([NO, NEITHER], FanOut.REFUSE, NO),
        ([None, NO], FanOut.ACCEPT_AND_BOUNCE, None),
        ([HAM, NO], FanOut.ACCEPT_AND_BOUNCE, HAM),
        ([LATER], FanOut.DEFER, LATER),
        ([None, LATER], FanOut.DEFER, LATER),
        ([NO, LATER], FanOut.DEFER, LATER),
        ([None, NO, LATER], FanOut.DEFER, LATER),
        ([], FanOut.ACCEPT, None),
    ],
)
def test_fold(judged: list[Verdict | None], outcome: FanOut, words: Verdict | None) -> None:
    assert fold(judged) == (outcome, words)
