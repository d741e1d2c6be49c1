"""The real server under a service manager of our own: a datagram socket, and sockets that were open before it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moonpost.app.sockets import Sockets, inherited
from moonpost.app.starting import CannotStart
from moonpost.app.systemd import Manager
from moonpost.config.model import load
from moonpost.testing.serving import Serving
from testkit.small_server import callout, small_server

ROOT = Path(__file__).parents[3]
# What systemd does before it executes a service: descriptors from 3 on, and the process in LISTEN_PID.
AS_SYSTEMD = (
    "import fcntl, os, sys; n = int(sys.argv[1])\n"
    "fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 50) for fd in sys.argv[2:2 + n]]\n"
    "for at, fd in enumerate(fds): os.dup2(fd, 3 + at)\n"
    "os.environ['LISTEN_PID'] = str(os.getpid())\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'moonpost', *sys.argv[2 + n:]])\n"
)


class Listening:
    """The socket that NOTIFY_SOCKET names."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(30)

    def next(self, *, but: str = "WATCHDOG=1") -> dict[str, str]:
        while True:
            text = self.socket.recv(4096).decode()
            if text != but:
                return dict(line.split("=", 1) for line in text.splitlines())


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[Listening]:
    listening = Listening(tmp_path)
    yield listening
    listening.socket.close()


def under_systemd(serving: Serving, **environment: str) -> dict[str, Any]:
    """Start with these variables."""
    os.environ.update(environment)
    try:
        return serving.start()
    finally:
        for name in environment:
            del os.environ[name]


def test_a_life_as_systemd_hears_it(tmp_path: Path, notified: Listening) -> None:
    script = callout("validate_ehlo", "str, ac, vctx", "", script="first")
    with small_server(tmp_path, {"first": script}) as serving:
        ready = under_systemd(serving, NOTIFY_SOCKET=notified.path, WATCHDOG_USEC="200000")
        where = ready["listeners"]["esmtp"][0]
        assert notified.next() == {
            "READY": "1",
            "STATUS": f"accepting mail at {where}; policy generation 1",
        }
        for _ in range(3):
            assert notified.next(but="") == {"WATCHDOG": "1"}
        serving.reload()
        reloading = notified.next()
        assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
        assert notified.next()["STATUS"].endswith("policy generation 2")
        assert serving.server is not None
        serving.server.send_signal(signal.SIGTERM)
        assert notified.next()["STOPPING"] == "1"
        assert serving.stop() == 0


def test_sockets_that_were_open_before(tmp_path: Path) -> None:
    serving = small_server(tmp_path, {})
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
            each.listen()
        ports = [each.getsockname()[1] for each in (one, two)]
        # The first is found by its address, the second by its name, which says which port it stands for.
        serving.edit(
            'Listen "127.0.0.1:0" {}', f'Listen "127.0.0.1:{ports[0]}" {{}} Listen ":2599" {{}}'
        )
        early = socket.create_connection(("127.0.0.1", ports[0]), 30)  # before the server is there
        with early:
            process = subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, "2", str(one.fileno()), str(two.fileno()), "serve", serving.config],
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=(one.fileno(), two.fileno()),
                env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "smtp:2599"},
            )  # fmt: skip
            try:
                assert process.stdout is not None
                ready = json.loads(process.stdout.readline())
                assert ready["listeners"]["esmtp"] == [f"127.0.0.1:{port}" for port in ports]
                assert early.recv(4) == b"220 "
                with smtplib.SMTP("127.0.0.1", ports[1], timeout=30) as client:
                    assert client.noop()[0] == 250
            finally:
                process.terminate()
                assert process.wait(30) == 0
                assert process.stdout is not None
                process.stdout.close()


def test_a_socket_that_nobody_wants_is_refused(tmp_path: Path) -> None:
    serving = small_server(tmp_path, {})
    with socket.socket() as stray:
        stray.bind(("127.0.0.1", 0))
        stray.listen()
        port = stray.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", AS_SYSTEMD, "1", str(stray.fileno()), "serve", serving.config],
            capture_output=True,
            text=True,
            pass_fds=(stray.fileno(),),
            env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "stray"},
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert f"no Listen asks for: stray (127.0.0.1:{port}); add a Listen" in done.stderr


def test_variables_of_another_process_are_not_ours(tmp_path: Path) -> None:
    assert inherited({"LISTEN_PID": "1", "LISTEN_FDS": "3"}, 2) == []
    assert inherited({}, 2) == []
    assert Manager({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, 2).watchdog_s == 0
    assert Manager({"WATCHDOG_USEC": "5000000"}, 2).watchdog_s == 5
    config = load(str(small_server(tmp_path, {}).config))
    Sockets([]).refuse_rest(config)
    with pytest.raises(CannotStart, match=r"LISTEN_FDS=9999 .* descriptor .* is no socket"):
        inherited({"LISTEN_PID": "2", "LISTEN_FDS": "9999"}, 2)


def test_an_abstract_socket_and_one_that_is_gone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0moonpost-{os.getpid()}")
        Manager({"NOTIFY_SOCKET": f"@moonpost-{os.getpid()}"}, 2).ready("fine")
        assert listening.recv(100) == b"READY=1\nSTATUS=fine"
    Manager({"NOTIFY_SOCKET": str(tmp_path / "gone")}, 2).ready("nobody hears it")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", ["moonpost.service", "moonpost.socket"])
def test_the_units_are_sound(unit: str, tmp_path: Path) -> None:
    for path in (ROOT / "packaging").glob("moonpost.*"):
        text = path.read_text(encoding="utf-8")
        # The program is wherever it was installed to; verify wants it to be there.
        (tmp_path / path.name).write_text(
            text.replace("/opt/moonpost/bin/moonpost", sys.executable)
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and str(tmp_path) not in done.stderr, done.stderr
