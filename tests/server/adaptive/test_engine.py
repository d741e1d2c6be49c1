"""What refusals do to a queue, over days of time that is an argument."""

from __future__ import annotations

import json

import pytest

from moonpost.adaptive.engine import Knobs, Windows, act, ended, fire, matching, relaxed, transcoded
from moonpost.adaptive.state import BLACKHOLE, SUSPENSION, State, from_json, to_json
from moonpost.spool.record import QueueName
from msys.adaptive import Action, DomainRules, Response

Q = QueueName("default", "b.test")
HOUR, NOON = 3600.0, 1_700_000_000.0
SUSPEND = Response("^421 ", 0, 0, (Action("suspend", 4 * 3600),))


def knobs(**values: float) -> Knobs:
    return Knobs(values.get)


def test_the_first_rule_that_matches_is_the_only_one() -> None:
    general = Response("^4", 0, 0, (Action("reduce_connections", 1),))
    rules = DomainRules([SUSPEND, general])
    assert matching(rules, "421 go away") is SUSPEND
    assert matching(rules, "450 later") is general
    assert matching(rules, "550 421 ") is None


def test_a_pattern_is_searched_in_bytes() -> None:
    rule = Response("Grüße".encode().decode("latin-1"), 0, 0, ())
    assert matching(DomainRules([rule]), "450 " + "Grüße".encode().decode("latin-1")) is rule


def test_a_suspension_is_neither_lengthened_nor_shortened() -> None:
    state, windows = State(), Windows()
    (change,) = fire(state, windows, Q, SUSPEND, "421 no", NOON, knobs())
    assert (change.action, change.event) == ("suspend", "suspension")
    assert change.text == "suspension for 14400 s: 421 no"
    for other in (60, 86400):
        assert act(state, Q, [Action("suspend", other)], "x", NOON + 5, knobs()) == []
    assert state.held(Q, SUSPENSION)
    assert ended(state, NOON + 4 * HOUR - 1) == []
    (over,) = ended(state, NOON + 4 * HOUR)
    assert over.action == "resume" and not state.held(Q, SUSPENSION)


def test_what_an_operator_overrode_is_not_put_back_until_it_is_over() -> None:
    state = State()
    act(state, Q, [Action("suspend", 3600)], "x", NOON, knobs())
    state.pair(Q).holds[SUSPENSION].enabled = False
    assert act(state, Q, [Action("suspend", 3600)], "x", NOON + 60, knobs()) == []
    assert not state.held(Q, SUSPENSION)
    ended(state, NOON + 3601)
    assert act(state, Q, [Action("suspend", 3600)], "x", NOON + 3602, knobs())


@pytest.mark.parametrize(
    ("times", "fires"),
    [
        ([0, 1, 2], [False, False, False]),
        ([0, 1, 2, 3], [False, False, False, True]),
        ([0, 1, 2, 10], [False, False, False, True]),
        ([0, 1, 2, 10.5], [False, False, False, False]),
        ([0, 1, 2, 10.5, 11], [False, False, False, False, True]),
        ([0, 1, 2, 3, 4, 5, 6, 7], [False] * 3 + [True] + [False] * 3 + [True]),
    ],
)
def test_a_rate_is_more_than_c_in_s_seconds(times: list[float], fires: list[bool]) -> None:
    rule = Response("^4", 3, 10, ())
    windows = Windows()
    assert [windows.crossed(Q, rule, NOON + at) for at in times] == fires


def test_rates_are_counted_for_each_queue() -> None:
    rule, windows = Response("^4", 1, 10, ()), Windows()
    assert not windows.crossed(Q, rule, NOON)
    assert not windows.crossed(QueueName("other", "b.test"), rule, NOON)
    assert windows.crossed(Q, rule, NOON)


@pytest.mark.parametrize(
    ("action", "option", "before", "after"),
    [
        (Action("throttle", "down"), "outbound_throttle_messages", 1000, 900),
        (Action("throttle", "down"), "outbound_throttle_messages", 5, 4.5),
        (Action("throttle", "down"), "outbound_throttle_messages", 1, None),
        (Action("reduce_connections", 3), "max_outbound_connections", 32, 29),
        (Action("reduce_connections", 50), "max_outbound_connections", 32, 1),
        (Action("reduce_deliveries", 2), "max_deliveries_per_connection", 20, 18),
        (Action("greylisted", 2700), "retry_interval", 1200, 2700),
        (Action("greylisted", 600), "retry_interval", 1200, None),
    ],
)
def test_actions_that_tune(action: Action, option: str, before: float, after: float | None) -> None:
    state = State()
    changes = act(state, Q, [action], "450 x", NOON, knobs(**{option: before}))
    tuned = state.pair(Q).tuned.get(option)
    assert (tuned.value if tuned else None) == after
    assert bool(changes) == (after is not None)


def test_without_a_value_there_is_nothing_to_tune() -> None:
    assert act(State(), Q, [Action("throttle", "down")], "x", NOON, knobs()) == []


def test_an_option_that_is_not_managed_stays() -> None:
    only = Knobs({"max_outbound_connections": 32.0}.get, managed=frozenset())
    assert act(State(), Q, [Action("reduce_connections", 1)], "x", NOON, only) == []


def test_at_most_one_adjustment_in_an_interval() -> None:
    state, ours = State(), knobs(max_outbound_connections=32)
    action = [Action("reduce_connections", 1)]
    taken = [at for at in range(0, 200, 10) if act(state, Q, action, "x", NOON + at, ours)]
    assert taken == [0, 60, 120, 180]


def test_tuned_options_go_back_step_by_step_while_mail_flows() -> None:
    state = State()
    act(state, Q, [Action("reduce_connections", 3)], "x", NOON, knobs(max_outbound_connections=6))
    pair, original = state.pair(Q), {"max_outbound_connections": 6.0}.get
    assert relaxed(state, Q, original, NOON + 9 * HOUR, HOUR) == []  # nothing was delivered since
    seen = []
    for minute in range(6 * 60):
        now = pair.delivered_at = NOON + 60 + minute * 60
        if relaxed(state, Q, original, now, HOUR):
            tuned = pair.tuned.get("max_outbound_connections")
            seen.append((minute, tuned.value if tuned else None))
    assert seen == [(59, 4.0), (119, 5.0), (179, None)]


def test_a_refusal_starts_the_patience_anew() -> None:
    state, ours = State(), knobs(max_outbound_connections=6)
    act(state, Q, [Action("reduce_connections", 3)], "x", NOON, ours)
    act(state, Q, [], "again", NOON + HOUR - 1, ours)
    state.pair(Q).delivered_at = NOON + HOUR
    assert relaxed(state, Q, {"max_outbound_connections": 6.0}.get, NOON + HOUR, HOUR) == []


def test_warmup_sets_the_age_of_the_binding() -> None:
    state = State()
    act(state, Q, [Action("warmup", 86400)], "x", NOON, knobs())
    assert state.age_s("default", NOON + 10) == 86410


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("550 5.7.1 blocked", "454 4.7.1 blocked"),
        ("550-5.7.1 blocked", "454-4.7.1 blocked"),
        ("550 blocked", "454 blocked"),
        ("550", "454"),
    ],
)
def test_transcode_rewrites_code_and_class(text: str, wanted: str) -> None:
    rule = Response("^550", 0, 0, (Action("transcode", 454), Action("suspend", 60)))
    assert transcoded(rule, text) == wanted
    assert transcoded(None, text) == text


def test_the_state_is_the_same_after_a_restart() -> None:
    state = State(born={"default": NOON})
    both = [Action("suspend", 60), Action("blackhole", 90), Action("reduce_connections", 2)]
    act(state, Q, both, "421 \xff", NOON, knobs(max_outbound_connections=9))
    state.pair(Q).computed["retry_interval"] = 77.0
    state.pair(QueueName("default", "nothing.test"))
    again = from_json(json.loads(json.dumps(to_json(state))))
    assert again.pairs == {Q: state.pairs[Q]} and again.born == state.born
    assert again.held(Q, BLACKHOLE)


def test_a_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 2"):
        from_json({"version": 2, "born": {}, "pairs": []})
