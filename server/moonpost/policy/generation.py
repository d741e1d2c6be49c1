"""One complete, loaded set of scripts, and who still uses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from moonpost.policy.bridge import Bridge
from moonpost.policy.interface import Outcome, PolicyState
from moonpost.policy.runner import Bound, Runner, bind
from msys.catalog import callouts
from msys.lua.environment import Environment

NOTHING_RAN = Outcome()

# Other spellings that documents and scripts use for the same moment.
SAME_AS = {
    "core_validate_auth_hook": "core_validate_auth",
    "generic_delivery_http_request_eval": "http_request_eval",
    "generic_delivery_http_response_eval": "http_response_eval",
    "msg_dispose": "generic_delivery_msg_dispose",
    "core_post_final_validation_v1": "core_post_final_validation",
}


def table_of(environment: Environment) -> dict[str, tuple[Bound, ...]]:
    """Callout name to the modules that registered it, in order. A later registration of a name replaces the earlier."""
    modules = {registration.name: registration for registration in environment.registrations}
    found: dict[str, list[Bound]] = {}
    for name, registration in modules.items():
        for key, value in list(registration.table.items()):
            callout = SAME_AS.get(key, key) if isinstance(key, str) else None
            if callout in callouts() and callable(value):
                found.setdefault(str(callout), []).append(bind(name, value, registration.table))
    return {callout: tuple(rows) for callout, rows in found.items()}


def unusable(environment: Environment) -> list[str]:
    """Names of modules that registered nothing the server calls."""
    used = {bound.module for rows in table_of(environment).values() for bound in rows}
    return [r.name for r in environment.registrations if r.name not in used]


class Generation:
    """The scripts a session runs. Counts its users, and says when the last one has gone."""

    def __init__(
        self,
        number: int,
        environment: Environment,
        bridge: Bridge,
        runner: Runner,
        on_idle: Callable[[Generation], None],
        hashes: dict[str, str],
    ) -> None:
        self.number = number
        self.environment = environment
        self.hashes = hashes  # path of each source file -> sha256
        self.users = 0
        self._bound = table_of(environment)
        self.registered = frozenset(self._bound)
        self._bridge = bridge
        self._runner = runner
        self._on_idle = on_idle

    def has(self, callout: str) -> bool:
        return callout in self._bound

    def run(
        self, callout: str, state: PolicyState, args: tuple[Any, ...], message: Any = None
    ) -> Outcome | Awaitable[Outcome]:
        rows = self._bound.get(callout)
        if rows is None:
            return NOTHING_RAN
        answer: Outcome | Awaitable[Outcome] = self._bridge.start(
            self._runner.run, rows, callout, state, args, message
        )
        return answer

    def run_dealloc(self, state: PolicyState) -> Outcome | Awaitable[Outcome]:
        """validate_dealloc, in the modules that ran in this session and in no other."""
        owed = self._bound.get("validate_dealloc", ())
        rows = tuple(bound for bound in owed if bound.module in state.entered)
        if not rows:
            return NOTHING_RAN
        answer: Outcome | Awaitable[Outcome] = self._bridge.start(
            self._runner.run, rows, "validate_dealloc", state, (), None
        )
        return answer

    def hold(self) -> None:
        self.users += 1

    def release(self) -> None:
        self.users -= 1
        if self.users == 0:
            self._on_idle(self)
