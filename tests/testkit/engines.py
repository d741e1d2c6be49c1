"""Content engines of the test's own on free loopback ports: clamd, spamd, rspamd, from their Debian packages.

Each is given a handful of rules, so that it starts in well under a second and finds what the tests send. The folder
an engine gets is readable by others: spamd gives up its privileges.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
VIRUS = "Test.Eicar"
MARKED, REFUSED, MAILING = "probably spam", "certainly spam", "weekly bulk mail"  # subjects
STREAM_MAX = 1024 * 1024


def program(name: str) -> str:
    """Where a Debian program is; skips the test when it is nowhere."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"needs the Debian program {name}")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], port: int, folder: Path) -> Iterator[str]:
    """A program while it runs, from when it accepts connections: `host:port`."""
    with (folder / "output").open("wb") as output:
        engine = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                said = (folder / "output").read_text(errors="replace")
                assert engine.poll() is None and time.monotonic() < until, f"{command[0]}: {said}"
                time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        engine.terminate()
        try:
            engine.wait(5)
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True) as made:
        os.chmod(made, 0o755)
        yield Path(made)


@contextmanager
def clamd(unix_socket: Path | None = None) -> Iterator[str]:
    """A clamd that knows EICAR, takes a megabyte, and reports encrypted archives."""
    command = program("clamd")
    with _folder() as folder:
        port = free_port()
        (folder / "db").mkdir()
        (folder / "db" / "test.ndb").write_text(f"{VIRUS}:0:*:{EICAR.hex()}\n")
        lines = [
            f"TCPSocket {port}",
            "TCPAddr 127.0.0.1",
            f"DatabaseDirectory {folder}/db",
            f"TemporaryDirectory {folder}",
            "Foreground yes",
            f"StreamMaxLength {STREAM_MAX}",
            "AlertEncrypted yes",
            *([] if unix_socket is None else [f"LocalSocket {unix_socket}"]),
        ]
        (folder / "conf").write_text("\n".join(lines) + "\n")
        with _running([command, "-c", f"{folder}/conf"], port, folder) as daemon:
            yield daemon


@contextmanager
def spamd() -> Iterator[str]:
    """A spamd whose threshold is 5: MARKED scores 6, REFUSED 20."""
    command = program("spamd")
    with _folder() as folder:
        port = free_port()
        (folder / "init.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\n")
        (folder / "rules.cf").write_text(
            "required_score 5\n"
            f"header HALF_SPAM Subject =~ /{MARKED}/\nscore HALF_SPAM 6\n"
            f"header ALL_SPAM Subject =~ /{REFUSED}/\nscore ALL_SPAM 20\n"
            f"header BULK_MAIL Subject =~ /{MAILING}/\nscore BULK_MAIL 0.5\n"
        )
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        rules = [f"--configpath={folder}", f"--siteconfigpath={folder}"]
        where = ["-i", "127.0.0.1", "-p", str(port)]
        command_line = [command, "-L", "-x", *rules, *where, "-m", "1", "-s", "stderr", *user]
        with _running(command_line, port, folder) as daemon:
            yield daemon


@contextmanager
def rspamd() -> Iterator[str]:
    """An rspamd that refuses at 15 and marks at 6: MARKED scores 7, REFUSED 20."""
    command = program("rspamd")
    with _folder() as folder:
        port = free_port()
        (folder / "tld").write_text("com\ntest\n")  # its own list takes seconds to compile
        (folder / "rules.lua").write_text(
            "local function subject(name, words, score)\n"
            "  rspamd_config:register_symbol{name = name, score = score, callback = function(task)\n"
            "    return (task:get_subject() or ''):find(words, 1, true) ~= nil\n"
            "  end}\n"
            "end\n"
            f"subject('HALF_SPAM', '{MARKED}', 7)\n"
            f"subject('ALL_SPAM', '{REFUSED}', 20)\n"
            f"subject('BULK_MAIL', '{MAILING}', 0.5)\n"
            "rspamd_config:register_symbol{name = 'KNOWS_ENVELOPE', score = 0.1, callback = function(task)\n"
            "  local from, to, ip = task:get_from('smtp'), task:get_recipients('smtp'), task:get_ip()\n"
            "  return from and from[1].addr == 'ann@example.test' and to and #to == 2\n"
            "    and tostring(ip) == '192.0.2.1' and task:get_helo() == 'client.test'\n"
            "end}\n"
        )
        (folder / "conf").write_text(
            "options { filters = []; "
            f'url_tld = "{folder}/tld"; pidfile = "{folder}/pid"; cache_file = "{folder}/cache"; '
            f'control_socket = "{folder}/control mode=0600"; history_file = "{folder}/history"; '
            'dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; } }\n'
            f'logging {{ type = "file"; filename = "{folder}/log"; level = "warning"; }}\n'
            f'worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}\n'
            'metric "default" { actions { reject = 15; "add header" = 6; } }\n'
            f'lua = "{folder}/rules.lua";\n'
        )
        with _running([command, "-f", "-i", "-c", f"{folder}/conf"], port, folder) as daemon:
            yield daemon
