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
from msys.ports import PortError


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
