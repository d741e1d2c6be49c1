"""Counters, gauge caches and shares: what is kept, for how long, and who sees it."""

from __future__ import annotations

import pytest

import msys
from msys.lua import LuaError
from msys.testing.policy import Policy


@pytest.mark.row("msys.counter.add")
def test_a_counter_counts_by_path_and_by_handle(here: Policy) -> None:
    handle = msys.counter.open("/site/a")
    msys.counter.inc(handle)
    msys.counter.inc("/site/a")
    msys.counter.add("/site/a", 2.9)
    msys.counter.add("/site/a", -1)
    assert msys.counter.read(handle) == msys.counter.read("/site/a") == 3


@pytest.mark.row("msys.counter.read")
def test_reading_a_missing_counter_is_0_and_does_not_make_it(here: Policy) -> None:
    assert msys.counter.read("/none") == 0
    assert here.ports.state.counter_list() == []


@pytest.mark.row("msys.counter.unlink")
def test_a_handle_goes_on_after_unlink_where_nobody_else_sees_it(here: Policy) -> None:
    handle = msys.counter.open("/site/a", msys.counter.RELAXED)
    msys.counter.inc(handle)
    msys.counter.unlink("/site/a")
    msys.counter.unlink("/site/a")
    msys.counter.inc(handle)
    assert msys.counter.read(handle) == 2
    assert msys.counter.read("/site/a") == 0


@pytest.mark.row("msys.counter.inc")
@pytest.mark.row("msys.counter.open")
@pytest.mark.row("msys.counter.reset")
def test_reset_sets_0_and_the_time_and_the_list_shows_the_semantics(here: Policy) -> None:
    msys.counter.open("/b", msys.counter.RELAXED)
    msys.counter.inc("/a")
    here.ports.clock.advance(5)
    msys.counter.reset("/b")
    rows = [
        (value, semantics, path) for value, _, semantics, path in here.ports.state.counter_list()
    ]
    assert rows == [(1, "strict", "/a"), (0, "relaxed", "/b")]
    assert here.ports.state.counter_list()[1][1] == here.ports.clock.now()


@pytest.mark.parametrize(
    "function", [msys.counter.inc, msys.counter.read, msys.counter.reset, msys.counter.unlink]
)
def test_nil_is_no_counter(here: Policy, function) -> None:
    with pytest.raises(LuaError, match=r"bad argument #1 to .* got nil"):
        function(None)


@pytest.mark.row("msys.gauge_cache.dec")
@pytest.mark.row("msys.gauge_cache.remove_item")
def test_gauges_start_at_0_and_go_below(here: Policy) -> None:
    msys.gauge_cache.define("g", 10, 60)
    msys.gauge_cache.dec("g", "k")
    assert msys.gauge_cache.get("g", "k") == -1
    msys.gauge_cache.inc("g", "k")
    msys.gauge_cache.inc("g", "k")
    assert msys.gauge_cache.get("g", "k") == 1
    msys.gauge_cache.remove_item("g", "k")
    assert msys.gauge_cache.get("g", "k") == 0


def test_a_gauge_expires_after_its_last_change_not_its_last_read(here: Policy) -> None:
    msys.gauge_cache.define("g", 10, 60)
    msys.gauge_cache.inc("g", "k")
    here.ports.clock.advance(59)
    assert msys.gauge_cache.get("g", "k") == 1
    here.ports.clock.advance(1)
    assert msys.gauge_cache.get("g", "k") == 0
    msys.gauge_cache.inc("g", "k")
    assert msys.gauge_cache.get("g", "k") == 1


@pytest.mark.row("msys.gauge_cache.define")
@pytest.mark.row("msys.gauge_cache.get")
def test_a_full_gauge_cache_drops_the_oldest_change(here: Policy) -> None:
    msys.gauge_cache.define("g", 2, 60)
    for key in "a", "b", "a", "c":
        msys.gauge_cache.inc("g", key)
    assert [msys.gauge_cache.get("g", key) for key in "abc"] == [2, 0, 1]


def test_defining_a_gauge_cache_again_keeps_contents_and_takes_new_limits(here: Policy) -> None:
    msys.gauge_cache.define("g", 3, 60)
    for key in "abc":
        msys.gauge_cache.inc("g", key)
    msys.gauge_cache.define("g", 2, 10)
    assert [msys.gauge_cache.get("g", key) for key in "abc"] == [0, 1, 1]
    here.ports.clock.advance(10)
    assert msys.gauge_cache.get("g", "b") == 0


@pytest.mark.row("msys.gauge_cache.inc")
def test_an_undefined_gauge_cache_raises(here: Policy) -> None:
    with pytest.raises(LuaError, match="no such gauge cache 'x'"):
        msys.gauge_cache.inc("x", "k")
    with pytest.raises(LuaError, match="bad argument #2 to 'inc'"):
        msys.gauge_cache.inc("x", None)


@pytest.mark.row("msys.shareGet")
@pytest.mark.row("msys.shareSet")
@pytest.mark.row("msys.shareUnset")
def test_shares_keep_scalars(here: Policy) -> None:
    assert msys.shareGet("k") is None
    for value in 1, "text", True, False:
        assert msys.shareSet("k", value) is True
        assert msys.shareGet("k") is value
    assert msys.shareSet("", 1) is False
    msys.shareUnset("k")
    msys.shareUnset("k")
    assert msys.shareGet("k") is None
    msys.shareSet("k", 1)
    msys.shareSet("k", None)
    assert msys.shareGet("k") is None
    with pytest.raises(LuaError, match="number, string or boolean expected, got table"):
        msys.shareSet("k", msys.Table())
