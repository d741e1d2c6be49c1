"""The other end of the console: sends commands, prints replies. What `moonpost console` runs."""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from getpass import getpass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, TextIO

from moonpost.control.editing import reader
from moonpost.control.frames import (
    MAX_HEADER,
    OK,
    BadFrame,
    Reply,
    decode_header,
    join_words,
)

PASSWORD: Final = "MOONPOST_CONSOLE_PASSWORD"  # environment variable; unset: it is asked for
TIMEOUT_S: Final = 60.0  # Control_Client_Timeout
DONE, FAILED, UNREACHABLE = 0, 1, 2
_NETWORK: Final = re.compile(
    r"\S+:[0-9]+"
)  # refused later, by name: better than an unknown command


class NoConsole(Exception):
    """No server answers at an address; the text says what was tried."""


def default_address() -> str:
    """The socket named 2025 in the system's temporary directory, as the original has it."""
    return str(Path(tempfile.gettempdir()) / "2025")


class Console:
    """A connection to a running server. address: `SOCKET`, or `USER@SOCKET` to log in."""

    def __init__(self, address: str, timeout_s: float = TIMEOUT_S) -> None:
        user, at, path = address.partition("@")
        user, self.address = (user, path) if at and "/" not in user else ("", address)
        if "/" not in self.address and _NETWORK.fullmatch(self.address):
            raise NoConsole(
                f"{address}: moonpost's console is a socket file, not a network address"
            )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(self.address)
        except OSError as error:
            self._socket.close()
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise NoConsole(f"no console at {self.address}: {reason}") from None
        self._stream: BinaryIO = self._socket.makefile("rb")
        if user:
            self._log_in(user)

    def _log_in(self, user: str) -> None:
        password = os.environ.get(PASSWORD)
        if password is None:
            password = getpass(f"Password of {user}: ")
        reply = self.request(join_words(["login", user, password]))
        if not reply.ok:
            self.close()
            raise NoConsole(f"{self.address}: {user}: {reply.text}")

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def request(self, line: str) -> Reply:
        """Send one command and read its reply. NoConsole when the connection ends instead."""
        try:
            self._socket.sendall(line.replace("\n", " ").encode("utf-8") + b"\n")
            status, length = decode_header(self._stream.readline(MAX_HEADER))
            body = self._stream.read(length)
        except (OSError, BadFrame) as error:
            raise NoConsole(f"{self.address}: the connection ended: {error}") from None
        if len(body) < length:
            raise NoConsole(f"{self.address}: the connection ended within a reply")
        return Reply(status, body.decode("utf-8", "replace"))


def main(
    words: Sequence[str],
    *,
    stdin: TextIO | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """`[ADDRESS] [COMMAND…]`: one command, every line of a file, or a session; the exit code."""
    stdin, stdout, stderr = stdin or sys.stdin, stdout or sys.stdout, stderr or sys.stderr
    address, command = split_address(words)
    try:
        with Console(address) as console:
            if command:
                return _print(console.request(join_words(command)), stdout, stderr)
            if not stdin.isatty():
                return _batch(console, stdin, stdout, stderr)
            return _session(console, stdin, stdout)
    except NoConsole as error:
        print(error, file=stderr)
        return UNREACHABLE


def split_address(words: Sequence[str]) -> tuple[str, list[str]]:
    """The address, when the first word looks like one, and the command."""
    if words and ("/" in words[0] or _NETWORK.fullmatch(words[0]) or Path(words[0]).is_socket()):
        return words[0], list(words[1:])
    return default_address(), list(words)


def _print(reply: Reply, stdout: TextIO, stderr: TextIO) -> int:
    if reply.text:
        print(reply.text, file=stdout if reply.ok else stderr)
    return DONE if reply.ok else FAILED


def _batch(console: Console, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    worst = DONE
    for line in stdin:
        command = line.strip()
        if command == "quit":
            break
        if command and not command.startswith("#"):
            worst = max(worst, _print(console.request(command), stdout, stderr))
    return worst


def _plain(stdin: TextIO, stdout: TextIO) -> Callable[[str], str | None]:
    def ask(prompt: str) -> str | None:
        print(prompt, end="", file=stdout, flush=True)
        return stdin.readline() or None

    return ask


def _session(console: Console, stdin: TextIO, stdout: TextIO) -> int:
    print(f"# {console.request('version').text}\n# `help` lists the commands", file=stdout)
    ask = reader(console.request("help").text) if stdin is sys.stdin else _plain(stdin, stdout)
    while True:
        line = ask(f"{time.strftime('%H:%M:%S')} moonpost({console.address})> ")
        command = (line or "").strip()
        if line is None or command == "quit":
            return DONE
        if command:
            reply = console.request(command)
            if reply.text:
                print(reply.text, file=stdout)
            if reply.status == OK and command == "shutdown":
                return DONE
