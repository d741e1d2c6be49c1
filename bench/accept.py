"""What accepting a message costs, against aiosmtpd's null handler, in paired rounds.

    .venv/bin/python bench/accept.py [--rounds 5] [--modes 4k-1,4k-d,100k-d] [--count 2000]

Both servers stay up. Each round runs `smtp-source` (package postfix; its daemon is not needed) against both, in turns;
the figure is the server's user and system time per thousand messages, the verdict the median of the ratios within a
round. Messages per second are reported only: the load generator shares the machine. Ours runs fifteen callouts that do
nothing (three modules at five moments) through the real runner, a durable LMDB spool and a main log.

    --profile FILE     profile ours with cProfile instead of comparing
    --serve KIND       what the benchmark starts: `aiosmtpd`, or one of ours (see KINDS)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from report import Row, compared, interleave, table

CALLOUTS = (
    "validate_connect",
    "validate_ehlo",
    "validate_mailfrom",
    "validate_rcptto",
    "validate_data",
)
MODULES = 3
MODES = {  # name -> arguments of smtp-source
    "4k-1": ["-l", "4096"],
    "4k-d": ["-d", "-l", "4096"],
    "100k-1": ["-l", "102400"],
    "100k-d": ["-d", "-l", "102400"],
}
DEFAULT_MODES = ("4k-1", "4k-d", "100k-d")
TARGETS = {"4k-1": 0.65, "4k-d": 0.65, "100k-d": 0.30}  # of aiosmtpd's processor time
SYNCS_TARGET = 0.25  # per message, at 20 sessions
KINDS = {  # what of ours is served
    "ours": {"policy": True, "spool": True},
    "ours-spool": {"policy": False, "spool": True},
    "ours-policy": {"policy": True, "spool": False},
    "ours-bare": {"policy": False, "spool": False},
}
SESSIONS = 20
TICKS = os.sysconf("SC_CLK_TCK")


def policy_of_nothing(ports: Any) -> Any:
    """A generation whose modules answer CONT at every moment."""
    from moonpost.policy.bridge import Bridge
    from moonpost.policy.generation import Generation
    from moonpost.policy.runner import Runner
    from msys.lua import Table
    from msys.lua.environment import Environment, Registration

    environment = Environment()
    for number in range(MODULES):
        functions: dict[str, Any] = {
            "validate_connect": lambda self, accept, vctx: 0,
            "validate_ehlo": lambda self, text, accept, vctx: 0,
            "validate_mailfrom": lambda self, text, accept, vctx: 0,
            "validate_rcptto": lambda self, msg, text, accept, vctx: 0,
            "validate_data": lambda self, msg, accept, vctx: 0,
        }
        assert set(functions) == set(CALLOUTS)
        name = f"nothing-{number}"
        environment.registrations.append(Registration(name, Table(functions), name))
    generation = Generation(
        1, environment, Bridge(), Runner(environment, ports), lambda _: None, {}
    )

    class Host:
        def current(self) -> Generation:
            return generation

    return Host()


class Discards:
    """A keeper that keeps nothing."""

    async def keep(self, messages: Sequence[Any], reception: Any) -> None:
        return


async def serve_ours(folder: Path, *, policy: bool, spool: bool) -> None:
    """Our receiver, with everything or with nothing around it."""
    from moonpost.adapters.sessions import SessionBook
    from moonpost.inbound.listener import Listener
    from moonpost.inbound.service import Service
    from moonpost.inbound.settings import ListenSettings, PeerSettings
    from moonpost.observe.logs import LogFile, MailLogs
    from moonpost.phases.options import SessionOptions
    from moonpost.queue.keeper import SpoolKeeper
    from moonpost.spool.lmdb_store import LmdbSpool
    from msys.testing.fakes import fake_ports

    ports = fake_ports()
    keeper: Any = Discards()
    if spool:
        store = LmdbSpool(folder / "spool", max_bytes=8 << 30)
        journal = MailLogs(LogFile(folder / "mainlog.ec"), LogFile(folder / "bouncelog.ec"))
        keeper = SpoolKeeper(
            store,
            lambda accepted: None,
            lambda name, binding, domain: None,
            journal,
            time.time,
            hostname="bench.test",
        )
    host: Any = policy_of_nothing(ports) if policy else NoPolicy()
    service = Service(
        ListenSettings(
            port=0, peer=PeerSettings(SessionOptions(open_relay=True, hostname="bench.test"))
        ),
        host,
        keeper,
        ports.log,
        SessionBook(now=time.time),
        asyncio.get_running_loop(),
    )
    listener = Listener(service)
    await listener.start()
    print(listener.addresses[0][1], flush=True)
    await stopped()
    await listener.stop()
    for line in ports.log.lines[:3]:
        print(f"panic: {line}", file=sys.stderr)
    said = {"messages": service.tally.messages}
    if spool:
        said |= {"messages": store.count(), "syncs": store.writer.batches}
    print(json.dumps(said), flush=True)


class NoPolicy:
    """A generation without modules."""

    number = 1
    registered: frozenset[str] = frozenset()

    def current(self) -> NoPolicy:
        return self

    def has(self, callout: str) -> bool:
        return False

    def hold(self) -> None: ...
    def release(self) -> None: ...


async def serve_aiosmtpd() -> None:
    """aiosmtpd with a handler that keeps nothing."""
    from aiosmtpd.smtp import SMTP

    class Null:
        messages = 0

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            Null.messages += 1
            return "250 ok"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Null(), hostname="bench.test", loop=loop), "127.0.0.1", 0, backlog=500
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped()
    print(json.dumps({"messages": Null.messages}), flush=True)


async def stopped() -> None:
    """Until SIGTERM."""
    event = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, event.set)
    await event.wait()


class Lost(Exception):
    """A server has not got what it acknowledged: its figures mean nothing."""


class Server:
    """A server process, its processor time, and what it was sent."""

    def __init__(self, kind: str, profile: str = "") -> None:
        self.kind = kind
        self.sent = 0
        self.rates: list[float] = []  # messages per second of each load
        self.counted: dict[str, int] = {}  # what the server said at its end
        self.folder = tempfile.mkdtemp(prefix="bench-accept-", dir=os.environ.get("BENCH_DIR"))
        command = [sys.executable]
        if profile:
            command += ["-m", "cProfile", "-o", profile]
        command += [__file__, "--serve", kind, "--folder", self.folder]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def load(self, mode: str, count: int) -> float:
        """Send `count` messages; CPU seconds per thousand."""
        before, began = self.cpu_s(), time.monotonic()
        options = ["-s", str(SESSIONS), "-m", str(count), "-f", "a@x.test", "-t", "b@y.test"]
        where = f"127.0.0.1:{self.port}"
        subprocess.run(["smtp-source", *options, *MODES[mode], where], check=True)
        self.sent += count
        self.rates.append(count / (time.monotonic() - began))
        time.sleep(0.1)  # what is left to do after the last reply counts too
        return (self.cpu_s() - before) * 1000 / count

    def stop(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            said, _ = self.process.communicate(timeout=20)
            self.counted = json.loads(said or "{}")
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def check(self) -> None:
        """Raises Lost unless the server has every message it was sent."""
        if self.counted.get("messages") != self.sent:
            raise Lost(f"{self.kind}: {self.sent} messages sent; it counted {self.counted}")


def accepting(
    rounds: int,
    count: int = 2000,
    modes: Sequence[str] = DEFAULT_MODES,
    kinds: Sequence[str] = ("ours",),
) -> list[Row]:
    """Paired rounds of every mode: each kind of ours against aiosmtpd, and how often it synced. Raises Lost."""
    rows: list[Row] = []
    for mode in modes:
        size = count if mode.startswith("4k") else count // 4
        servers = {kind: Server(kind) for kind in ["aiosmtpd", *kinds]}
        try:
            for server in servers.values():
                server.load(mode, size // 4)  # warm-up
            loads = {kind: partial(server.load, mode, size) for kind, server in servers.items()}
            measured = interleave(loads, rounds)
        finally:
            for server in servers.values():
                server.stop()
        for server in servers.values():
            server.check()
        for kind in kinds:
            rows += _rows(mode, kind, servers, measured)
    return rows


def _rows(
    mode: str, kind: str, servers: dict[str, Server], measured: dict[str, list[float]]
) -> list[Row]:
    ours, peer = servers[kind], servers["aiosmtpd"]
    rates = [statistics.median(server.rates) for server in (ours, peer)]
    note = f"{rates[0]:,.0f} messages/s to its {rates[1]:,.0f}"
    target = TARGETS.get(mode) if kind == "ours" else None
    what = f"{mode} {kind}"
    row = compared("accept", what, "s/1000", measured, "aiosmtpd", target, ours=kind, note=note)
    if "syncs" not in ours.counted:
        return [row]
    rate = ours.counted["syncs"] / ours.sent
    return [row, Row("accept", f"{what}, syncs", rate, "per message", target=SYNCS_TARGET)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--modes", default=",".join(DEFAULT_MODES))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--kinds", default="ours")
    parser.add_argument("--profile")
    parser.add_argument("--serve", choices=["aiosmtpd", *KINDS])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.serve == "aiosmtpd":
        asyncio.run(serve_aiosmtpd())
    elif given.serve:
        asyncio.run(serve_ours(given.folder, **KINDS[given.serve]))
    elif given.profile:
        server = Server(given.kinds, given.profile)
        try:
            for mode in given.modes.split(","):
                print(mode, server.load(mode, given.count), server.rates[-1])
        finally:
            server.stop()
    else:
        if shutil.which("smtp-source") is None:
            sys.exit("smtp-source is missing: apt-get install postfix")
        modes, kinds = given.modes.split(","), given.kinds.split(",")
        print(table(accepting(given.rounds, given.count, modes, kinds)))


if __name__ == "__main__":
    main()
