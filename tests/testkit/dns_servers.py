"""Real name servers on loopback: nsd with zones of a test, unbound that validates what nsd says."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dns.dnssec
import dns.rdataclass
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm, DSDigest

_WHERE = f"{os.environ.get('PATH', '')}:/usr/sbin"
NSD = shutil.which("nsd", path=_WHERE)
UNBOUND = shutil.which("unbound", path=_WHERE)
needs_nsd = pytest.mark.skipif(NSD is None, reason="nsd is not installed")
needs_unbound = pytest.mark.skipif(
    NSD is None or UNBOUND is None, reason="unbound or nsd is not installed"
)
HEAD = (
    "$ORIGIN {0}.\n$TTL 300\n@ IN SOA ns host 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n"
)


def zone(name: str, records: str) -> str:
    """A zone file; `records` are lines relative to the zone."""
    return HEAD.format(name) + records


def signed(name: str, text: str) -> tuple[str, str]:
    """The zone file with DNSSEC, and the DS record that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
    made = dns.zone.from_text(text, origin=f"{name}.", relativize=False)
    dns.dnssec.sign_zone(made, keys=[(key, public)], lifetime=86_400)
    trusted = dns.dnssec.make_ds(f"{name}.", public, DSDigest.SHA256)
    return made.to_text(relativize=False), f"{name}. DS {trusted.to_text()}"


def free_port() -> int:
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port


@contextmanager
def nsd(folder: Path, zones: Mapping[str, str]) -> Iterator[str]:
    """`address:port` of an nsd with these zones."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    lines = [
        "server:", "  ip-address: 127.0.0.1", f"  port: {port}", '  username: ""', '  chroot: ""',
        f'  zonesdir: "{folder}"', f'  pidfile: "{folder}/pid"', f'  xfrdfile: "{folder}/xfrd"',
        f'  zonelistfile: "{folder}/zonelist"', '  database: ""', "  server-count: 1",
        "remote-control:", "  control-enable: no",
    ]  # fmt: skip
    for name, text in zones.items():
        (folder / f"{name}.zone").write_text(text)
        lines += ["zone:", f'  name: "{name}"', f'  zonefile: "{name}.zone"']
    (folder / "nsd.conf").write_text("\n".join(lines) + "\n")
    with _running([str(NSD), "-d", "-c", f"{folder}/nsd.conf"], port, folder / "nsd.log"):
        yield f"127.0.0.1:{port}"


@contextmanager
def unbound(folder: Path, server: str, zones: Mapping[str, str]) -> Iterator[str]:
    """`address:port` of an unbound that asks `server`; zones: name -> its DS record, or empty for an unsigned one."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    lines = [
        "server:", "  interface: 127.0.0.1", f"  port: {port}", '  username: ""', '  chroot: ""',
        f'  directory: "{folder}"', f'  pidfile: "{folder}/unbound.pid"', "  do-daemonize: no",
        "  use-syslog: no", "  do-not-query-localhost: no", "  do-ip6: no", "  num-threads: 1",
        '  module-config: "validator iterator"',
    ]  # fmt: skip
    lines += ['  local-zone: "test." nodefault']
    lines += [f'  trust-anchor: "{ds}"' for ds in zones.values() if ds]
    address = server.replace(":", "@")
    for name in zones:
        lines += ["stub-zone:", f'  name: "{name}."', f"  stub-addr: {address}"]
    lines += ["remote-control:", "  control-enable: no"]
    (folder / "unbound.conf").write_text("\n".join(lines) + "\n")
    command = [str(UNBOUND), "-d", "-c", f"{folder}/unbound.conf"]
    with _running(command, port, folder / "unbound.log"):
        yield f"127.0.0.1:{port}"


@contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            until = time.monotonic() + 10
            while time.monotonic() < until and server.poll() is None:
                with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)
            else:
                pytest.fail(f"{command[0]} did not start: {log.read_text()}")
            yield
        finally:
            server.terminate()
            server.wait(10)
