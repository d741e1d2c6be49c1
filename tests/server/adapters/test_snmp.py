"""Traps as another program receives them: the Debian snmptrapd."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("pysnmp", reason="needs the extra 'snmp'")

from moonpost.adapters.snmp import SnmpTraps
from moonpost.app.traps import destinations
from moonpost.config.model import examine
from msys.ports import PortError
from testkit.small_server import connect, small_server


@pytest.fixture
def receiver(tmp_path: Path):
    """A running snmptrapd: its port and the file it writes."""
    program = shutil.which("snmptrapd") or shutil.which("snmptrapd", path="/usr/sbin")
    if program is None:
        pytest.skip("needs the Debian program snmptrapd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "conf").write_text("disableAuthorization yes\noutputOption n\n")
    log = tmp_path / "log"
    server = subprocess.Popen(
        [
            *(program, "-f", "-C", "-c", str(tmp_path / "conf"), "-On", "-Lf", str(log)),
            *("-M", "", "-m", "", f"udp:127.0.0.1:{port}"),
        ],
        env={"SNMP_PERSISTENT_DIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until and not (log.exists() and "version" in log.read_text()):
            time.sleep(0.02)
        yield port, log
    finally:
        server.terminate()
        server.wait(10)


def received(log: Path, text: str) -> str:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        found = log.read_text()
        if text in found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{text!r} did not arrive: {log.read_text()}")


def test_snmptrapd_understands_every_kind(receiver) -> None:
    port, log = receiver
    traps = SnmpTraps([("127.0.0.1", port, "public")])
    for kind, value, shown in (
        ("string", "hello trap", 'STRING: "hello trap"'),
        ("counter", 42, "Counter32: 42"),
        ("gauge", 4294967295, "Gauge32: 4294967295"),
        ("IP", "192.0.2.9", "IpAddress: 192.0.2.9"),
    ):
        traps.trap("1.3.6.1.4.1.19552.9", "1.3.6.1.4.1.19552.1.4.1.0", kind, value, None, None)
        text = received(log, shown)
        assert ".1.3.6.1.6.3.1.1.4.1.0 = OID: .1.3.6.1.4.1.19552.9" in text
        assert f".1.3.6.1.4.1.19552.1.4.1.0 = {shown}" in text
    SnmpTraps().trap("1.3.6.1", "1.3.6.2", "string", "direct", ("127.0.0.1", port), "other")
    received(log, '"direct"')


def test_a_trap_without_a_destination_says_so() -> None:
    with pytest.raises(PortError, match="no Destination"):
        SnmpTraps().trap("1.3.6", "1.3.6", "string", "x", None, None)


POLICY = """
require("msys.core")
require("msys.extended.vctx")
local mod = {}
function mod:validate_connect(ac, vctx)
  msys.snmpTrap({ mib = "1.3.6.1.4.1.19552.9", payload = "to all" })
  msys.snmpTrap({ mib = "1.3.6.1.4.1.19552.9", type = "gauge", payload = 17, address = "127.0.0.1", port = PORT })
  return msys.core.VALIDATE_CONT
end
msys.registerModule("policy", mod)
"""


@pytest.mark.row("msys.snmpTrap")
def test_the_server_sends_the_traps_of_policy(receiver, tmp_path: Path) -> None:
    port, log = receiver
    folder = tmp_path / "server"
    folder.mkdir()
    options = f'SNMP_Traps {{ Destination "127.0.0.1:{port}" {{ Community = "house" }} }}'
    policy = POLICY.replace("PORT", str(port))
    with small_server(folder, {"policy": policy}, options=options) as serving:
        serving.start()
        with connect(serving.port):
            assert 'STRING: "to all"' in received(log, "to all")
            assert "Gauge32: 17" in received(log, "Gauge32: 17")


def test_destinations_are_read_with_their_communities() -> None:
    config, _ = examine(
        "/nowhere.conf",
        text='SNMP_Traps { Community = "outer"  Trap_Destination = ( "192.0.2.3" )\n'
        'Destination "192.0.2.1:1162" {}  Destination "[2001:db8::1]:162" { Community = "own" } }',
    )
    assert destinations(config) == [
        ("192.0.2.3", 162, "outer"),
        ("192.0.2.1", 1162, "outer"),
        ("2001:db8::1", 162, "own"),
    ]
