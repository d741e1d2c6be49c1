"""Timers, sleep, locks, mutexes, pools: who waits for whom, on virtual time and on a real loop."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from greenlet import getcurrent, greenlet

import msys
from msys.lua import LuaError, call
from msys.lua.environment import Environment, enter
from msys.ports import Call, enter_call, set_waiter
from msys.testing.fakes import fake_ports
from msys.testing.policy import Policy, policy


def advance(here: Policy, seconds: float) -> None:
    """Move time, running what falls due as the server would."""
    for _ in range(int(seconds * 10)):
        here.ports.clock.advance(0.1)
        here.ports.pools.run_spawned()
    here.enter()


@pytest.mark.row("msys.timer.after")
def test_after_fires_once_and_start_arms_it_again(here: Policy) -> None:
    seen: list[float] = []
    timer = msys.timer.after(1, lambda: seen.append(here.ports.clock.monotonic()), "label")
    assert timer.name() == "label"
    advance(here, 3)
    assert seen == [pytest.approx(1.0, abs=0.11)]
    timer.start()
    advance(here, 2)
    assert len(seen) == 2
    timer.start()
    timer.stop()
    advance(here, 2)
    assert len(seen) == 2


@pytest.mark.row("msys.timer.at")
def test_at_means_a_moment_and_a_past_one_is_now(here: Policy) -> None:
    seen: list[str] = []
    msys.timer.at(here.ports.clock.now() + 2, lambda: seen.append("later"))
    assert msys.timer.at(0, lambda: seen.append("past")).name() is None
    advance(here, 0.1)
    assert seen == ["past"]
    advance(here, 3)
    assert seen == ["past", "later"]


def test_every_goes_on_until_stopped_also_after_an_error(here: Policy) -> None:
    seen: list[int] = []

    def tick() -> None:
        seen.append(1)
        raise LuaError("broken tick")

    timer = msys.timer.every(1, tick)
    advance(here, 3.5)
    assert len(seen) == 3
    assert here.ports.log.text.count("broken tick") == 3
    timer.stop()
    advance(here, 3)
    assert len(seen) == 3
    for wrong in 0, -1, float("nan"):
        with pytest.raises(LuaError):
            msys.timer.every(wrong, tick)
    with pytest.raises(LuaError, match="bad argument #2"):
        msys.timer.after(1, None)


@pytest.mark.row("msys.timer.every")
def test_every_leaves_out_turns_while_one_is_running(here: Policy) -> None:
    seen: list[int] = []
    msys.timer.every(1, lambda: seen.append(1))
    here.ports.clock.advance(5)  # five turns fall due before the first one gets to run
    here.ports.pools.run_spawned()
    here.enter()
    assert len(seen) == 1


def test_timers_of_a_generation_in_preparation_start_with_it() -> None:
    with policy("init") as here:
        seen: list[int] = []
        msys.timer.after(1, lambda: seen.append(1))
        here.ports.clock.advance(5)
        assert here.ports.pools.run_spawned() == 0
        for timer in here.environment.timers:
            timer.arm()
        here.ports.clock.advance(1)
        here.ports.pools.run_spawned()
        assert seen == [1]
        stopped = msys.timer.every(1, lambda: seen.append(2))
        stopped.stop()
        stopped.arm()
        here.ports.clock.advance(5)
        assert here.ports.pools.run_spawned() == 0


@pytest.mark.row("msys.asyncOk")
@pytest.mark.row("msys.sleep")
def test_sleep_takes_time_and_async_ok_says_what_the_call_says(here: Policy) -> None:
    before = here.ports.clock.now()
    msys.sleep(0.5)
    msys.sleep(-1)
    assert here.ports.clock.now() == before + 0.5
    assert msys.asyncOk() is True
    here.call.can_wait = False
    assert msys.asyncOk() is False
    with pytest.raises(LuaError, match="number expected"):
        msys.sleep(None)


@pytest.mark.row("msys.lock")
@pytest.mark.row("msys.unlock")
def test_a_lock_left_behind_is_released_and_logged(here: Policy) -> None:
    msys.lock("m")
    with pytest.raises(LuaError, match="already locked by this call"):
        msys.lock("m")
    here.end_call()
    assert "the lock 'm' was still locked" in here.ports.log.text
    msys.lock("m")
    msys.unlock("m")
    with pytest.raises(LuaError, match="not locked by this call"):
        msys.unlock("m")
    here.end_call()
    assert len(here.ports.log.lines) == 1


@pytest.mark.row("thread.mutex")
def test_mutexes_by_kind(here: Policy) -> None:
    for kind in None, msys.thread.MUTEX_NORMAL, msys.thread.MUTEX_ERRORCHECK:
        mutex = msys.thread.mutex(kind)
        assert mutex.lock() is True
        assert mutex.trylock() is False
        with pytest.raises(LuaError, match="locked it already"):
            mutex.lock()
        assert mutex.unlock() is True
        with pytest.raises(LuaError, match="failed to unlock mutex"):
            mutex.unlock()
    mutex = msys.thread.mutex(msys.thread.MUTEX_RECURSIVE)
    assert mutex.lock() and mutex.lock() and mutex.trylock()
    for _ in range(3):
        mutex.unlock()
    with pytest.raises(LuaError):
        mutex.unlock()
    with pytest.raises(LuaError, match="one of thread"):
        msys.thread.mutex(7)


async def run_calls(*functions) -> list:
    """Run policy functions at the same time on a real loop, each in a greenlet with its own call."""
    ports = fake_ports()

    class Clock:
        def sleep(self, seconds: float):
            return asyncio.sleep(seconds)

    ports.clock = Clock()  # type: ignore[assignment]
    environment = Environment()
    loop = asyncio.get_running_loop()

    async def one(function):
        home = getcurrent()

        def inside():
            set_waiter(lambda value: home.switch(value))
            enter(environment)
            running = Call(ports, environment, "validate_data", "data", "test")
            enter_call(running)
            try:
                return ("done", function())
            finally:
                for finish in running.at_end:
                    finish()

        worker = greenlet(inside)
        worker.gr_context = contextvars.copy_context()
        answer = worker.switch()
        while not isinstance(answer, tuple):
            try:
                value = await answer
            except BaseException as error:
                answer = worker.throw(error)
            else:
                answer = worker.switch(value)
        return answer[1]

    return await asyncio.gather(*(loop.create_task(one(function)) for function in functions))


def test_a_lock_keeps_others_out_over_a_wait() -> None:
    seen: list[str] = []

    def worker(name: str):
        def run() -> None:
            msys.lock("m")
            seen.append(f"{name} in")
            msys.sleep(0.001)
            seen.append(f"{name} out")
            msys.unlock("m")

        return run

    asyncio.run(run_calls(*map(worker, "abc")))
    assert seen == ["a in", "a out", "b in", "b out", "c in", "c out"]


def test_a_mutex_keeps_others_out_and_a_dead_call_lets_it_go() -> None:
    mutex = msys.thread.mutex()
    seen: list[str] = []

    def careless() -> None:
        mutex.lock()
        msys.sleep(0.001)
        seen.append("careless")

    def careful() -> None:
        msys.sleep(0)
        assert mutex.trylock() is False
        mutex.lock()
        seen.append("careful")
        mutex.unlock()

    asyncio.run(run_calls(careless, careful))
    assert seen == ["careless", "careful"]


def test_run_in_pool_answers_as_pcall_does(here: Policy) -> None:
    assert msys.runInPool("io", lambda: (1, None, "x")) == (True, 1, None, "x")

    def fail() -> None:
        raise LuaError("no luck")

    assert msys.runInPool("IO", fail) == (False, "no luck")
    assert msys.runInPool(0, lambda: None, False)[0] is True
    with pytest.raises(LuaError, match="no such thread pool 'none'"):
        msys.runInPool("none", fail)
    with pytest.raises(LuaError, match="bad argument #2"):
        msys.runInPool("IO", None)


@pytest.mark.row("msys.runInPool")
def test_fire_and_forget_starts_after_the_callout(here: Policy) -> None:
    seen: list[str] = []

    def fail() -> None:
        seen.append("failing")
        raise LuaError("in the background")

    assert call(msys.runInPool, "SWAPIN", lambda: seen.append("job"), True) == ()
    assert call(msys.runInPool, "IO", fail, lambda: seen.append("completion"), 1) == ()
    assert seen == []
    here.end_call()
    assert seen == ["job", "failing", "completion"]
    assert "in the background" in here.ports.log.text


@pytest.mark.row("msys.threadpool.count")
@pytest.mark.row("msys.threadpool.find")
@pytest.mark.row("msys.threadpool.stat")
def test_threadpool_names_ids_and_figures(here: Policy) -> None:
    pool = msys.threadpool
    assert pool.count() == 8
    number = pool.find("swapin")
    assert number == 1 and pool.find(number) == "SWAPIN" and pool.find(None, number) == "SWAPIN"
    assert pool.find("nothing") is None and pool.find(99) is None and pool.find() is None
    msys.runInPool("IO", lambda: None)
    found = pool.stat("io")
    assert found is not None
    assert (found["name"], found["invocations"]) == ("IO", 1)
    assert "Total invocations: 1" in found.lua_tostring()
    assert pool.stat("nothing") is None
