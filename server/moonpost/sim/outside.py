"""The outside of a simulation: nothing leaves this process, and no time passes but on the virtual clock.

Files are read for real and never written. SQLite databases are copied into memory: what is there is found, what policy
writes is forgotten. DNS answers what it was given. HTTP and SNMP reach nobody; what they would have sent is noted.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moonpost.adapters.files import PolicyFiles
from moonpost.sim.zone import Records, look_up
from msys.ports import DnsAnswer, Envelope, HttpReply, PortError, SpamReport, VirusReport
from msys.testing.fakes import FakeDatabase

Note = Callable[[str, str, str], None]  # kind, question, answer

Options = Mapping[str, Any]
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Unreadable(Exception):
    """A file that the simulation should have been given, and could not read."""


class SimulatedDns:
    """The Dns port over given records. Answers later, as a resolver does, so that policy suspends."""

    def __init__(self, records: Records, note: Note) -> None:
        self._records = records
        self._note = note

    def lookup(
        self, name: str, rtype: str, server: str | None = None
    ) -> Awaitable[Sequence[DnsAnswer]]:
        question = f"{name} {rtype}" + (f" @{server}" if server else "")
        try:
            answers = look_up(self._records, name, rtype)
        except PortError as error:
            self._note("dns", question, error.code)
            return _later(error)
        self._note("dns", question, ", ".join(answer.text for answer in answers))
        return _later(answers)


async def _later(answer: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(answer, PortError):
        raise answer
    return answer


class SimulatedHttp:
    """The Http port: nobody is there."""

    def __init__(self, note: Note) -> None:
        self._note = note

    def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        timeout_s: float | None,
    ) -> HttpReply:
        self._note("http", f"{method} {url} ({len(body)} bytes)", "COULDNT_CONNECT")
        raise PortError("COULDNT_CONNECT", f"could not connect to {url}: this is a simulation")


class SimulatedSnmp:
    """The Snmp port: traps are noted."""

    def __init__(self, note: Note) -> None:
        self._note = note

    def trap(
        self,
        oid: str,
        variable: str,
        kind: str,
        value: str | int,
        destination: tuple[str, int] | None,
        community: str | None,
    ) -> None:
        self._note("snmp", f"{oid} {variable} {kind} {value}", "not sent")


class SimulatedScanners:
    """The Scanners port: virus engines that know the EICAR test file and nothing else; no spam engine answers.

    virus, modules: options by name, as the configuration has them.
    """

    def __init__(
        self, virus: Mapping[str, Options], modules: Mapping[str, Options], note: Note
    ) -> None:
        self._virus, self._modules, self._note = virus, modules, note

    def settings(self, module: str) -> Options | None:
        return self._virus.get(module, self._modules.get(module))

    def virus_engines(self) -> Sequence[str]:
        return list(self._virus)

    def virus(self, engine: str, content: bytes) -> VirusReport:
        if engine not in self._virus:
            raise PortError("NO_ENGINE", f"no virus engine '{engine}' is configured")
        infected = EICAR in content
        report = (
            VirusReport("infected", "Eicar-Test-Signature", "Eicar-Test-Signature FOUND")
            if infected
            else VirusReport("clean", "", "OK")
        )
        self._note("scanner", f"{engine} ({len(content)} bytes)", report.reply)
        return report

    def spam(self, module: str, content: bytes, envelope: Envelope) -> SpamReport:
        if module not in self._modules:
            raise PortError("NO_ENGINE", f"no engine is configured behind '{module}'")
        self._note("scanner", f"{module} ({len(content)} bytes)", "UNREACHABLE")
        raise PortError("UNREACHABLE", f"{module}: a simulation has no such engine")


class ReadOnlyFiles(PolicyFiles):
    """Files that are there can be read; nothing is written."""

    def open(self, uri: str, flags: int, mode: int) -> Awaitable[Any]:
        if flags & WRITING:
            raise PortError("EROFS", f"{uri}: a simulation writes no files")
        return super().open(uri, flags, mode)


class SimulatedDatabase(FakeDatabase):
    """Every datasource in memory, filled from its SQLite file, or from SQL files where it has none."""

    def __init__(
        self, sources: Mapping[str, Sequence[str]], scripts: Mapping[str, Sequence[Path]]
    ) -> None:
        super().__init__(names=[*sources, *(name for name in scripts if name not in sources)])
        self._elsewhere: dict[str, str] = {}
        for name, connection in self.connections.items():
            uri = next(iter(sources.get(name, ())), "")
            given = scripts.get(name, ())
            if not _copied(uri, connection) and not given and uri:
                self._elsewhere[name] = uri.partition(":")[0]
            elif given and not _tables(connection):
                for path in given:
                    _fill(connection, path)

    def _run(
        self, cachename: str, sql: str, params: Sequence[Any] | Mapping[str, Any]
    ) -> sqlite3.Cursor:
        if cachename in self._elsewhere:
            raise PortError(
                "CONNECT",
                f"datasource '{cachename}' is {self._elsewhere[cachename]}, and a simulation connects "
                f"to nothing; fill it with --sql {cachename}=FILE",
            )
        return super()._run(cachename, sql, params)


def _copied(uri: str, into: sqlite3.Connection) -> bool:
    """Copy an SQLite file into memory; whether the datasource is one, there or not."""
    if not uri:
        return False
    from moonpost.adapters.database import (
        url_of,
    )  # loads SQLAlchemy: only when there is a datasource

    url = url_of(uri)
    if not url.drivername.startswith("sqlite"):
        return False
    path = Path(url.database or "")
    if path.is_file():
        origin = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            origin.backup(into)
        except sqlite3.Error as error:
            raise Unreadable(f"database {path} cannot be read: {error}") from None
        finally:
            origin.close()
    return True


def _tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _fill(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.executescript(path.read_text(encoding="utf-8"))
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path}: {error}") from None
