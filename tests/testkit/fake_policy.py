"""A policy generation made of Python functions, for tests of everything that asks policy.

`on("validate_rcptto", function)` registers; a function gets the callout's documented arguments and may return a
verdict, an awaitable of one, or raise. `ran` lists what was called, in order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

from moonpost.policy.interface import Outcome, PolicyError, PolicyState
from msys.catalog import callouts


class FakeGeneration:
    """One set of functions. Hooks that answer with numbers have their results collected."""

    def __init__(self, number: int = 1) -> None:
        self.number = number
        self.functions: dict[str, list[Callable[..., Any]]] = {}
        self.ran: list[str] = []
        self.users = 0

    def on(self, callout: str, function: Callable[..., Any]) -> None:
        """Register a module's function. An unknown callout is a mistake of the test."""
        assert callout in callouts(), callout
        self.functions.setdefault(callout, []).append(function)

    @property
    def registered(self) -> frozenset[str]:
        return frozenset(self.functions)

    def has(self, callout: str) -> bool:
        return callout in self.functions

    def run(
        self, callout: str, state: PolicyState, args: tuple[Any, ...], message: Any = None
    ) -> Outcome | Awaitable[Outcome]:
        self.ran.append(callout)
        assert len(args) == len(callouts()[callout].arguments), callout
        outcome = Outcome()
        for at, function in enumerate(self.functions[callout]):
            outcome.ran += 1
            state.entered.add(f"module-{at}")
            try:
                answer = function(*args)
            except Exception as error:
                outcome.error = _error(error, callout)
                return outcome
            if isawaitable(answer):
                return _later(answer, outcome, callout)
            _take(answer, outcome, callout)
            if outcome.verdict:
                break
        return outcome

    def run_dealloc(self, state: PolicyState) -> Outcome | Awaitable[Outcome]:
        return self.run("validate_dealloc", state, ())

    def hold(self) -> None:
        self.users += 1

    def release(self) -> None:
        self.users -= 1


class FakePolicy:
    """A policy host whose generation a test can replace."""

    def __init__(self, generation: FakeGeneration | None = None) -> None:
        self.generation = generation or FakeGeneration()

    def current(self) -> FakeGeneration:
        return self.generation


def _take(answer: Any, outcome: Outcome, callout: str) -> None:
    if callouts()[callout].answers == "verdict":
        outcome.verdict = int(answer or 0)
    else:
        outcome.results.append(answer)


async def _later(awaitable: Awaitable[Any], outcome: Outcome, callout: str) -> Outcome:
    try:
        _take(await awaitable, outcome, callout)
    except Exception as error:
        outcome.error = _error(error, callout)
    return outcome


def _error(error: Exception, callout: str) -> PolicyError:
    return PolicyError("module", callout, str(error), "policy.lua:1", "")
