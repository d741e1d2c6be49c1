"""Postfix's load tools: smtp-sink as a receiver that is not ours, and smtp-source as a sender."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_WHERE = f"{os.environ.get('PATH', '')}:/usr/sbin"
SINK = shutil.which("smtp-sink", path=_WHERE)
SOURCE = shutil.which("smtp-source", path=_WHERE)
needs_smtp_sink = pytest.mark.skipif(
    SINK is None or SOURCE is None, reason="smtp-sink (package postfix) is not installed"
)


@contextmanager
def smtp_sink(folder: Path, arguments: list[str]) -> Iterator[int]:
    """The port it listens on; every message becomes a file in `folder`."""
    folder.mkdir()
    folder.chmod(0o777)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    # The dump is opened after privileges are dropped: nobody must be able to reach the folder.
    for parent in list(folder.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    process = subprocess.Popen(
        [str(SINK), *user, *arguments, "-d", f"{folder}/message.", f"127.0.0.1:{port}", "100"]
    )
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def smtp_source(port: int, *options: str) -> None:
    """Run smtp-source against 127.0.0.1:`port` to its end."""
    subprocess.run([str(SOURCE), *options, f"127.0.0.1:{port}"], check=True, timeout=60)
