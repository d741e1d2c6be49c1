"""Mail servers that are not ours, as receivers on loopback: Postfix, Exim, Dovecot's LMTP and its logins.

Each is an instance of its own in a folder of the test; only root can start them. What they keep are Maildir files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

import pytest

from testkit.dns_servers import free_port

_WHERE = f"{os.environ.get('PATH', '')}:/usr/sbin"
POSTFIX = shutil.which("postfix", path=_WHERE)
DOVECOT = shutil.which("dovecot", path=_WHERE)
LMTP = Path("/usr/lib/dovecot/lmtp")
UNPACKED = Path("/usr/local/lib/moonpost-peers/usr/sbin/exim4")  # by install_peers.sh
EXIM = shutil.which("exim4", path=_WHERE) or (str(UNPACKED) if UNPACKED.exists() else None)
ROOT = os.getuid() == 0
needs_postfix = pytest.mark.skipif(
    POSTFIX is None or not ROOT, reason="needs postfix, and root to start it"
)
needs_dovecot = pytest.mark.skipif(
    DOVECOT is None or not LMTP.exists() or not ROOT,
    reason="needs dovecot with dovecot-lmtpd, and root to start it",
)
needs_exim = pytest.mark.skipif(
    EXIM is None or not ROOT, reason="needs exim4, and root to start it"
)
OWNER = 65_534  # nobody: who owns what is delivered


@dataclass(slots=True)
class Server:
    """One that runs. `port` takes mail; what it took lies below `mail`."""

    port: int
    mail: Path
    log: Path

    def letters(self) -> list[bytes]:
        """Everything it keeps, complete messages only."""
        return [path.read_bytes() for path in self.mail.rglob("new/*")]

    def wait_for(self, count: int) -> list[bytes]:
        """The letters when so many are there."""
        until = time.monotonic() + 15
        while len(self.letters()) < count:
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)
        return self.letters()


def _folders(folder: Path) -> Path:
    """Where mail goes; every server's own user must be able to reach it."""
    folder.mkdir()
    for parent in [folder, *folder.parents][:5]:
        parent.chmod(parent.stat().st_mode | 0o011)
    mail = folder / "mail"
    mail.mkdir()
    os.chown(mail, OWNER, OWNER)
    return mail


def _listening(port: int, log: Path) -> None:
    until = time.monotonic() + 15
    while True:
        try:
            create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                pytest.fail(f"not listening: {log.read_text() if log.exists() else ''}")
            time.sleep(0.05)


@contextmanager
def postfix(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """An smtpd that takes mail for b.test; `settings` go into its main.cf."""
    mail = _folders(folder)
    port = free_port()
    conf, queue, data = folder / "etc", folder / "queue", folder / "data"
    for made in (conf, queue, data):
        made.mkdir()
    shutil.chown(data, "postfix")
    log = folder / "maillog"
    main = {
        "compatibility_level": "3.6", "queue_directory": queue, "data_directory": data,
        "command_directory": "/usr/sbin", "daemon_directory": "/usr/lib/postfix/sbin",
        "mail_owner": "postfix", "setgid_group": "postdrop", "myhostname": "postfix.test",
        "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "192.0.2.0/30",
        "mydestination": "", "alias_maps": "", "smtp_host_lookup": "native",
        "virtual_mailbox_domains": "b.test", "virtual_mailbox_base": mail,
        "virtual_mailbox_maps": "static:all/", "virtual_minimum_uid": "100",
        "virtual_uid_maps": f"static:{OWNER}", "virtual_gid_maps": f"static:{OWNER}",
        "maillog_file": log, "maillog_file_prefixes": folder, **(settings or {}),
    }  # fmt: skip
    (conf / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in main.items()))
    services = [
        f"127.0.0.1:{port} inet n - n - - smtpd", "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite",
        "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
        "virtual unix - n n - - virtual", "error unix - - n - - error", "retry unix - - n - - error",
        "anvil unix - - n - 1 anvil", "postlog unix-dgram n - n - 1 postlogd",
        "proxymap unix - - n - - proxymap", "tlsmgr unix - - n 1000? 1 tlsmgr",
    ]  # fmt: skip
    (conf / "master.cf").write_text("\n".join(services) + "\n")
    command = [str(POSTFIX), "-c", str(conf)]
    subprocess.run([*command, "start"], check=True, capture_output=True, timeout=30)
    try:
        _listening(port, log)
        yield Server(port, mail, log)
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True, timeout=30)


@contextmanager
def exim(folder: Path, pem: Path) -> Iterator[Server]:
    """An Exim that takes mail for b.test."""
    mail = _folders(folder)
    port = free_port()
    for name in ("spool", "log"):
        (folder / name).mkdir()
        os.chown(folder / name, OWNER, OWNER)
    log = folder / "log" / "mainlog"
    (folder / "pem").write_bytes(pem.read_bytes())
    (folder / "conf").write_text(
        f"""
exim_path = {EXIM}
exim_user = {OWNER}
exim_group = {OWNER}
never_users =
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
primary_hostname = exim.test
domainlist local = b.test
acl_smtp_rcpt = rcpt
tls_advertise_hosts = *
tls_certificate = {folder}/pem
tls_privatekey = {folder}/pem
host_lookup =
rfc1413_hosts =
keep_environment = LD_LIBRARY_PATH
begin acl
rcpt:
  accept domains = +local
  deny message = relay not permitted
begin routers
all:
  driver = accept
  transport = files
begin transports
files:
  driver = appendfile
  directory = {mail}
  maildir_format
  user = {OWNER}
  group = {OWNER}
begin retry
"""
    )
    command = [str(EXIM), "-C", str(folder / "conf"), "-bdf", "-oP", str(folder / "pid")]
    libraries = UNPACKED.parents[1] / "lib/x86_64-linux-gnu"
    with (folder / "out").open("w") as out:
        server = subprocess.Popen(
            [*command, "-oX", f"127.0.0.1:{port}"], stdout=out, stderr=out,
            env=os.environ | {"LD_LIBRARY_PATH": str(libraries)},
        )  # fmt: skip
        try:
            _listening(port, folder / "out")
            yield Server(port, mail, log)
        finally:
            server.terminate()
            server.wait(15)


@contextmanager
def dovecot(
    folder: Path, users: Mapping[str, str] | None = None, pem: Path | None = None
) -> Iterator[tuple[Server, int]]:
    """LMTP for any recipient, and the port where Postfix asks about logins. users: name -> password."""
    mail = _folders(folder)
    port, logins = free_port(), free_port()
    run, log = folder / "run", folder / "log"
    run.mkdir()
    (folder / "users").write_text(
        "".join(f"{name}:{{PLAIN}}{password}\n" for name, password in (users or {}).items())
    )
    tls = f"ssl = yes\nssl_cert = <{pem}\nssl_key = <{pem}\n" if pem else "ssl = no\n"
    (folder / "conf").write_text(
        f"""
base_dir = {run}
log_path = {log}
protocols = lmtp
listen = 127.0.0.1
mail_location = maildir:{mail}/%u
first_valid_uid = 100
auth_mechanisms = plain login cram-md5
disable_plaintext_auth = no
{tls}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={OWNER} gid={OWNER} home={mail}/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {logins}
  }}
}}
"""
    )
    server = subprocess.Popen([str(DOVECOT), "-F", "-c", str(folder / "conf")])
    try:
        _listening(port, log)
        yield Server(port, mail, log), logins
    finally:
        server.terminate()
        server.wait(15)
