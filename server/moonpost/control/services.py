"""What the console asks the rest of the server for.

The server wires these; a service that is left out makes its commands say that they are not available.
Methods return at once or an awaitable, as in msys.ports.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from moonpost.config.live import LiveConfiguration
from msys.ports import Sessions, State


class ReloadFailed(Exception):
    """Configuration or policy cannot be used; the text says why, the old generation serves on."""

    def __init__(self, text: str, *, policy: bool = False) -> None:
        super().__init__(text)
        self.policy = policy


class Scripts(Protocol):
    """Policy as the console sees it."""

    def policy_hash(self) -> str:
        """A hash over the sources of the policy in force."""
        ...

    def generations(self) -> Sequence[Mapping[str, Any]]:
        """`number`, `current`, `sessions` of each generation that is still used."""
        ...

    def has_command(self, word: str) -> bool:
        """Whether a script registered the command by msys.registerControl."""
        ...

    def run_command(self, words: Sequence[str]) -> Awaitable[str]:
        """Run it; what it printed. Raises CommandFailed with Lua's text."""
        ...

    def evaluate(self, chunk: str) -> Awaitable[str]:
        """Run a chunk of Lua; what it printed and returned. Raises CommandFailed."""
        ...


class CommandFailed(Exception):
    """A command that went wrong; the text goes to the console."""


class PoolFigures(Protocol):
    """The thread pools as the console sees them."""

    def names(self) -> Sequence[str]: ...
    def stats(self, name: str) -> Mapping[str, float]: ...


class Queues(Protocol):
    """The queues as the console sees them. Rows are mappings of column to value."""

    def summary(self) -> Sequence[Mapping[str, Any]]:
        """`domain`, `active`, `delayed`, `connections`, `sent` of each domain with mail, and `state`: why it waits."""
        ...

    def bindings(self) -> Sequence[Mapping[str, Any]]:
        """`binding`, `active`, `delayed`, `connections`, `sent` of each binding."""
        ...

    def messages(
        self, domain: str, binding: str | None, limit: int, offset: int
    ) -> Awaitable[Sequence[Mapping[str, Any]]]:
        """`id`, `sender`, `recipient`, `attempts`, `next_attempt` of queued messages."""
        ...

    # A dry run changes nothing and says how many messages it would be about.

    def flush(self, domain: str | None, *, dry_run: bool = False) -> Awaitable[int]:
        """Make delayed messages due now, None: of every domain; how many."""
        ...

    def refresh(self, domain: str) -> Awaitable[int]:
        """Forget what is known about the hosts of a domain."""
        ...

    def fail(self, domain: str, *, quiet: bool, dry_run: bool = False) -> Awaitable[int]:
        """Fail the mail of a domain, without notifications when quiet; how many."""
        ...

    def retry_message(self, message_id: str, *, dry_run: bool = False) -> Awaitable[bool]: ...
    def fail_message(self, message_id: str, *, dry_run: bool = False) -> Awaitable[bool]: ...
    def reroute(self, old: str, new: str, *, dry_run: bool = False) -> Awaitable[int]: ...
    def rebind(
        self, binding: str, domain: str | None, *, dry_run: bool = False
    ) -> Awaitable[int]: ...


Wanted = tuple[Sequence[str], Sequence[str]]  # bindings and domains; an empty one stands for all
Touched = Sequence[tuple[str, str]]  # binding and domain of each queue


class Adaptive(Protocol):
    """Adaptive delivery as the console sees it. A dry run says what it would touch and changes nothing."""

    def suspensions(self, wanted: Wanted) -> Sequence[Mapping[str, Any]]:
        """`binding`, `domain`, `kind`, `ttl`, `enable`, `reason`."""
        ...

    def override(
        self, wanted: Wanted, *, enable: bool, ttl_s: float | None, dry_run: bool
    ) -> Touched: ...

    def tuned(self, wanted: Wanted) -> Sequence[Mapping[str, Any]]:
        """`binding`, `domain`, `option`, `value`, `since`, `reason`."""
        ...

    def reset(self, wanted: Wanted, *, dry_run: bool) -> Touched: ...
    def rules(self, binding: str, domain: str) -> str: ...
    def ages(self) -> Sequence[Mapping[str, Any]]: ...
    def set_age(self, binding: str, age_s: float) -> None: ...


class Traced(Protocol):
    """One `trace smtp add`, as `trace smtp list` shows it."""

    file: Any
    binding: str
    domain: str
    peer: str
    written: int


class Tracing(Protocol):
    """Sessions that are written out."""

    @property
    def active(self) -> Mapping[int, Any]: ...

    def add(self, path: str, *, binding: str = "*", domain: str = "*", peer: str = "") -> int:
        """OSError, ValueError say why not."""
        ...

    def remove(self, number: int) -> bool: ...


@dataclass(slots=True)
class Services:
    """Everything the handlers may call."""

    configuration: LiveConfiguration
    version: str
    reload: Callable[[str | None], Awaitable[Sequence[str]]] | None = None
    """Read configuration (of another path, when given) and policy again and adopt both, or raise
    ReloadFailed and adopt neither; lines to print. Left out: the configuration alone is read."""
    shutdown: Callable[[], None] | None = None
    reopen_logs: Callable[[], None] | None = None
    panic_lines: Callable[[], Mapping[str, Sequence[str]]] | None = None  # level -> latest lines
    scripts: Scripts | None = None
    queues: Queues | None = None
    state: State | None = None
    pools: PoolFigures | None = None
    sessions: Sessions | None = None
    acceptors: Callable[[], Sequence[Mapping[str, Any]]] | None = None
    """A row for each process that accepts mail beside this one."""
    adaptive: Adaptive | None = None
    tracing: Tracing | None = None
