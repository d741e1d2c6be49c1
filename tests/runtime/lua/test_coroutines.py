"""Coroutines: what Lua promises, through pcall, iterators, sort and metamethods, and beside the event loop."""

from __future__ import annotations

import gc
from contextvars import ContextVar
from typing import Any

from greenlet import getcurrent, greenlet

from msys.lua import (
    Coroutine,
    Table,
    coroutine,
    error,
    iterate,
    pcall,
    setmetatable,
    string,
    table,
    type,
)
from msys.ports import set_waiter, wait

yield_, resume, create, wrap, status = (
    coroutine.yield_,
    coroutine.resume,
    coroutine.create,
    coroutine.wrap,
    coroutine.status,
)


def test_values_travel_both_ways() -> None:
    def body(a: Any, b: Any) -> Any:
        c = yield_(a + b)
        d, e = yield_(c * 2, "two")
        return d, e

    thread = create(body)
    assert (
        isinstance(thread, Coroutine) and type(thread) == "thread" and status(thread) == "suspended"
    )
    assert resume(thread, 1, 2) == (True, 3)
    assert resume(thread, 10) == (True, 20, "two")
    assert resume(thread, "x", "y") == (True, "x", "y")
    assert status(thread) == "dead"
    assert resume(thread) == (False, "cannot resume dead coroutine")


def test_no_values_and_nil_are_told_apart() -> None:
    def body(*args: Any) -> Any:
        got = yield_()
        assert got == ()
        got = yield_(None)
        assert got is None
        return ()

    thread = create(body)
    assert resume(thread) == (True,)
    assert resume(thread) == (True, None)
    assert resume(thread, None) == (True,)


def test_wrap_is_an_iterator() -> None:
    def numbers(*_: Any) -> None:
        for n in range(3):
            yield_(n)

    assert list(iterate(1, wrap(numbers))) == [0, 1, 2]


def test_yield_crosses_pcall_sort_gsub_and_metamethods() -> None:
    def body() -> Any:
        ok, value = pcall(lambda: yield_("in pcall"))
        t = Table.array(2, 1)
        table.sort(t, lambda a, b: (yield_("in sort"), a < b)[1])
        text = string.gsub("a", "a", lambda s: yield_("in gsub"))[0]
        found = setmetatable(Table(), Table({"__index": lambda t, key: yield_("in index")}))["x"]
        return ok, value, t[1], text, found

    thread = create(body)
    assert resume(thread) == (True, "in pcall")
    assert resume(thread, "v") == (True, "in sort")
    assert resume(thread) == (True, "in gsub")
    assert resume(thread, "z") == (True, "in index")
    assert resume(thread, "i") == (True, True, "v", 1, "z", "i")


def test_an_error_kills_the_coroutine_and_reaches_the_resumer() -> None:
    def body() -> Any:
        yield_()
        error(Table({"code": 5}))

    thread = create(body)
    assert resume(thread) == (True,)
    ok, value = resume(thread)
    assert ok is False and value["code"] == 5 and status(thread) == "dead"
    wrapped = wrap(lambda: error("plain", 0))
    assert pcall(wrapped) == (False, "plain")
    assert pcall(wrapped) == (False, "cannot resume dead coroutine")


def test_status_while_nested() -> None:
    seen: list[Any] = []

    def inner() -> None:
        seen.append(
            (status(outer_thread), status(inner_thread), coroutine.running() is inner_thread)
        )
        seen.append(resume(outer_thread))
        seen.append(resume(inner_thread))

    inner_thread = create(inner)

    def outer() -> None:
        seen.append(resume(inner_thread))
        seen.append((status(outer_thread), status(inner_thread)))

    outer_thread = create(outer)
    assert resume(outer_thread) == (True,)
    assert seen == [
        ("normal", "running", True),
        (False, "cannot resume normal coroutine"),
        (False, "cannot resume running coroutine"),
        (True,),
        ("running", "dead"),
    ]
    assert coroutine.running() is None


def test_yield_outside_of_any_coroutine_is_an_error() -> None:
    assert pcall(yield_, 1) == (False, "attempt to yield across metamethod/C-call boundary")


def test_arguments_are_checked() -> None:
    assert pcall(create, 1) == (False, "bad argument #1 to 'create' (Lua function expected)")
    assert pcall(resume, 1) == (False, "bad argument #1 to 'resume' (coroutine expected)")
    assert pcall(wrap) == (False, "bad argument #1 to 'wrap' (Lua function expected)")


def test_a_deep_chain_of_coroutines() -> None:
    def level(depth: int) -> Any:
        return 0 if depth == 0 else 1 + wrap(lambda: level(depth - 1))()

    assert level(50) == 50


_mark: ContextVar[str] = ContextVar("mark")


def test_a_coroutine_runs_in_the_context_of_its_resumer() -> None:
    def body() -> Any:
        yield_(_mark.get())
        return _mark.get()

    thread = create(body)
    _mark.set("first")
    assert resume(thread) == (True, "first")
    _mark.set("second")
    assert resume(thread) == (True, "second")


def test_an_abandoned_coroutine_is_collected_quietly() -> None:
    closed: list[str] = []

    def body() -> None:
        try:
            pcall(yield_)
            closed.append("went on")
        finally:
            closed.append("closed")

    thread = create(body)
    resume(thread)
    del thread
    gc.collect()
    assert closed == ["closed"]


def test_waiting_for_the_outside_inside_a_coroutine() -> None:
    """A loop greenlet answers what a coroutine waits for; its resumer sleeps with it."""
    main = getcurrent()

    class Later:
        def __await__(self) -> Any:
            raise AssertionError("the waiter answers before anybody awaits")

    def waiter(value: Any) -> Any:
        return main.switch(("waiting", getcurrent(), value))

    seen: list[Any] = []

    def session() -> str:
        set_waiter(waiter)
        step = wrap(lambda: (yield_("one"), seen.append(wait(Later())), yield_("two"), "end")[3])
        seen.extend([step(), step(), step()])
        return "done"

    worker = greenlet(session)
    kind, asleep, _ = worker.switch()
    assert kind == "waiting" and seen == []
    assert asleep.switch("answer") == "done"
    assert seen == ["answer", "one", "two", "end"]
