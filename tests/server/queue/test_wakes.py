"""One timer for everything that waits."""

from __future__ import annotations

from moonpost.queue.wakes import Wakes
from msys.testing.fakes import FakeClock


def test_each_thing_is_woken_once_at_the_earliest_time_asked_for() -> None:
    clock, woken = FakeClock(0.0), list[tuple[str, float]]()
    wakes: Wakes[str] = Wakes(clock, lambda thing: woken.append((thing, clock.now())))
    wakes.at("a", 10.0)
    wakes.at("b", 5.0)
    wakes.at("a", 7.0)
    wakes.at("a", 8.0)
    clock.advance(20.0)
    assert woken == [("b", 5.0), ("a", 7.0)]
    wakes.at("a", 25.0)
    wakes.at("late", 1.0)
    clock.advance(5.0)
    assert woken[2:] == [("late", 20.0), ("a", 25.0)]


def test_a_thing_may_ask_again_while_it_is_woken() -> None:
    clock, woken = FakeClock(0.0), list[float]()

    def wake(thing: str) -> None:
        woken.append(clock.now())
        wakes.at(thing, clock.now() + 10)

    wakes: Wakes[str] = Wakes(clock, wake)
    wakes.at("a", 0.0)
    clock.advance(35.0)
    assert woken == [0.0, 10.0, 20.0, 30.0]
    wakes.stop()
    clock.advance(100.0)
    assert len(woken) == 4
