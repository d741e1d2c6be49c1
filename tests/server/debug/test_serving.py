"""Debugging a whole server: a real client waits while its session is stepped through."""

from __future__ import annotations

import json
import signal
import smtplib
import threading
from pathlib import Path
from typing import Any

from moonpost.testing.zone import ZoneServer

CONFIGURATION = """
spoolbase = "var/spool"
resolv_conf = "/dev/null"
nameservers = ( "{dns}" )
hostname = "mx.example.test"
ESMTP_Listener { relay_hosts = ( "127.0.0.0/8" ) Listen "127.0.0.1:0" {} }
ec_logger { mainlog = "var/mainlog.ec" }
inbound_audit {}
alerting {}
scriptlet "scriptlet" { script "mine" { source = "mine/policy" } }
"""


def read_until(stream: Any, mark: bytes) -> str:
    found = b""
    while not found.endswith(mark):
        byte = stream.read(1)
        assert byte, found.decode()
        found += byte
    return found.decode()


def test_a_session_of_a_server_is_stepped_through(start: Any, folder: Path) -> None:
    config = folder.parent / "our.conf"
    zone = ZoneServer({})
    config.write_text(CONFIGURATION.replace("{dns}", zone.address), encoding="utf-8")
    process = start("--serve", config, "-b", "mine/policy.lua:25")
    line = process.stdout.readline()
    assert line, process.stderr.read().decode()
    ready = json.loads(line)
    port = int(ready["listeners"]["esmtp"][0].rpartition(":")[2])
    said: list[int] = []

    def client() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as session:
            said.append(session.ehlo("client.example.test")[0])

    thread = threading.Thread(target=client)
    thread.start()
    stop = read_until(process.stdout, b"(Pdb) ")
    assert "policy.lua(25)validate_ehlo()" in stop
    assert not said  # the client waits
    process.stdin.write(b"n\np total\n")
    process.stdin.flush()
    read_until(process.stdout, b"(Pdb) ")
    assert read_until(process.stdout, b"(Pdb) ").startswith("'12'")
    process.stdin.write(b"c\n")
    process.stdin.flush()
    thread.join(30)
    assert said == [250]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    zone.close()
