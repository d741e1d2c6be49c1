"""The ports as fakes: virtual time, DNS from a dictionary, canned HTTP, SQL in memory.

They pass the same suite as the real ports (`check_ports.py`) and never wait: what the real ones
answer later, these answer at once. Everything sent is kept. Tests of policy and `moonpost sim` use them.
"""

from __future__ import annotations

import errno
import heapq
import io
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from msys.ports import (
    DnsAnswer,
    Envelope,
    HttpReply,
    PortError,
    Ports,
    SpamReport,
    StoredMessage,
    VirusReport,
)
from msys.ports.memory_state import MemoryState, address, network
from msys.ports.placeholders import MissingParameter, named

if TYPE_CHECKING:
    from msys.message import Message

T = TypeVar("T")

START = 1_700_000_000.0  # an arbitrary fixed moment: runs repeat exactly


class FakeClock:
    """Time that moves only when told to; due calls run on the way, in order."""

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._start = start
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._start

    def sleep(self, seconds: float) -> None:
        self.advance(max(seconds, 0))

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        self._number += 1
        entry = (self._now + max(seconds, 0), self._number, function)
        heapq.heappush(self._due, entry)

        def cancel() -> None:
            if entry in self._due:
                self._due.remove(entry)
                heapq.heapify(self._due)

        return cancel

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, running what falls due."""
        until = self._now + seconds
        while self._due and self._due[0][0] <= until:
            at, _, function = heapq.heappop(self._due)
            self._now = max(self._now, at)
            function()
        self._now = max(self._now, until)


class FakeDns:
    """Records from `{(name, type): [text or (preference, text)]}`; a PortError as value is raised.

    A name without the type asked for is NODATA, an unknown name NXDOMAIN.
    """

    def __init__(self, records: Mapping[tuple[str, str], Any] | None = None) -> None:
        self.records: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        for (name, rtype), value in (records or {}).items():
            self.add(name, rtype, value)

    def add(self, name: str, rtype: str, value: Any) -> None:
        self.records[(name.lower().rstrip("."), rtype.upper())] = value

    def lookup(self, name: str, rtype: str, server: str | None = None) -> Sequence[DnsAnswer]:
        key = (name.lower().rstrip("."), rtype.upper())
        self.asked.append((*key, server))
        found = self.records.get(key)
        if found is None:
            known = any(stored == key[0] for stored, _ in self.records)
            code = "NODATA" if known else "NXDOMAIN"
            raise PortError(code, f"{name} {rtype}: {code}")
        if isinstance(found, PortError):
            raise found
        answers = [
            DnsAnswer(value[1], value[0]) if isinstance(value, tuple) else DnsAnswer(value)
            for value in found
        ]
        return sorted(answers, key=lambda answer: answer.preference or 0)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request that policy made."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout_s: float | None


class FakeHttp:
    """Canned replies by `(method, url)`; anything else cannot be connected to."""

    def __init__(
        self, replies: Mapping[tuple[str, str], HttpReply | PortError] | None = None
    ) -> None:
        self.replies = dict(replies or {})
        self.requests: list[Request] = []

    def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        timeout_s: float | None,
    ) -> HttpReply:
        self.requests.append(Request(method, url, tuple(headers), body, timeout_s))
        reply = self.replies.get((method, url))
        if reply is None:
            raise PortError("COULDNT_CONNECT", f"could not connect to {url}")
        if isinstance(reply, PortError):
            raise reply
        return reply


class _KeptFile(io.BytesIO):
    """A file whose content goes back to the fake when it is closed."""

    def __init__(self, content: bytes, keep: Callable[[bytes], None]) -> None:
        super().__init__(content)
        self._keep = keep

    def close(self) -> None:
        if not self.closed:
            self._keep(self.getvalue())
        super().close()


class FakeFiles:
    """Files in a dictionary of absolute paths."""

    def __init__(self, content: Mapping[str, bytes] | None = None, root: str = "/policy") -> None:
        self.content = dict(content or {})
        self.root = root

    def resolve(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.root}/{path}"

    def read(self, uri: str) -> bytes:
        path = self._path(uri)
        if path not in self.content:
            raise PortError("ENOENT", f"{path}: {os.strerror(errno.ENOENT)}")
        return self.content[path]

    def open(self, uri: str, flags: int, mode: int) -> Any:
        path = self._path(uri)
        if path not in self.content and not flags & os.O_CREAT:
            raise PortError("ENOENT", f"{path}: {os.strerror(errno.ENOENT)}")
        if path in self.content and flags & os.O_EXCL:
            raise PortError("EEXIST", f"{path}: {os.strerror(errno.EEXIST)}")
        old = b"" if flags & os.O_TRUNC else self.content.get(path, b"")
        self.content[path] = old
        handle = _KeptFile(old, lambda new: self.content.__setitem__(path, new))
        if flags & os.O_APPEND:
            handle.seek(0, os.SEEK_END)
        return handle

    def _path(self, uri: str) -> str:
        scheme, found, rest = uri.partition("://")
        if found and scheme != "file":
            raise PortError("EPROTONOSUPPORT", f"{uri}: scheme '{scheme}' is not allowed here")
        return self.resolve(rest if found else uri)


class FakeDatabase:
    """Every datasource named in `names` is one SQLite database in memory; nothing is cached."""

    def __init__(self, names: Sequence[str] = ("test",), max_rows: int = 100) -> None:
        self.connections = {name: sqlite3.connect(":memory:") for name in names}
        self.max_rows = max_rows

    def query(
        self,
        cachename: str,
        sql: str,
        params: Sequence[Any] | Mapping[str, Any],
        *,
        nocache: bool,
    ) -> list[dict[str | int, Any]]:
        cursor = self._run(cachename, sql, params)
        names = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchall() if self.max_rows < 0 else cursor.fetchmany(self.max_rows)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def execute(self, cachename: str, sql: str, params: Sequence[Any] | Mapping[str, Any]) -> int:
        cursor = self._run(cachename, sql, params)
        self.connections[cachename].commit()
        return cursor.rowcount

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()

    def _run(
        self, cachename: str, sql: str, params: Sequence[Any] | Mapping[str, Any]
    ) -> sqlite3.Cursor:
        connection = self.connections.get(cachename)
        if connection is None:
            raise PortError("UNKNOWN_DATASOURCE", f"no datasource named '{cachename}'")
        try:
            return connection.execute(*named(sql, params))
        except (sqlite3.Error, MissingParameter) as error:
            raise PortError("SQL", f"{cachename}: {error}") from error


@dataclass(slots=True)
class FakeLog:
    """Lines of the panic and reject logs."""

    lines: list[tuple[str, str, str]] = field(default_factory=list)  # module, text, level
    rejects: list[tuple[Any, int, str]] = field(default_factory=list)

    def panic(self, module: str, text: str, level: str = "error") -> None:
        self.lines.append((module, text, level))

    def reject(self, session: Any, code: int, text: str) -> None:
        self.rejects.append((session, code, text))

    def told(self, event: str, facts: Mapping[str, Any]) -> None:
        self.lines.append((event, repr(dict(facts)), "info"))

    @property
    def text(self) -> str:
        return "\n".join(f"{module}: {text}" for module, text, _ in self.lines)


@dataclass(slots=True)
class FakeOutbox:
    """Mail that policy made, delayed domains, and delivery figures to answer with."""

    submitted: list[tuple[Message, str, tuple[str, ...]]] = field(default_factory=list)
    delayed: list[tuple[str, str]] = field(default_factory=list)
    domains: dict[str, Any] = field(default_factory=dict)
    failure_rates: dict[tuple[str, str], float] = field(default_factory=dict)

    def submit(self, message: Message, mailfrom: str, recipients: Sequence[str]) -> None:
        self.submitted.append((message, mailfrom, tuple(recipients)))

    def delay_domain(self, domain: str, note: str) -> None:
        self.delayed.append((domain, note))

    def domain(self, name: str) -> Any:
        return self.domains.get(name)

    def failure_rate(self, binding: str, domain: str, period_s: float) -> float:
        return self.failure_rates.get((binding, domain), 0.0)


@dataclass(slots=True)
class FakeConfiguration:
    """Options from dictionaries; `config get` and `config set` work on `options`."""

    options: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    bindings: list[str] = field(default_factory=lambda: ["default"])
    groups: dict[str, list[str]] = field(default_factory=dict)
    suspensions: set[tuple[str, str]] = field(default_factory=set)

    def command(self, words: Sequence[str]) -> tuple[Any, str]:
        action, *rest = words
        if action == "set" and len(rest) > 1:
            self.options[rest[-2].lower()] = rest[-1]
            return rest[-1], "Set"
        name = rest[-1] if rest else ""
        value = self.options.get(name.lower())
        if value is None:
            return None, f"Option '{name}' is not set in scope ''."
        return value, f"{name} = {value}"

    def binding_names(self) -> Sequence[str]:
        return self.bindings

    def suspended(self, binding: str, domain: str) -> bool:
        return (binding, domain) in self.suspensions

    def binding_group(self, name: str) -> Sequence[str] | None:
        return self.groups.get(name)

    def delivery_option(self, option: str, binding: str, domain: str) -> Any:
        return self.options.get(option.lower())

    def option(self, name: str) -> Any:
        return self.options.get(name.lower())

    def module(self, scope: str) -> Mapping[str, Any] | None:
        return self.modules.get(scope)


POOLS = ("SwapOut", "SwapIn", "Unlink", "Batch_Unlink", "Close", "CPU", "IO", "SpoolIn")


class FakePools:
    """Pools that run their jobs at once, and spawned ones when `run_spawned` is called."""

    def __init__(self) -> None:
        self.spawned: deque[tuple[Callable[[], Any], Callable[[Any], None] | None]] = deque()
        self.invocations: dict[str, int] = {}

    def names(self) -> Sequence[str]:
        return POOLS

    def stats(self, name: str) -> Mapping[str, float]:
        return {"invocations": self.invocations.get(name, 0), "num_threads": 1}

    def enter(self, pool: str) -> Callable[[], None]:
        self.invocations[pool] = self.invocations.get(pool, 0) + 1
        return lambda: None

    def run(self, pool: str, job: Callable[[], T]) -> T:
        self.invocations[pool] = self.invocations.get(pool, 0) + 1
        return job()

    def spawn(self, pool: str, job: Callable[[], Any], done: Callable[[Any], None] | None) -> None:
        self.invocations[pool] = self.invocations.get(pool, 0) + 1
        self.spawned.append((job, done))

    def run_spawned(self) -> int:
        """Run what was spawned, also what that spawns; how many jobs ran."""
        ran = 0
        while self.spawned:
            job, done = self.spawned.popleft()
            answer = job()
            ran += 1
            if done is not None:
                done(answer)
        return ran


class FakeSessions:
    """Open sessions and audit counts, as told."""

    def __init__(self, monitors: Sequence[str] = ()) -> None:
        self.open: list[tuple[str, str, str]] = []  # address, service, listener
        self.events: list[tuple[str, str, int]] = []  # kind, address, windows ago
        self.monitors = list(monitors)

    def count(self, cidr: str, service: str, listener: str | None = None) -> int:
        block = network(cidr)
        return sum(
            1
            for where, name, on in self.open
            if name == service and listener in (None, on) and _inside(where, block)
        )

    def monitor(self, kind: str, monitor: str, cidr: str, start: int, end: int) -> float:
        if monitor not in self.monitors:
            raise PortError("UNDEFINED", f"monitor '{monitor}' is not configured")
        block = network(cidr)
        return sum(
            1
            for what, where, ago in self.events
            if what == kind and start <= ago <= end and _inside(where, block)
        )


def _inside(where: str, block: Any) -> bool:
    found = address(where)
    return block is not None and found is not None and found in block


class FakeScanners:
    """Engines that find what they are told to: `viruses` as bytes -> name, `reports` by module.

    A PortError in `down` is raised by the engine or module of that name.
    """

    def __init__(self) -> None:
        self.modules: dict[str, dict[str, Any]] = {}
        self.engines: list[str] = []
        self.viruses: dict[bytes, str] = {}
        self.reports: dict[str, SpamReport] = {}
        self.down: dict[str, PortError] = {}
        self.asked: list[tuple[str, bytes, Envelope | None]] = []

    def settings(self, module: str) -> Mapping[str, Any] | None:
        return self.modules.get(module)

    def virus_engines(self) -> Sequence[str]:
        return self.engines

    def virus(self, engine: str, content: bytes) -> VirusReport:
        if engine not in self.engines:
            raise PortError("NO_ENGINE", f"no virus engine '{engine}' is configured")
        self._ask(engine, content, None)
        for mark, name in self.viruses.items():
            if mark in content:
                return VirusReport("infected", name, f"{name} FOUND")
        return VirusReport("clean", "", "OK")

    def spam(self, module: str, content: bytes, envelope: Envelope) -> SpamReport:
        if module not in self.modules or module not in self.reports:
            raise PortError("NO_ENGINE", f"no engine is configured behind '{module}'")
        self._ask(module, content, envelope)
        return self.reports[module]

    def _ask(self, name: str, content: bytes, envelope: Envelope | None) -> None:
        if name in self.down:
            raise self.down[name]
        self.asked.append((name, content, envelope))


class FakeStore:
    """Stored messages in a dictionary; `down` is raised when set."""

    def __init__(self) -> None:
        self.messages: dict[tuple[str, str], StoredMessage] = {}
        self.down: PortError | None = None

    def load(self, bucket: str, key: str) -> StoredMessage | None:
        self._check()
        return self.messages.get((bucket, key))

    def save(self, bucket: str, key: str, message: StoredMessage) -> None:
        self._check()
        self.messages[bucket, key] = message

    def delete(self, bucket: str, key: str) -> None:
        self._check()
        self.messages.pop((bucket, key), None)

    def _check(self) -> None:
        if self.down is not None:
            raise self.down


@dataclass(slots=True)
class FakePorts(Ports):
    """All fakes together, with their own types."""

    clock: FakeClock
    dns: FakeDns
    http: FakeHttp
    files: FakeFiles
    database: FakeDatabase
    log: FakeLog
    outbox: FakeOutbox
    state: MemoryState
    configuration: FakeConfiguration
    pools: FakePools
    sessions: FakeSessions
    scanners: FakeScanners = field(default_factory=FakeScanners)
    mstore: FakeStore = field(default_factory=FakeStore)


def fake_ports() -> FakePorts:
    """A fresh set of fakes that share one clock."""
    clock = FakeClock()
    return FakePorts(
        clock=clock,
        dns=FakeDns(),
        http=FakeHttp(),
        files=FakeFiles(),
        database=FakeDatabase(),
        log=FakeLog(),
        outbox=FakeOutbox(),
        state=MemoryState(clock.now),
        configuration=FakeConfiguration(),
        pools=FakePools(),
        sessions=FakeSessions(),
    )
