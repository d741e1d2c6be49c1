"""Delivery to a server that is not ours: postfix's smtp-sink, in each of its dialects."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from testkit.delivery import line

SINK = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(SINK is None, reason="smtp-sink (package postfix) is not installed")

DIALECTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "pipelining": ([], {}),
    "no pipelining": (["-p"], {}),
    "HELO only": (["-e"], {}),
    "LMTP": (["-L"], {"delivery_method": "LMTP"}),
}


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


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_message_arrives_byte_for_byte(dialect: str, tmp_path: Path) -> None:
    arguments, options = DIALECTS[dialect]

    async def main(port: int) -> None:
        options["lmtp_port"] = port
        async with line(tmp_path, port, **options) as made:
            for n in range(20):
                content = f"X-Number: {n}\r\n\r\n.dot\r\n..\r\n{'x' * 70}\r\n".encode() * (
                    1 + n % 3
                )
                await made.send(f"r{n}@b.test", f"s{n}@b.test", content=content)
            assert await made.events(40) == "D" * 40

    with smtp_sink(tmp_path / "messages", arguments) as port:
        asyncio.run(main(port))
    found = [path.read_bytes() for path in (tmp_path / "messages").iterdir()]
    assert len(found) == 20
    for n in range(20):
        (dump,) = [one for one in found if f"X-Number: {n}\n".encode() in one]
        text = f"X-Number: {n}\n\n.dot\n..\n{'x' * 70}\n".encode() * (1 + n % 3)
        assert dump.rstrip(b"\n").endswith(text.rstrip(b"\n"))
        assert dump.count(b"X-Rcpt-Args: ") == 2
