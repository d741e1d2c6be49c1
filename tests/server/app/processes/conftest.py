"""A server with two acceptors, a state that they share, and a receiver that remembers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moonpost.testing.serving import Serving
from moonpost.testing.stage import BackgroundSink
from testkit.small_server import small_server

POLICY = """require("msys.core")
require("msys.counter")
local mod = {}
function mod:validate_mailfrom(str, ac, vctx)
  if str:match("closed") then vctx:set_code(550, "5.7.1 closed") end
  return msys.core.VALIDATE_CONT
end
msys.registerModule("first", mod)
"""


@pytest.fixture(scope="session")
def shared_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a redis-server on a Unix socket."""
    pytest.importorskip("redis", reason="needs the extra 'redis'")
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("needs the Debian program redis-server or valkey-server")
    folder: Path = tmp_path_factory.mktemp("redis")
    path = folder / "s"
    command = [
        program,
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket(socket.AF_UNIX) as probe:
                if path.exists() and probe.connect_ex(str(path)) == 0:
                    break
            time.sleep(0.02)
        yield f"unix://{path}"
    finally:
        running.terminate()
        running.wait(10)


@pytest.fixture
def receiver() -> Iterator[BackgroundSink]:
    sink = BackgroundSink()
    yield sink
    sink.close()


@pytest.fixture
def two(
    tmp_path: Path, shared_state: str, receiver: BackgroundSink
) -> Iterator[Callable[..., Serving]]:
    """Writes a configuration with two acceptors; the server is stopped in the end."""
    made: list[Serving] = []

    def make(options: str = "", policy: str = POLICY, listener: str = "") -> Serving:
        serving = small_server(
            tmp_path,
            {"first": policy},
            receiver=receiver.port,
            options=f'workers = 2\nshared_state = "{shared_state}"\n{options}\n'
            'Control_Listener { Listen "var/console.sock" {} }',
        )
        serving.edit('Listen "127.0.0.1:0" {}', f'{listener} Listen "127.0.0.1:0" {{}}')
        made.append(serving)
        return serving

    yield make
    for each in made:
        each.kill()
