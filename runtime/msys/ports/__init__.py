"""Everything policy can reach outside itself, as small protocols.

`msys` imports nothing of the server: the server (or a test, or `moonpost sim`) puts implementations here. A method
returns its value, or an awaitable of it; runtime functions call `wait(...)` around it and never mind which.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from msys.lua.environment import Environment
    from msys.message import Message

T = TypeVar("T")
Later: TypeAlias = T | Awaitable[T]


class PortError(Exception):
    """The outside said no. `code` is for programs (`NXDOMAIN`, an errno name), the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class PolicyLimit(BaseException):
    """Policy used up its time or its matching. Not an Exception: Lua's pcall must not hide it."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> Later[None]: ...

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """Run `function` on the event loop after `seconds`; returns how to cancel it."""
        ...


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """One record: its text, and its preference when the type has one."""

    text: str
    preference: int | None = None


class Dns(Protocol):
    def lookup(
        self, name: str, rtype: str, server: str | None = None
    ) -> Later[Sequence[DnsAnswer]]:
        """Records in answer order, MX best first. PortError NXDOMAIN, NODATA, SERVFAIL, REFUSED, TIMEOUT, FORMERR."""
        ...


@dataclass(frozen=True, slots=True)
class HttpReply:
    status: int
    reason: str
    headers: Sequence[tuple[str, str]]
    body: bytes


class Http(Protocol):
    def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        timeout_s: float | None,
    ) -> Later[HttpReply]:
        """PortError with a curl-like word (`COULDNT_CONNECT`, `OPERATION_TIMEDOUT`, …) when no reply came."""
        ...


class Files(Protocol):
    def read(self, uri: str) -> Later[bytes]:
        """Whole content; PortError with the errno name."""
        ...

    def open(self, uri: str, flags: int, mode: int) -> Later[Any]:
        """A binary file object opened with O_* flags."""
        ...

    def resolve(self, path: str) -> str:
        """A relative path made absolute by the configuration's search path."""
        ...


class Database(Protocol):
    def query(
        self, cachename: str, sql: str, params: Sequence[Any] | Mapping[str, Any], *, nocache: bool
    ) -> Later[list[dict[str | int, Any]]]:
        """Rows by column name, at most max_rows; PortError for an unknown datasource or a failed statement."""
        ...

    def execute(
        self, cachename: str, sql: str, params: Sequence[Any] | Mapping[str, Any]
    ) -> Later[int]: ...


class Log(Protocol):
    def panic(self, module: str, text: str, level: str = "error") -> None:
        """One line of the panic log: `<time>:<module>: <text>`."""
        ...

    def reject(self, session: Any, code: int, text: str) -> None:
        """One line of the reject log."""
        ...

    def told(self, event: str, facts: Mapping[str, Any]) -> None:
        """Something that mail told us about other mail: a complaint (`feedback`) or a bounce (`bounce`)."""
        ...


class Outbox(Protocol):
    """The queue as policy sees it."""

    def submit(self, message: Message, mailfrom: str, recipients: Sequence[str]) -> Later[None]:
        """Queue new mail made by policy: one copy per recipient, set_binding and final validation run on it."""
        ...

    def delay_domain(self, domain: str, note: str) -> None: ...

    def domain(self, name: str) -> Any:
        """Delivery counters of a domain, as a DomainRecord; None for a bad name."""
        ...

    def failure_rate(self, binding: str, domain: str, period_s: float) -> Later[float]: ...


class State(Protocol):
    """Shared state: in this process by default, in Redis or Valkey when several share it."""

    def counter_open(self, path: str, semantics: str) -> Later[str]:
        """A handle of the counter; the other calls take it in place of a path, also after an unlink."""
        ...

    def counter_add(self, path: str, delta: int) -> Later[int]: ...
    def counter_read(self, path: str) -> Later[int]: ...
    def counter_reset(self, path: str) -> Later[None]: ...
    def counter_unlink(self, path: str) -> Later[None]: ...
    def counter_list(self) -> Later[list[tuple[int, float, str, str]]]: ...
    def gauge_define(self, name: str, maxelems: int, ttl: float, replicated: bool) -> None: ...
    def gauge_add(self, name: str, key: str, delta: int) -> Later[int]: ...
    def gauge_get(self, name: str, key: str) -> Later[int]: ...
    def gauge_remove(self, name: str, key: str) -> Later[None]: ...
    def series_define(
        self, name: str, kind: str, interval: float, windows: int, options: Mapping[str, Any]
    ) -> None: ...
    def series_add(self, name: str, key: str, count: float) -> Later[None]: ...
    def series_count(self, name: str, key: str, start: int, end: int) -> Later[float]: ...
    def series_remove(self, name: str, key: str) -> Later[None]: ...
    def share_get(self, key: str) -> Later[Any]: ...
    def share_set(self, key: str, value: Any) -> Later[None]: ...


class Configuration(Protocol):
    """The live configuration as policy sees it."""

    def command(self, words: Sequence[str]) -> tuple[Any, str]:
        """`config get|eval|set|unset ...`: the value, and the text the console would have printed."""
        ...

    def binding_names(self) -> Sequence[str]: ...
    def binding_group(self, name: str) -> Sequence[str] | None:
        """Members of a group; None when there is no such group."""
        ...

    def suspended(self, binding: str, domain: str) -> bool:
        """Whether nothing is delivered at present from a binding to a domain."""
        ...

    def delivery_option(self, option: str, binding: str, domain: str) -> Any:
        """An option with its fallback and default, typed."""
        ...

    def option(self, name: str) -> Any:
        """A global option with its default, typed."""
        ...

    def module(self, scope: str) -> Mapping[str, Any] | None:
        """The options of a module's stanza (`opendkim`, `dkim_sign`, …); None when it is not configured."""
        ...


class Pools(Protocol):
    """Named job pools: `IO`, `CPU`, `DNS`, …"""

    def names(self) -> Sequence[str]: ...
    def stats(self, name: str) -> Mapping[str, float]: ...
    def enter(self, pool: str) -> Later[Callable[[], None]]:
        """Take a place in the pool, when one is free; returns how to give it back."""
        ...

    def run(self, pool: str, job: Callable[[], T]) -> Later[T]:
        """Run blocking Python work off the event loop."""
        ...

    def spawn(self, pool: str, job: Callable[[], Any], done: Callable[[Any], None] | None) -> None:
        """Run a policy function in a greenlet of its own, starting after the present callout returned."""
        ...


class Sessions(Protocol):
    """Who is connected, and what the inbound audit counted."""

    def count(self, cidr: str, service: str, listener: str | None = None) -> int: ...
    def monitor(self, kind: str, monitor: str, cidr: str, start: int, end: int) -> Later[float]:
        """kind: connections, receptions, rejections. PortError when the monitor is not configured."""
        ...


class Snmp(Protocol):
    """SNMP traps."""

    def trap(
        self,
        oid: str,
        variable: str,
        kind: str,
        value: str | int,
        destination: tuple[str, int] | None,
        community: str | None,
    ) -> None:
        """Send one trap, without waiting; to all configured destinations when none is given.

        kind: string, counter, gauge, IP.
        """
        ...


@dataclass(frozen=True, slots=True)
class VirusReport:
    """What a virus engine found.

    verdict: clean, infected, encrypted (a container it cannot open), or limit (larger or deeper than it looks).
    name: of the malware or of the limit. reply: the engine's own words.
    """

    verdict: str
    name: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an anti-spam engine wants to know beside the content; empty: not known."""

    sender: str = ""
    recipients: Sequence[str] = ()
    ip: str = ""
    helo: str = ""
    user: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class SpamReport:
    """What an anti-spam engine thinks of a message.

    engine: who really judged: `rspamd`, `spamd`. action: `pass`, `later` (the engine wants to see it again),
    `mark` (probably spam) or `reject`. score is on the engine's own scale, where `mark_at` and `reject_at`
    are what it calls probable and certain. symbols: the tests that fired. tag: the engine's name of this scan.
    """

    engine: str
    action: str
    score: float
    mark_at: float
    reject_at: float
    symbols: Sequence[str] = ()
    tag: str = ""


class Scanners(Protocol):
    """Engines that judge content, under the names of the modules that policy was written for."""

    def settings(self, module: str) -> Mapping[str, Any] | None:
        """The options of a module's stanza (`clamav`, `cloudmark`, …); None when it is not configured."""
        ...

    def virus_engines(self) -> Sequence[str]:
        """Configured virus engines in the order of the configuration."""
        ...

    def virus(self, engine: str, content: bytes) -> Later[VirusReport]:
        """PortError NO_ENGINE, UNREACHABLE, TIMEOUT, or ENGINE with what the engine complained about."""
        ...

    def spam(self, module: str, content: bytes, envelope: Envelope) -> Later[SpamReport]:
        """Ask the engine that is configured behind `module`. PortError as `virus` raises."""
        ...


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message in a store: its bytes and its envelope."""

    content: bytes
    sender: str = ""
    recipient: str = ""


class MessageStore(Protocol):
    """Messages kept by bucket and key until they are delivered for sure, or old."""

    def load(self, bucket: str, key: str) -> Later[StoredMessage | None]:
        """None when there is none. PortError when the store cannot answer."""
        ...

    def save(self, bucket: str, key: str, message: StoredMessage) -> Later[None]: ...

    def delete(self, bucket: str, key: str) -> Later[None]:
        """Nothing happens when there is none."""
        ...


@dataclass(slots=True)
class Ports:
    """One implementation of each; a process has one of these."""

    clock: Clock
    dns: Dns
    http: Http
    files: Files
    database: Database
    log: Log
    outbox: Outbox
    state: State
    configuration: Configuration
    pools: Pools
    sessions: Sessions
    services: dict[str, Any] = field(
        default_factory=dict
    )  # state of msys packages that outlives a generation
    snmp: Snmp | None = None  # None: not provided here
    scanners: Scanners | None = None
    mstore: MessageStore | None = None


@dataclass(slots=True)
class Call:
    """The policy call that is running: what the implicit arguments of API functions mean."""

    ports: Ports
    environment: Environment
    callout: str = ""  # validate_data, init, timer, control, …; empty in a main chunk
    phase: str = ""  # the phase word of the catalogue; empty outside sessions
    script: str = ""  # module name of the registration that is running
    accept: Any = None
    vctx: Any = None
    message: Message | None = None
    can_wait: bool = True  # what msys.asyncOk answers
    output: Callable[[str], None] | None = None  # where print goes; None: the panic log
    at_end: list[Callable[[], None]] = field(
        default_factory=list
    )  # run when the callout returned (held locks, spawned jobs)


_call: ContextVar[Call] = ContextVar("msys_call")


def current() -> Call:
    """The running call. Raises LookupError when no policy is running."""
    return _call.get()


def enter_call(call: Call) -> None:
    """Make `call` the running one of this context (one greenlet, one task)."""
    _call.set(call)


_waiter: ContextVar[Callable[[Awaitable[Any]], Any]] = ContextVar("msys_waiter")


def wait(value: Later[T]) -> T:
    """What `value` is, or will be: an awaitable puts this greenlet to sleep until the event loop has the answer."""
    if isawaitable(value):
        return _waiter.get()(value)  # type: ignore[no-any-return]
    return value


def set_waiter(waiter: Callable[[Awaitable[Any]], Any]) -> None:
    """How this context waits: the server's greenlet bridge, or a private event loop."""
    _waiter.set(waiter)
