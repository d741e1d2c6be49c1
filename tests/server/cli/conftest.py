"""A server started by the command line, as an operator starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

POLICY = """
require("msys.core") require("msys.extended.vctx")
local mod = {}
local greeting = "first"

function mod:validate_mailfrom(str, ac, vctx)
  vctx:set_code(250, greeting)
  return msys.core.VALIDATE_CONT
end

msys.registerModule("mine", mod)
msys.registerControl("greet", function(cc)
  print(greeting .. " " .. cc.argc .. " " .. cc.argv[0] .. " " .. cc.argv[1])
  print("Grüße, " .. (cc.argv[2]))
end)
"""

CONFIGURATION = """
spoolbase = "var/spool"
resolv_conf = "/dev/null"
nameservers = ( "127.0.0.1:9" )
hostname = "mx.example.test"
allow_scriptlet_eval = true
ESMTP_Listener { relay_hosts = ( "127.0.0.0/8" ) Listen "127.0.0.1:0" {} }
Control_Listener { Listen "var/c.sock" {} }
ec_logger { mainlog = "var/mainlog.ec" }
inbound_audit { monitors = ( "60,5" ) }
alerting {}
scriptlet "scriptlet" { script "mine" { source = "mine" } }
"""


class Running:
    """`moonpost serve` on a small configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.script = folder / "our.conf", folder / "mine.lua"
        self.config.write_text(CONFIGURATION, encoding="utf-8")
        self.script.write_text(POLICY, encoding="utf-8")
        self.script.chmod(0o644)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moonpost", "serve", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        try:
            ready = json.loads(line)
        except ValueError:
            self.end()
            raise RuntimeError(line + self.process.stdout.read()) from None
        self.port = int(ready["listeners"]["esmtp"][0].rpartition(":")[2])

    def console(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        address = str(self.folder / "var" / "c.sock")
        return subprocess.run(
            [sys.executable, "-m", "moonpost", "console", address, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    server = Running(tmp_path_factory.mktemp("serve"))
    yield server
    server.end()
    assert server.process.stdout is not None
    server.process.stdout.close()
