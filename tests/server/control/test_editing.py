"""Completion and history of the console, also in a real terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moonpost.control.commands import help_text
from moonpost.control.editing import commands_in, completions
from moonpost.control.frames import OK, Reply, encode


def test_every_command_is_offered() -> None:
    found = commands_in(help_text([]))
    assert {"mailq", "config set", "adaptive override", "trace smtp add", "quit"} <= set(found)
    assert all(word.islower() for command in found for word in command.split())


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("mai", ["mailq "]),
        ("trace smtp ", ["add ", "list ", "remove "]),
        ("fail d", ["domain "]),
        ("fail domain ", []),
        ("nonsense x", []),
        ("config  rep", ["replay "]),
    ],
)
def test_completions(line: str, wanted: list[str]) -> None:
    assert completions(commands_in(help_text([])), line) == wanted


SERVER = """
import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1]); listening.listen(); print("ready", flush=True)
while True:
    connection, _ = listening.accept()
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            text = b"mailq\\n\\tx" if line == b"help\\n" else b"heard " + line.strip()
            connection.sendall(b"ok %d\\n" % len(text) + text)
"""


def test_a_terminal_completes_and_remembers(tmp_path: Path) -> None:
    assert encode(Reply(OK, "x")) == b"ok 1\nx"
    address = str(tmp_path / "c.sock")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, address], stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        try:
            shown = talk(address, tmp_path, [b"mai\t\n", b"quit\n"])
            assert "heard mailq" in shown
            history = tmp_path / "state" / "moonpost" / "console"
            assert history.read_text().splitlines() == ["mailq ", "quit"]
            assert history.stat().st_mode & 0o777 == 0o600
            again = talk(address, tmp_path, [b"\x1b[A\x1b[A\n", b"quit\n"])  # twice up
            assert "heard mailq" in again
        finally:
            server.kill()


def talk(address: str, folder: Path, keys: list[bytes]) -> str:
    """Type into `moonpost console` on a terminal of its own; what it showed."""
    main, other = pty.openpty()
    environment = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "TERM": "vt100"}
    console = subprocess.Popen(
        [sys.executable, "-m", "moonpost", "console", address],
        stdin=other, stdout=other, stderr=other, env=environment,
    )  # fmt: skip
    os.close(other)
    shown = ""
    deadline = time.monotonic() + 30
    prompts = 0
    while time.monotonic() < deadline:
        ready, _, _ = select.select([main], [], [], 1.0)
        if ready:
            try:
                shown += os.read(main, 4096).decode()
            except OSError:
                break
        if keys and shown.count(")> ") > prompts:
            prompts = shown.count(")> ")
            os.write(main, keys.pop(0))
        if console.poll() is not None and not ready:
            break
    os.close(main)
    console.wait(10)
    return shown
