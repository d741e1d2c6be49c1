"""What an MX lookup costs: through our resolver with its cache, and by dnspython's own asyncio resolver.

    .venv/bin/python bench/lookups.py [--rounds 7]

A real nsd on loopback answers. Uncached: processor time of this process per question, every question another name.
Cached: time per look-up of a name that was asked for before. The answers of both sides are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import isawaitable
from pathlib import Path
from statistics import median

from report import Row, compared, interleave, table

NAMES = 400  # asked for in one round
CACHED_TURNS = 5000
UNCACHED = 1.2  # the target: part of dnspython's own
CACHED_US = 20.0
ZONE = "$ORIGIN b.test.\n$TTL 300\n@ IN SOA ns host 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n"


class Differs(Exception):
    """The two sides found different hosts: the figures mean nothing."""


@contextmanager
def nsd() -> Iterator[str]:
    """`address:port` of an nsd with the zone."""
    program = shutil.which("nsd") or "/usr/sbin/nsd"
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        records = "".join(f"n{n} IN MX 20 mx2\nn{n} IN MX 10 mx1\n" for n in range(NAMES))
        (folder / "zone").write_text(ZONE + records)
        (folder / "conf").write_text(
            f'server:\n ip-address: 127.0.0.1\n port: {port}\n username: ""\n chroot: ""\n'
            f' zonesdir: "{folder}"\n pidfile: "{folder}/pid"\n xfrdfile: "{folder}/xfrd"\n'
            f' zonelistfile: "{folder}/list"\n database: ""\n server-count: 1\n'
            'remote-control:\n control-enable: no\nzone:\n name: "b.test"\n zonefile: "zone"\n'
        )
        server = subprocess.Popen(
            [program, "-d", "-c", str(folder / "conf")], stderr=subprocess.DEVNULL
        )
        try:
            until = time.monotonic() + 10
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if time.monotonic() > until:
                    raise SystemExit("nsd did not start")
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def looking(rounds: int) -> list[Row]:
    """Both comparisons. Raises Differs."""
    with nsd() as server:
        _compare(server)
        sides: dict[str, Callable[[], float]] = {
            "ours": lambda: _cpu_us(ours(server)),
            "dnspython": lambda: _cpu_us(theirs(server)),
        }
        for side in sides.values():
            side()  # imports, the server's caches
        measured = interleave(sides, rounds)
        cached = [asyncio.run(_cached_us(server)) for _ in range(rounds)]
    return [
        compared("lookup", "MX, uncached", "us", measured, "dnspython", UNCACHED),
        Row("lookup", "MX, cached", median(cached), "us", rounds=rounds, target=CACHED_US),
    ]


async def ours(server: str) -> list[list[str]]:
    """The hosts of every name, asked for one after the other."""
    from moonpost.adapters.dns import Resolver

    resolver = Resolver([server], now=time.monotonic)
    found = []
    for n in range(NAMES):
        later = resolver.lookup(f"n{n}.b.test", "MX")
        answers = await later if isawaitable(later) else later
        found.append([answer.text for answer in answers])
    return found


async def theirs(server: str) -> list[list[str]]:
    """The same as dnspython's documentation has it."""
    import dns.asyncresolver
    from dns.nameserver import Do53Nameserver

    resolver = dns.asyncresolver.Resolver(configure=False)
    host, _, port = server.partition(":")
    resolver.nameservers = [Do53Nameserver(host, int(port))]
    found = []
    for n in range(NAMES):
        answer = await resolver.resolve(f"n{n}.b.test", "MX", search=False)
        records = sorted(answer, key=lambda record: record.preference)
        found.append([record.exchange.to_text(omit_final_dot=True) for record in records])
    return found


async def _cached_us(server: str) -> float:
    from moonpost.adapters.dns import Resolver

    resolver = Resolver([server], now=time.monotonic)
    first = resolver.lookup("n1.b.test", "MX")
    if isawaitable(first):
        await first
    began = time.perf_counter()
    for _ in range(CACHED_TURNS):
        resolver.lookup("n1.b.test", "MX")
    return (time.perf_counter() - began) * 1e6 / CACHED_TURNS


def _compare(server: str) -> None:
    one, other = asyncio.run(ours(server)), asyncio.run(theirs(server))
    if one != other:
        raise Differs(f"lookups differ: {one[:3]} and {other[:3]}")


def _cpu_us(work: object) -> float:
    began = time.process_time()
    asyncio.run(work)  # type: ignore[arg-type]
    return (time.process_time() - began) * 1e6 / NAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    print(table(looking(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
