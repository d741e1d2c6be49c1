"""A reader who types what a page says gets what the page says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testkit.pages import PAGES, ROOT, Block, blocks

RUNNABLE = [page for page in PAGES if any(block.kind == "run" for block in blocks(page))]
PORTS = ("2525", "2526")  # as the pages say; a test takes free ones
FIRST_LINE_TIMEOUT_S = 20


class Reader:
    """Does what a page says, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in PORTS}
        bin_folder = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "COLUMNS": "100",
        }
        self.terminals: list[subprocess.Popen[str]] = []
        (folder / "samples").symlink_to(ROOT / "samples")

    def with_ports(self, text: str) -> str:
        for said, free in self.ports.items():
            text = text.replace(said, free)
        return text

    def do(self, block: Block) -> None:
        text = self.with_ports(block.text)
        if block.kind == "file":
            path = self.folder / block.what
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o644)
        elif block.kind == "terminal":
            self.open_terminal(block, text)
        elif block.kind == "run":
            for command, expected in steps(text):
                self.expect(block, command, expected, self.run(command))

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    def open_terminal(self, block: Block, text: str) -> None:
        ((command, expected),) = steps(text)
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.terminals.append(process)
        assert process.stdout is not None
        if expected:
            watchdog = threading.Timer(FIRST_LINE_TIMEOUT_S, process.kill)
            watchdog.start()
            said = "".join(process.stdout.readline() for _ in expected.splitlines())
            watchdog.cancel()
            self.expect(block, command, expected, said)

    def expect(self, block: Block, command: str, expected: str, said: str) -> None:
        pattern = ".*?".join(re.escape(part) for part in expected.rstrip("\n").split("…"))
        assert re.fullmatch(pattern, said.rstrip("\n"), re.DOTALL), (
            f"{block.page.relative_to(ROOT)}:{block.line}: $ {command}\n{said}"
        )

    def close(self) -> list[int]:
        """End what still runs, as Ctrl-C does."""
        for process in self.terminals:
            process.send_signal(signal.SIGINT)
        for process in self.terminals:
            process.communicate(timeout=30)
        return [process.returncode for process in self.terminals]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Commands, with continued lines, and what each prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        end = next(n for n, line in enumerate(lines) if not line.endswith("\\\n")) + 1
        yield "".join(lines[:end]).strip(), "".join(lines[end:])


@contextmanager
def reader_in(folder: Path) -> Iterator[Reader]:
    reader = Reader(folder)
    try:
        yield reader
    finally:
        reader.close()


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_says_what_happens(page: Path, tmp_path: Path) -> None:
    found = [block for block in blocks(page) if block.kind in ("file", "run", "terminal")]
    if any("swaks" in block.text for block in found) and shutil.which("swaks") is None:
        pytest.skip("the Debian package swaks is missing")
    with reader_in(tmp_path) as reader:
        for block in found:
            reader.do(block)
