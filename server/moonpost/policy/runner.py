"""Runs one callout over every module that registered it, inside one greenlet.

What each kind of answer means is a table. What an error becomes for the client is decided by the phases, not here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from moonpost.policy import blame
from moonpost.policy.interface import AGAIN, CONT, DONE, Outcome, PolicyState
from moonpost.policy.timing import TIMINGS
from msys.catalog import Callout, callouts
from msys.lua import Table, first
from msys.lua.environment import Environment, enter
from msys.lua.metatables import set_metatable
from msys.ports import Call, PolicyLimit, Ports, enter_call, wait

AGAIN_MAX = 100  # chosen: a callout that answers AGAIN this often in one phase is stuck


@dataclass(frozen=True, slots=True)
class Bound:
    """A module's function for one callout."""

    module: str
    function: Callable[..., Any]
    takes: int | None  # how many arguments after self it names; None: any number
    registered: Table


def bind(module: str, function: Callable[..., Any], registered: Table) -> Bound:
    """How to call `function`: a callout is given as many arguments as its text names, no more."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return Bound(module, function, None, registered)
    return Bound(module, function, max(code.co_argcount - 1, 0), registered)


def arguments(bound: Bound, self_table: Table, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The argument list of a call: cut or filled with nil to what the function names."""
    if bound.takes is None or bound.takes == len(args) > 0:
        return (self_table, *args)
    filled = args[: bound.takes] + (None,) * (bound.takes - len(args))
    code = bound.function.__code__
    return (self_table, *filled) if code.co_argcount else ()


def session_table(metatable: Table) -> Table:
    """A module's `self` for one session: empty, and falling back on what the metatable says."""
    fresh = Table()
    set_metatable(fresh, metatable)
    return fresh


class Runner:
    """Runs callouts in one generation's environment."""

    def __init__(
        self, environment: Environment, ports: Ports, *, missing_return: str = "error"
    ) -> None:
        self._environment = environment
        self._ports = ports
        self._lenient = missing_return == "cont"
        # Of the `self` of each module, made once: a metatable of its own for each session costs 20 us.
        self._metatables: dict[str, Table] = {}

    def run(
        self,
        rows: Iterable[Bound],
        callout: str,
        state: PolicyState,
        args: tuple[Any, ...],
        message: Any,
    ) -> Outcome:
        """Call each module in turn until one answers DONE or fails. Runs inside a greenlet."""
        began = perf_counter()
        row = callouts()[callout]
        outcome = Outcome()
        call = Call(
            self._ports,
            self._environment,
            callout=callout,
            phase=row.phase,
            accept=state.accept,
            vctx=state.vctx,
            message=message,
            can_wait=row.suspends,
        )
        enter(self._environment)
        enter_call(call)
        verdicts = row.answers == "verdict"
        for bound in rows:
            outcome.ran += 1
            call.script = bound.module
            self_table = self._self_for(bound, state, row)
            try:
                answer = self._call(bound, self_table, args, row)
            except Exception as error:
                outcome.error = blame.of_exception(error, bound.module, callout)
            except PolicyLimit as limit:
                outcome.error = blame.of_limit(limit, bound.module, callout)
            else:
                if not (
                    verdicts and answer.__class__ is int and answer == CONT
                ):  # what most answer
                    self._judge(answer, bound.module, row, outcome)
            finally:
                while call.at_end:
                    call.at_end.pop()()
            if outcome.error is not None or outcome.verdict == DONE:
                break
        TIMINGS.add(callout, perf_counter() - began)
        return outcome

    def _self_for(self, bound: Bound, state: PolicyState, row: Callout) -> Table:
        if row.phase == "init":
            return bound.registered
        if "vctx" not in row.arguments and row.name != "validate_dealloc":
            return session_table(self._metatable(bound))
        table = state.selves.get(bound.module)
        if table is None:
            table = state.selves[bound.module] = session_table(self._metatable(bound))
        state.entered.add(bound.module)
        return table

    def _metatable(self, bound: Bound) -> Table:
        found = self._metatables.get(bound.module)
        if found is None:
            found = self._metatables[bound.module] = Table({"__index": bound.registered})
        return found

    def _call(self, bound: Bound, self_table: Table, args: tuple[Any, ...], row: Callout) -> Any:
        given = arguments(bound, self_table, args)
        answer = first(bound.function(*given))
        if row.answers == "verdict":
            for _ in range(AGAIN_MAX):
                if answer != AGAIN or isinstance(answer, bool):
                    break
                wait(self._ports.clock.sleep(0))
                answer = first(bound.function(*given))
        return answer

    def _judge(self, answer: Any, module: str, row: Callout, outcome: Outcome) -> None:
        if row.answers == "verdict":
            if (
                isinstance(answer, (int, float))
                and not isinstance(answer, bool)
                and answer in (CONT, DONE)
            ):
                outcome.verdict = int(answer)
            elif answer is None and (self._lenient or row.name == "validate_set_binding"):
                outcome.verdict = CONT
            else:
                outcome.error = blame.of_answer(answer, module, row.name)
        elif row.answers == "true":
            outcome.results.append(answer)
            if row.name == "init" and (answer is None or answer is False):
                outcome.error = blame.of_init(answer, module)
        elif row.answers in ("number", "hook", "any"):
            outcome.results.append(answer)
            if row.answers in ("number", "hook") and answer not in (None, 0, False):
                outcome.verdict = DONE  # the first module that answers something stops the others
