"""`moonpost serve`, the whole process, against other mail servers: receiving and dropping, and relaying.

    .venv/bin/python bench/peers.py [--rounds 5] [--only postfix haraka] [--work accept relay]

Every server stays up and takes the same load of `smtp-source` in turns. A figure is the processor time of the server's
process tree per thousand messages, from the first connection until the tree is quiet: queueing, delivery and removal
are in it. Ours runs fifteen callouts in three Lua scriptlets and writes its logs; every server but Haraka's `discard`
syncs a message before it acknowledges it. Postfix is an instance of its own, which only root can start; Haraka comes
from npm into bench/.peers/ when `npm` is there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from accept import CALLOUTS, MODES, SESSIONS, TICKS, Lost
from deliver import Sink
from report import Row, compared, interleave, ratios, table

HARAKA = "3.2.1"
PEERS = Path(__file__).parent / ".peers"
SCRIPTLETS = 3
COUNTS = {"4k-1": 2000, "4k-d": 2000, "100k-d": 500}
PATIENCE_S = 120.0
DISCARDING, RELAYING = "accept", "relay"


@dataclass(frozen=True, slots=True)
class Target:
    """Ours to theirs: processor time, and time in all."""

    cpu: float
    time: float | None = None


TARGETS = {  # (work, peer, large) -> what to stay below
    (DISCARDING, "haraka", False): Target(0.75, 1 / 1.3),
    (DISCARDING, "haraka", True): Target(0.75, 1 / 1.3),
    (DISCARDING, "postfix", False): Target(0.45),
    (DISCARDING, "postfix", True): Target(0.45),
    (RELAYING, "haraka", False): Target(0.40, 1 / 1.5),
    (RELAYING, "haraka", True): Target(0.50, 1 / 1.5),
    (RELAYING, "postfix", False): Target(0.40),
    (RELAYING, "postfix", True): Target(0.50),
}
WORK = {DISCARDING: ("4k-1", "4k-d", "100k-d"), RELAYING: ("4k-d", "100k-d")}  # -> modes


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)


# How each server is started: a folder and the port to relay to (0: drop) in; its port, its process and its end out.
Started = tuple[int, int, Callable[[], None]]


def start_ours(folder: Path, relay_to: int) -> Started:
    listed = []
    for number in range(SCRIPTLETS):
        (folder / f"nothing{number}.lua").write_text(_lua_of_nothing(number))
        listed.append(f'script "nothing{number}" {{ source = "nothing{number}" }}')
    onward = (
        f'Gateway = "127.0.0.1"\nRemote_SMTP_Port = {relay_to}'
        if relay_to
        else 'Blackhole = "internal"'
    )
    configuration = folder / "ecelerity.conf"
    configuration.write_text(
        f"""
SpoolBase = "spool"
Relay_Hosts = ( "127.0.0.0/8" )
{onward}
ESMTP_Listener {{ Listen "127.0.0.1:0" {{}} }}
ec_logger {{ mainlog = "mainlog.ec" }}
alerting {{}}
inbound_audit {{}}
scriptlet "scriptlet" {{ {" ".join(listed)} }}
"""
    )
    command = Path(sys.executable).with_name("moonpost")
    process = subprocess.Popen([command, "serve", configuration], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    port = int(ready["listeners"]["esmtp"][0].rpartition(":")[2])
    return port, process.pid, partial(_terminate, process)


def _lua_of_nothing(number: int) -> str:
    arguments = {"validate_connect": "accept, vctx", "validate_data": "msg, accept, vctx",
                 "validate_rcptto": "msg, text, accept, vctx"}  # fmt: skip
    functions = "\n".join(
        f"function mod:{name}({arguments.get(name, 'text, accept, vctx')})\n"
        "  return msys.core.VALIDATE_CONT\nend"
        for name in CALLOUTS
    )
    return f'require("msys.core")\nlocal mod = {{}}\n{functions}\nmsys.registerModule("nothing{number}", mod)\n'


def start_haraka(folder: Path, relay_to: int) -> Started:
    program, port = PEERS / "node_modules" / ".bin" / "haraka", free_port()
    run(program, "-i", folder)  # its own defaults; what differs follows
    plugins = ["accept_all", "relay" if relay_to else "queue/discard"]
    files = {
        "config/smtp.ini": f"listen=127.0.0.1:{port}\nnodes=0\n",
        "config/log.ini": "level=notice\n",
        "config/me": "bench.test\n",
        "config/plugins": "\n".join(plugins) + "\n",
        "config/outbound.ini": "local_mx_ok=true\nconcurrency_max=100\npool_concurrency_max=20\n",
        "config/outbound.bounce_message": "bounce",
        "plugins/accept_all.js": """
exports.hook_rcpt = (next, connection) => { connection.relaying = true; next(OK) }
""",
        "plugins/relay.js": f"""
exports.hook_get_mx = (next) => next(OK, {{ exchange: '127.0.0.1', port: {relay_to}, priority: 0 }})
""",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    process = subprocess.Popen(
        [program, "-c", folder],
        stdout=(folder / "log").open("w"), stderr=subprocess.STDOUT,
        env=os.environ | {"YES_REALLY_DO_DISCARD": "1"},
    )  # fmt: skip
    return port, process.pid, partial(_terminate, process)


def start_postfix(folder: Path, relay_to: int) -> Started:
    port = free_port()
    onward = f"smtp:[127.0.0.1]:{relay_to}" if relay_to else "discard:"
    folder.chmod(0o755)
    conf, queue, data = folder / "etc", folder / "queue", folder / "data"
    for made in (conf, queue, data):
        made.mkdir()
    shutil.chown(data, "postfix")
    settings = {
        "compatibility_level": "3.6", "queue_directory": queue, "data_directory": data,
        "command_directory": "/usr/sbin", "daemon_directory": "/usr/lib/postfix/sbin",
        "mail_owner": "postfix", "setgid_group": "postdrop", "myhostname": "bench.test",
        "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8",
        "mydestination": "", "alias_maps": "", "local_recipient_maps": "",
        "default_transport": onward, "relay_transport": onward, "smtp_host_lookup": "native",
        "maillog_file": folder / "maillog", "maillog_file_prefixes": folder,
        "smtpd_client_connection_count_limit": 0, "smtpd_client_connection_rate_limit": 0,
    }  # fmt: skip
    (conf / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    services = [
        f"127.0.0.1:{port} inet n - n - - smtpd", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
        "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify", "smtp unix - - n - - smtp",
        "discard unix - - n - - discard", "error unix - - n - - error", "retry unix - - n - - error",
        "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd",
        "proxymap unix - - n - - proxymap", "tlsmgr unix - - n 1000? 1 tlsmgr",
    ]  # fmt: skip
    (conf / "master.cf").write_text("\n".join(services) + "\n")
    run("postfix", "-c", conf, "start")
    pid = int((queue / "pid" / "master.pid").read_text())
    return port, pid, partial(run, "postfix", "-c", conf, "stop")


def _terminate(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


STARTS: dict[str, Callable[[Path, int], Started]] = {
    "ours": start_ours,
    "haraka": start_haraka,
    "postfix": start_postfix,
}


def available(wanted: Sequence[str]) -> list[str]:
    """The peers that can run here; the reason goes to stderr for one that can't."""
    found = []
    for name in wanted:
        reason = _why_not(name)
        if reason:
            print(f"{name}: left out, {reason}", file=sys.stderr)
        else:
            found.append(name)
    return found


def _why_not(name: str) -> str:
    if name == "postfix":
        if os.getuid() != 0:
            return "only root can start an instance of Postfix"
        return "" if shutil.which("postfix") else "the package postfix is not installed"
    if (PEERS / "node_modules" / ".bin" / "haraka").exists():
        return ""
    if not shutil.which("npm"):
        return "npm is not installed"
    PEERS.mkdir(exist_ok=True)
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefix")
    done = subprocess.run(
        ["npm", "install", *quiet, PEERS, f"Haraka@{HARAKA}"], capture_output=True
    )
    return "" if done.returncode == 0 else "npm could not install it"


def new_folder(kind: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"bench-{kind}-", dir=os.environ.get("BENCH_DIR")))


class DidNotStart(Exception):
    """A server did not listen in time."""


class Server:
    """A server that is up, and what it took."""

    def __init__(self, kind: str, work: str, folder: Path | None = None) -> None:
        self.kind = kind
        self.folder = folder or new_folder(kind)
        self.sink = Sink() if work == RELAYING else None
        self.sent = 0
        self.rates: list[float] = []
        self.port, self.pid, self._stop = STARTS[kind](
            self.folder, self.sink.port if self.sink else 0
        )
        _wait_for(self.port)

    def load(self, mode: str, count: int) -> float:
        """CPU seconds per thousand messages, until all is done."""
        before, began = tree_cpu_s(self.pid), time.monotonic()
        options = ["-s", str(SESSIONS), "-m", str(count), "-f", "a@x.test", "-t", "b@y.test"]
        run("smtp-source", *options, *MODES[mode], f"127.0.0.1:{self.port}")
        self.sent += count
        if self.sink:
            self._arrived()
        self.rates.append(count / (time.monotonic() - began))
        return (self._quiet() - before) * 1000 / count

    def _arrived(self) -> None:
        assert self.sink is not None
        until = time.monotonic() + PATIENCE_S
        while self.sink.received() < self.sent:
            if time.monotonic() > until:
                raise Lost(f"{self.kind}: {self.sent} sent, {self.sink.received()} delivered")
            time.sleep(0.02)

    def _quiet(self) -> float:
        """The processor time once it grows no more."""
        last, still = tree_cpu_s(self.pid), 0
        while still < 3:
            time.sleep(0.2)
            now = tree_cpu_s(self.pid)
            still = still + 1 if now - last <= 1 / TICKS else 0
            last = now
        return last

    def stop(self) -> None:
        self._stop()
        if self.sink:
            self.sink.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.recv(100)
                return
        except OSError:
            time.sleep(0.05)
    raise DidNotStart(f"nothing listens on 127.0.0.1:{port}")


def tree_cpu_s(pid: int) -> float:
    """User and system time of a process, of its living descendants, and of those that were waited for."""
    times: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        times[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        total += times.get(one, (0, 0))[1]
        waiting += [child for child, (parent, _) in times.items() if parent == one]
    return total / TICKS


def against_peers(
    rounds: int,
    peers: Sequence[str] = ("haraka", "postfix"),
    work: Sequence[str] = tuple(WORK),
    share: float = 1.0,
) -> list[Row]:
    """Paired rounds of every kind of work and mode: ours against each peer. Raises Lost."""
    rows: list[Row] = []
    peers = available(peers)
    for kind in work:
        for mode in WORK[kind]:
            count = int(COUNTS[mode] * share)
            servers = {name: Server(name, kind) for name in ["ours", *peers]}
            try:
                for server in servers.values():
                    server.load(mode, count // 4)  # warm-up
                loads = {name: partial(one.load, mode, count) for name, one in servers.items()}
                measured = interleave(loads, rounds)
            finally:
                for server in servers.values():
                    server.stop()
            for peer in peers:
                rows += _rows(kind, mode, peer, servers, measured)
    return rows


def _rows(
    work: str, mode: str, peer: str, servers: dict[str, Server], measured: dict[str, list[float]]
) -> list[Row]:
    target = TARGETS[work, peer, mode.startswith("100k")]
    mine, theirs = servers["ours"].rates[1:], servers[peer].rates[1:]
    note = f"{statistics.median(mine):,.0f} messages/s to its {statistics.median(theirs):,.0f}"
    row = compared(f"peers, {work}", mode, "s/1000", measured, peer, target.cpu, note=note)
    if target.time is None:
        return [row]
    middle, low, high = ratios([1 / rate for rate in mine], [1 / rate for rate in theirs])
    taken = 1000 / statistics.median(mine)
    return [row, Row(row.group, f"{mode}, time", taken, "s/1000", peer, middle, low, high,
                     row.rounds, target.time)]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", choices=["haraka", "postfix"], default=["haraka", "postfix"]
    )
    parser.add_argument("--work", nargs="+", choices=list(WORK), default=list(WORK))
    given = parser.parse_args()
    print(table(against_peers(given.rounds, given.only, given.work)))


if __name__ == "__main__":
    main()
