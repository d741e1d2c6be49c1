"""A server with a configuration of its own, a receiver and, for several processes, a Redis."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moonpost.testing.load import Arrivals
from moonpost.testing.serving import Serving
from moonpost.testing.stage import BackgroundSink

POLICY = """require("msys.core")
require("msys.extended.message")
local mod = {}
local version = 1
seen = seen or 0
function mod:validate_connect(ac, vctx)
  seen = seen + 1
  return msys.core.VALIDATE_CONT
end
function mod:validate_ehlo(str, ac, vctx)
  vctx:set(msys.core.VCTX_CONN, "named", str:lower())
  return msys.core.VALIDATE_CONT
end
function mod:validate_mailfrom(str, ac, vctx)
  if str:match("closed") then vctx:set_code(550, "5.7.1 closed") end
  return msys.core.VALIDATE_CONT
end
function mod:validate_data(msg, ac, vctx)
  local parts = {}
  for word in (msg:header("Message-ID")[1] or ""):gmatch("%w+") do parts[#parts + 1] = word:upper() end
  msg:header("X-Judged", table.concat(parts, ",") .. version)
  return msys.core.VALIDATE_CONT
end
msys.registerModule("policy", mod)
"""
CONFIGURATION = """spoolbase = "var/spool"
event_log = "var/events.json"
nameservers = ( "127.0.0.1:1" )
gateway = "127.0.0.1"
remote_smtp_port = {receiver}
relay_hosts = ( "127.0.0.0/8" )
retry_interval = 1
{options}
ESMTP_Listener {{ Listen "127.0.0.1:{port}" {{}} }}
Control_Listener {{ Listen "var/console.sock" {{}} }}
ec_logger {{ mainlog = "var/mainlog.ec" }}
alerting {{}}
inbound_audit {{}}
scriptlet "scriptlet" {{ script "policy" {{ source = "policy" }} }}
"""


@dataclass(slots=True)
class Scene:
    """What is running."""

    serving: Serving
    port: int
    arrivals: Arrivals

    def processes(self) -> dict[str, list[int]]:
        """Process ids: the owner, and its acceptors."""
        assert self.serving.server is not None
        owner = self.serving.server.pid
        return {"owner": [owner], "acceptor": _children(owner, b"moonpost.app.processes.acceptor")}

    def write_policy(self, version: int) -> None:
        path = self.serving.folder / "policy.lua"
        path.write_text(POLICY.replace("version = 1", f"version = {version}"), encoding="utf-8")
        path.chmod(0o644)


@contextmanager
def scene(workers: int) -> Iterator[Scene]:
    """Everything but the server's start."""
    with tempfile.TemporaryDirectory(prefix="bench-running-") as name, _state(workers) as state:
        folder = Path(name)
        sink = BackgroundSink()
        arrivals = sink.sink.received = Arrivals()
        port = free_port()
        options = f'workers = {workers}\nshared_state = "{state}"' if workers > 1 else ""
        config = folder / "ecelerity.conf"
        config.write_text(
            CONFIGURATION.format(receiver=sink.port, options=options, port=port), encoding="utf-8"
        )
        with Serving(config) as serving:
            found = Scene(serving, port, arrivals)
            found.write_policy(1)
            try:
                yield found
            finally:
                serving.kill()
                sink.close()


def until(claim: Callable[[], bool], timeout_s: float) -> bool:
    """Wait for a claim to become true; whether it did."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(parent: int, word: bytes) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            its_parent = (path.parent / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if word in words and int(its_parent) == parent:
            found.append(int(path.parent.name))
    return sorted(found)


@contextmanager
def _state(workers: int) -> Iterator[str]:
    if workers < 2:
        yield ""
        return
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        sys.exit(
            "several processes need redis-server or valkey-server: apt-get install redis-server"
        )
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        path = Path(folder) / "s"
        options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder]
        running = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            if not until(path.exists, 30):
                sys.exit("redis-server did not start")
            yield f"unix://{path}"
        finally:
            running.terminate()
            running.wait(10)
