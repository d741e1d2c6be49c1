"""Looks on while callouts run: what each module was asked, answered and changed.

Watches through a Runner that is otherwise the server's own, so that nothing runs differently for being watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from moonpost.policy.interface import CONT, DONE, Outcome, PolicyState
from moonpost.policy.runner import Bound, Runner
from moonpost.sim.report import Asked, Ran
from moonpost.sim.snapshot import differences, look, readable
from msys.catalog import Callout
from msys.lua import tostring
from msys.lua.environment import Environment
from msys.lua.linemap import map_of
from msys.ports import Call, Ports, current

AboutToRun = Callable[[Callable[..., Any], str], None]  # the function, and its callout
VERDICTS = {CONT: "VALIDATE_CONT", DONE: "VALIDATE_DONE"}


class Watcher:
    """Collects what ran. about_to_run: told of each function right before it is called."""

    def __init__(self, about_to_run: AboutToRun | None = None) -> None:
        self.about_to_run = about_to_run
        self._ran: list[Ran] = []
        self._running: dict[int, Ran] = {}  # id of the Call -> what runs in it

    def runner(
        self, environment: Environment, ports: Ports, *, missing_return: str = "error"
    ) -> Runner:
        """What a Host makes its runners with."""
        return WatchedRunner(environment, ports, missing_return=missing_return, watcher=self)

    def take(self) -> list[Ran]:
        """What ran since the last time."""
        ran, self._ran = self._ran, []
        return ran

    def asked(self, kind: str, what: str, answer: str) -> None:
        """The running callout asked the outside."""
        try:
            ran = self._running.get(id(current()))
        except LookupError:
            return
        if ran is not None:
            ran.asked.append(Asked(kind, readable(what), readable(answer)))

    def begin(self, bound: Bound, row: Callout, call: Call) -> Ran:
        message = call.message
        ran = Ran(row.name, row.phase, bound.module, place_of(bound.function))
        if message is not None:
            ran.recipient, ran.message_id = readable(message.recipient), message.id.text
        self._ran.append(ran)
        self._running[id(call)] = ran
        call.output = lambda line: ran.printed.append(readable(line))
        return ran

    def end(self, call: Call) -> None:
        self._running.pop(id(call), None)
        call.output = None


class AnnouncingRunner(Runner):
    """A Runner that tells of each function before it is called, and remembers nothing."""

    def __init__(
        self,
        environment: Environment,
        ports: Ports,
        *,
        missing_return: str,
        about_to_run: AboutToRun,
    ) -> None:
        super().__init__(environment, ports, missing_return=missing_return)
        self._about_to_run = about_to_run

    def _call(self, bound: Bound, self_table: Any, args: tuple[Any, ...], row: Callout) -> Any:
        self._about_to_run(bound.function, row.name)
        return super()._call(bound, self_table, args, row)


class WatchedRunner(Runner):
    """A Runner that tells a Watcher."""

    def __init__(
        self, environment: Environment, ports: Ports, *, missing_return: str, watcher: Watcher
    ) -> None:
        super().__init__(environment, ports, missing_return=missing_return)
        self._watcher = watcher

    def run(
        self,
        rows: Iterable[Bound],
        callout: str,
        state: PolicyState,
        args: tuple[Any, ...],
        message: Any,
    ) -> Outcome:
        outcome = super().run(rows, callout, state, args, message)
        error = outcome.error
        if error is not None:
            last = next(
                ran
                for ran in reversed(self._watcher._ran)
                if (ran.callout, ran.module) == (callout, error.module)
            )
            last.error = error
        return outcome

    def _call(self, bound: Bound, self_table: Any, args: tuple[Any, ...], row: Callout) -> Any:
        call, watcher = current(), self._watcher
        ran = watcher.begin(bound, row, call)
        before, marked = look(call.accept, call.vctx, call.message), _mark(call)
        try:
            if watcher.about_to_run is not None:
                watcher.about_to_run(bound.function, row.name)
            answer = super()._call(bound, self_table, args, row)
            ran.answer = said(answer, row)
            return answer
        finally:
            watcher.end(call)
            ran.changes = differences(before, look(call.accept, call.vctx, call.message))
            mark = _mark(call)
            if mark is not None and mark is not marked:
                ran.decided_by = f"{mark[0]}:{mark[1]}"


def _mark(call: Call) -> tuple[str, int] | None:
    mark: tuple[str, int] | None = None if call.vctx is None else call.vctx.changed_at
    return mark


def said(answer: Any, row: Callout) -> str:
    """A function's answer in words."""
    if row.answers == "verdict" and not isinstance(answer, bool) and answer in VERDICTS:
        return VERDICTS[answer]
    return readable(tostring(answer))


def place_of(function: Callable[..., Any]) -> str:
    """`dnsbl/policy.lua:19`: where a function begins; empty for one that is not of policy."""
    code = getattr(function, "__code__", None)
    line_map = map_of(code) if code is not None else None
    if code is None or line_map is None:
        return ""
    return f"{line_map.source}:{line_map.lua_line(code.co_firstlineno)}"
