"""PostgreSQL and MariaDB of the test's own on free loopback ports, from their Debian packages.

Nothing is synced to disk: these databases live for seconds. PostgreSQL refuses to run as root, so as root it runs as nobody.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from testkit.engines import free_port
from testkit.small_server import until

USER, DATABASE = "moonpost", "moonpost"
POSTGRESQL_FOLDERS = (
    "/usr/lib/postgresql"  # Debian keeps one folder for each version, none of them on the path
)


@dataclass(slots=True)
class Server:
    """A running database server: its URI, and how to end and begin it."""

    uri: str
    port: int
    command: Sequence[str]
    folder: Path
    user: str | None
    ends_by: signal.Signals  # what makes it end without waiting for its clients
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdout=output, stderr=subprocess.STDOUT, user=self.user
            )

    def stop(self) -> None:
        self._end(self.ends_by)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(how)
            process.wait(20)

    def said(self) -> str:
        return (self.folder / "output").read_text(errors="replace")


@contextmanager
def postgresql() -> Iterator[Server]:
    """Skips the test where there is none."""
    folders = sorted(Path(POSTGRESQL_FOLDERS).glob("*/bin"))
    if not folders:
        pytest.skip("needs the Debian package postgresql")
    programs = folders[-1]
    user = "nobody" if os.getuid() == 0 else None
    port = free_port()
    with open_folder(user) as folder:
        data = folder / "data"
        _run(
            programs / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
            user=user,
        )
        command = [
            *(str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port)),
            *("-k", str(folder), "-c", "fsync=off", "-c", "shared_buffers=16MB"),
        ]
        uri = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        with _served(Server(uri, port, command, folder, user, signal.SIGINT)) as server:
            ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            assert until(lambda: _answers(ready)), server.said()
            yield server


@contextmanager
def mariadb() -> Iterator[Server]:
    """Skips the test where there is none."""
    install, daemon, admin = map(_program, ("mariadb-install-db", "mariadbd", "mariadb-admin"))
    port = free_port()
    owner = "root" if os.getuid() == 0 else os.environ.get("USER", "")
    with open_folder(None) as folder:
        data, socket = folder / "data", folder / "sock"
        begin = folder / "begin.sql"
        begin.write_text(
            f"create database {DATABASE} character set utf8mb4;\n"
            f"create user '{USER}'@'127.0.0.1' identified by 'secret';\n"
            f"grant all on {DATABASE}.* to '{USER}'@'127.0.0.1';\n"
        )
        _run(
            install,
            "--no-defaults",
            f"--datadir={data}",
            f"--user={owner}",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        )
        common = [
            *(
                str(daemon),
                "--no-defaults",
                f"--datadir={data}",
                f"--user={owner}",
                f"--socket={socket}",
            ),
            *(
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=0",
            ),
            *("--innodb-buffer-pool-size=16M", "--skip-name-resolve"),
        ]
        uri = f"mysql://{USER}:secret@127.0.0.1:{port}/{DATABASE}"
        server = Server(uri, port, [*common, f"--init-file={begin}"], folder, None, signal.SIGTERM)
        with _served(server):
            ready = [
                str(admin),
                "--no-defaults",
                "-h127.0.0.1",
                f"-P{port}",
                f"-u{USER}",
                "-psecret",
                "ping",
            ]
            assert until(lambda: _answers(ready)), server.said()
            server.command = common  # when it starts again everything is there
            yield server


@contextmanager
def open_folder(user: str | None) -> Iterator[Path]:
    """A folder that another user can reach: pytest's own are closed to all others."""
    folder = Path(tempfile.mkdtemp(prefix="moonpost-database-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _served(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _program(name: str) -> Path:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"needs the Debian program {name}")
    return Path(found)


def _run(*command: str | Path, user: str | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        user=user,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _answers(command: Sequence[str]) -> bool:
    done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    return done.returncode == 0
