"""`msys.cidr` reads a list as rbldnsd reads it: the daemon serves the file, policy asks both."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address

import dns.exception
import dns.message
import dns.query
import pytest

import msys
from msys.lua import Table
from msys.testing.policy import policy
from testkit.databases import open_folder
from testkit.engines import free_port, program
from testkit.small_server import until

LIST = """\
# comments, defaults and every way to write a network
$SOA 3600 ns.bl.test admin.bl.test 0 600 300 86400 300
:127.0.0.9:listed
192.0.2.1
192.0.2.7 :127.0.0.4:one host
192.0.2.64/26
198.51.100.0/24 :127.0.0.5:a network
198.51.100.8-15 :127.0.0.6:a range
203.0.113 :127.0.0.7:three bytes
10.1
; the default changes from here on
:127.0.0.11:later
172.16.0.0/12
172.16.9.9 :127.0.0.12:inside
100.64.0.250-100.64.1.5
11.2-11.3
11.4-5
11.6.0-31
11.7/16 ; a comment
11.8/16 only a text
!11.8.1.1
!11.8.2.0/24
11.9.0.1-255 :127.0.0.13:see http://bl.test/?$
11.10.0.0-11.10.0.9 # another
11.11.0.1:127.0.0.14:tight
"""
# Addresses at the edges of what is listed, and beside them.
EDGES = [
    "192.0.2.0",
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.7",
    "192.0.2.63",
    "192.0.2.64",
    "192.0.2.127",
    "192.0.2.128",
    "198.51.99.255",
    "198.51.100.0",
    "198.51.100.7",
    "198.51.100.8",
    "198.51.100.15",
    "198.51.100.16",
    "198.51.101.0",
    "203.0.113.0",
    "203.0.113.255",
    "203.0.114.0",
    "10.1.0.0",
    "10.1.255.255",
    "10.2.0.0",
    "172.15.255.255",
    "172.16.0.0",
    "172.16.9.9",
    "172.31.255.255",
    "172.32.0.0",
    "100.64.0.249",
    "100.64.0.250",
    "100.64.1.5",
    "100.64.1.6",
    "11.1.255.255",
    "11.2.0.0",
    "11.3.255.255",
    "11.4.0.0",
    "11.5.255.255",
    "11.6.0.0",
    "11.6.31.255",
    "11.6.32.0",
    "11.7.1.1",
    "11.8.0.1",
    "11.8.1.1",
    "11.8.1.2",
    "11.8.2.200",
    "11.8.3.0",
    "11.9.0.0",
    "11.9.0.1",
    "11.9.0.255",
    "11.10.0.9",
    "11.10.0.10",
    "11.11.0.1",
]


class Daemon:
    """rbldnsd with one list."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, address: str, rtype: str = "A") -> str | None:
        name = ".".join(reversed(address.split("."))) + ".bl.test"
        reply = dns.query.udp(dns.message.make_query(name, rtype), "127.0.0.1", 2, self.port)
        return reply.answer[0][0].to_text() if reply.answer else None

    def ready(self) -> bool:
        try:
            return self.ask("127.0.0.2") is None
        except (OSError, dns.exception.DNSException):
            return False


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    port, user = free_port(), "nobody" if os.getuid() == 0 else None  # it refuses to run as root
    with open_folder(user) as folder:
        (folder / "list").write_text(LIST)
        command = [
            program("rbldnsd"),
            "-n",
            "-b",
            f"127.0.0.1/{port}",
            "-w",
            str(folder),
            "bl.test:ip4set:list",
        ]
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, user=user)
        try:
            running = Daemon(port)
            assert until(running.ready), (folder / "output").read_text()
            yield running
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.row("msys.cidr.define")
@pytest.mark.row("msys.cidr.query")
def test_policy_and_the_daemon_answer_alike(daemon: Daemon) -> None:
    chance = random.Random(7)
    listed = int(IPv4Address("172.16.0.0"))
    some = [str(IPv4Address(listed + chance.randrange(-(1 << 20), 1 << 21))) for _ in range(200)]
    with policy() as here:
        here.ports.files.content["/list"] = LIST.encode()
        for value in "a", "txt":
            chosen = {
                "type": "rbldnsd",
                "source": "/list",
                "value": value,
                "interpolate": value == "txt",
            }
            msys.cidr.define(value, Table(chosen))
        for address in EDGES + some:
            assert msys.cidr.query("a", address) == daemon.ask(address), address
            text = daemon.ask(address, "TXT")
            assert msys.cidr.query("txt", address) == (text and text.strip('"')), address
        assert "not a network" not in here.ports.log.text
