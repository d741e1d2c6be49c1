"""A server with a few scripts of a test's own, started as an operator starts it."""

from __future__ import annotations

import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from moonpost.testing.serving import Serving

# Without a receiver nothing listens where mail is delivered to: port 1 is never in use on loopback.
CONFIGURATION = """\
spoolbase = "var/spool"
event_log = "var/events.json"
resolv_conf = "/dev/null"
nameservers = ( "127.0.0.1:1" )
gateway = "127.0.0.1"
remote_smtp_port = {receiver}
relay_hosts = ( "127.0.0.0/8" )
retry_interval = 1
{options}
ESMTP_Listener {{ Listen "127.0.0.1:0" {{}} }}
ec_logger {{ mainlog = "var/mainlog.ec" }}
alerting {{}}
inbound_audit {{}}
scriptlet "scriptlet" {{
{stanzas}
}}
"""


def small_server(
    folder: Path, scripts: Mapping[str, str], *, receiver: int = 1, options: str = ""
) -> Serving:
    """Writes configuration and scripts; `with` it and `start()`."""
    for name, text in scripts.items():
        write_policy(folder / f"{name}.lua", text)
    stanzas = "\n".join(f'  script "{name}" {{ source = "{name}" }}' for name in scripts)
    config = folder / "ecelerity.conf"
    config.write_text(
        CONFIGURATION.format(receiver=receiver, options=options, stanzas=stanzas), encoding="utf-8"
    )
    return Serving(config)


def write_policy(path: Path, text: str) -> None:
    """Write a script that the server takes: nobody else may write it."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def callout(name: str, parameters: str, body: str, *, script: str) -> str:
    """A script with one callout."""
    return (
        'require("msys.core")\nlocal mod = {}\n'
        f"function mod:{name}({parameters})\n{body}\n  return msys.core.VALIDATE_CONT\nend\n"
        f'msys.registerModule("{script}", mod)\n'
    )


def moonpost(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "moonpost", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def connect(port: int) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", port, timeout=30)
    client.ehlo("client.example.test")
    return client


def reply_to_mail(port: int, sender: str) -> tuple[int, str]:
    """What the server says to MAIL FROM."""
    with connect(port) as client:
        code, text = client.mail(sender)
        return code, text.decode("latin-1")


def until(claim: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    """Wait for a claim to become true; whether it did."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
