"""Mail servers that are not ours, as senders: a Postfix and an Exim of a test's own, each in a folder of its own.

Both hand everything to one address on loopback, with TLS and a log-in when asked for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Exim's package can't be installed beside Postfix's; tests/install_peers.sh unpacks its files here.
UNPACKED = Path("/usr/local/lib/moonpost-peers")
EXIM = UNPACKED / "usr/sbin/exim4"
MASTER_PROGRAM = Path("/usr/lib/postfix/sbin/master")
QUEUES = (
    "active bounce corrupt defer deferred flush hold incoming maildrop private public saved trace"
).split()

needs_postfix = pytest.mark.skipif(
    not MASTER_PROGRAM.exists() or os.getuid() != 0,
    reason="Postfix is not installed, or we are not root",
)
needs_exim = pytest.mark.skipif(
    not EXIM.exists() or os.getuid() != 0, reason="Exim is not unpacked, or we are not root"
)

MASTER = """\
pickup    unix  n       -       n       1       1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
alias_maps =
alias_database =
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = postfix.test
relayhost = [127.0.0.1]:{port}
smtp_tls_security_level = {tls}
smtp_sasl_auth_enable = {auth}
smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{port} = ann:secret }} }}
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = {mechanism}
"""


@contextmanager
def postfix(
    folder: Path, port: int, *, tls: bool = False, mechanism: str = ""
) -> Iterator[list[str]]:
    """A running Postfix; the command that takes a message for it. mechanism: log in with this one."""
    for name in ("data", "etc", "queue/pid", *(f"queue/{each}" for each in QUEUES)):
        (folder / name).mkdir(parents=True)
    for name in QUEUES:
        shutil.chown(folder / "queue" / name, "postfix")
    for parent in list(folder.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    shutil.chown(folder / "data", "postfix")
    etc = folder / "etc"
    (etc / "master.cf").write_text(MASTER, encoding="utf-8")
    text = MAIN.format(
        folder=folder,
        port=port,
        tls="encrypt" if tls else "none",
        auth="yes" if mechanism else "no",
        mechanism=mechanism.lower() or "plain",
    )
    (etc / "main.cf").write_text(text, encoding="utf-8")
    master = _started(folder)
    try:
        yield ["sendmail", "-C", str(etc), "-oi"]
    finally:
        master.terminate()
        master.wait(30)


def _started(folder: Path) -> subprocess.Popen[bytes]:
    """A running master. Seen on a busy machine, cause unknown: it ends at once and without a word; so three attempts."""
    for attempt in range(3):
        with (folder / "stderr").open("w", encoding="utf-8") as told:
            words = [str(MASTER_PROGRAM), "-c", str(folder / "etc"), "-d"]
            # It ends its whole process group, which must not be ours.
            master = subprocess.Popen(words, start_new_session=True, stderr=told)
        try:
            _until_ready(folder / "queue" / "public", master)
            return master
        except AssertionError:
            if master.poll() is None or attempt == 2:
                master.kill()
                raise
    raise AssertionError("not reached")


def _until_ready(public: Path, master: subprocess.Popen[bytes]) -> None:
    """Return when mail that is dropped is noticed; a message dropped earlier would wait for a minute."""
    deadline = time.monotonic() + 20
    while not all((public / name).exists() for name in ("pickup", "qmgr", "cleanup", "postlog")):
        if master.poll() is not None:
            files = [public.parents[1] / name for name in ("stderr", "log")]
            told = "".join(path.read_text(encoding="utf-8") for path in files if path.exists())
            raise AssertionError(f"Postfix did not start, code {master.returncode}: {told}")
        assert time.monotonic() < deadline, "Postfix did not start"
        time.sleep(0.02)


EXIM_CONF = """\
primary_hostname = exim.test
exim_user = nobody
exim_group = nogroup
spool_directory = {folder}/spool
log_file_path = {folder}/%s.log
keep_environment = LD_LIBRARY_PATH
exim_path = {exim}
disable_ipv6
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1::{port}
  transport = out
  self = send
begin transports
out:
  driver = smtp
  tls_verify_certificates =
  {transport}
begin authenticators
client:
  driver = plaintext
  public_name = {mechanism}
  client_send = {secrets}
"""
SECRETS = {"PLAIN": "^ann^secret", "LOGIN": ": ann : secret"}


def exim_sends(
    folder: Path,
    port: int,
    message: bytes,
    *recipients: str,
    tls: bool = False,
    mechanism: str = "",
) -> str:
    """Hand one message to an Exim that delivers it at once; its main log."""
    (folder / "spool").mkdir(parents=True)
    for parent in [folder, *folder.parents][:4]:
        parent.chmod(parent.stat().st_mode | 0o011)
    shutil.chown(folder, "nobody", "nogroup")
    shutil.chown(folder / "spool", "nobody", "nogroup")
    transport = ["hosts_require_tls = *"] if tls else ["hosts_avoid_tls = *"]
    transport += ["hosts_require_auth = *"] if mechanism else []
    conf = folder / "exim.conf"
    conf.write_text(
        EXIM_CONF.format(
            exim=EXIM,
            folder=folder,
            port=port,
            transport="\n  ".join(transport),
            mechanism=mechanism or "PLAIN",
            secrets=SECRETS[mechanism or "PLAIN"],
        ),
        encoding="utf-8",
    )
    libraries = ":".join(str(path) for path in (UNPACKED / "usr/lib").glob("*-linux-gnu*"))
    subprocess.run(
        [str(EXIM), "-C", str(conf), "-odf", "-oi", "-f", "ann@client.test", *recipients],
        input=message,
        capture_output=True,
        env={"LD_LIBRARY_PATH": libraries, "PATH": "/usr/bin:/usr/sbin"},
        timeout=60,
        check=False,
    )
    log = folder / "main.log"
    return log.read_text(encoding="utf-8") if log.exists() else ""
