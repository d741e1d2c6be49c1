"""What the rest of the server knows of policy.

A session pins a generation at MAIL FROM and asks it to run callouts. `run` returns an Outcome at once when no module
waited, and an awaitable of one when some module did: look before you await, most callouts never wait.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from msys.lua import Table

CONT, DONE, AGAIN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class PolicyError:
    """A module that failed: the 421 has been decided, this says why."""

    module: str
    callout: str
    text: str  # Lua's own text, `policy.lua:9: attempt to index ...`
    where: str  # `broken/policy.lua:9`
    traceback: str  # Lua traceback, several lines
    kind: str = "error"  # error, missing_return, limit, internal


@dataclass(slots=True)
class Outcome:
    """What one callout over all modules came to. The reply itself is in vctx."""

    verdict: int = CONT
    error: PolicyError | None = None
    decided_by: str = (
        ""  # `dnsbl/policy.lua:23`: the line that last set a code, discarded or disconnected
    )
    results: list[Any] = field(default_factory=list)  # of hooks: first values, in module order
    ran: int = 0  # how many modules have this callout


@dataclass(slots=True)
class PolicyState:
    """The policy side of one session; survives a move to another generation."""

    selves: dict[str, Table] = field(default_factory=dict)  # module name -> its `self`
    entered: set[str] = field(default_factory=set)  # modules that owe a validate_dealloc
    accept: Any = None
    vctx: Any = None


class Generation(Protocol):
    """One complete, loaded set of scripts."""

    number: int

    @property
    def registered(self) -> frozenset[str]:
        """What any module registered; the same for the life of the generation."""
        ...

    def has(self, callout: str) -> bool:
        """Whether any module registered it; a phase nobody registered costs nothing."""
        ...

    def run(
        self, callout: str, state: PolicyState, args: tuple[Any, ...], message: Any = None
    ) -> Outcome | Awaitable[Outcome]:
        """Run `callout` in every module that has it, in order, until one answers DONE or fails."""
        ...

    def run_dealloc(self, state: PolicyState) -> Outcome | Awaitable[Outcome]:
        """validate_dealloc of the modules that ran in this session, and of no other."""
        ...

    def hold(self) -> None:
        """A session or transaction began to use this generation."""
        ...

    def release(self) -> None:
        """It ended; a generation that is old and not held any more is freed."""
        ...


class Policy(Protocol):
    """The policy host."""

    def current(self) -> Generation: ...
