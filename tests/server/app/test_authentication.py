"""AUTH against a scheme that a script registered, through the real server, with smtplib and swaks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import smtplib
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIG = """
spoolbase = "spool"
Relay_Hosts = ( )
alerting {}
inbound_audit {}
ESMTP_Listener {
  Enable_Authentication = true
  AuthLoginParameters = [ uri = "directory://staff" ]
  AuthPlainParameters = [ uri = "directory://staff" ]
  AuthCramMD5Parameters = [ uri = "directory://staff" ]
  Listen "127.0.0.1:0" {}
}
Control_Listener {
  Enable_Authentication = true
  AuthLoginParameters = [ uri = "directory://staff" ]
  Listen "console.sock" {}
}
ec_logger { paniclog = "panic.ec" }
scriptlet "scriptlet" {
  script "directory" { source = "directory" }
}
"""
SCRIPT = """
require("msys.core")
local directory = {}
local passwords = { ann = "gr\\xc3\\xbcn", eva = "green" }
function directory:authenticate(filename, params, username, password)
  if username == "broken" then error("no directory today") end
  msys.sleep(0.01)
  if filename == "staff" and passwords[username] == password then
    return msys.core.EC_AUTH_OK
  end
  return msys.core.EC_AUTH_FAIL
end
function directory:enumGroups(username)
  if username == "ann" then return { "operators", "staff" } end
  return msys.core.EC_AUTH_FAIL
end
function directory:clearPassword(filename, params, username)
  if username == "broken" then error("no directory today") end
  msys.sleep(0.01)
  return filename == "staff" and passwords[username] or nil
end
local mod = {}
function mod:init()
  msys.registerAuth("directory", directory)
  return true
end
msys.registerModule("directory", mod)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("auth")


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    (folder / "moonpost.conf").write_text(CONFIG)
    (folder / "directory.lua").write_text(SCRIPT)
    (folder / "directory.lua").chmod(0o644)
    server = subprocess.Popen(
        [sys.executable, "-m", "moonpost", "serve", str(folder / "moonpost.conf")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    yield int(json.loads(server.stdout.readline())["listeners"]["esmtp"][0].rpartition(":")[2])
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
    server.stdout.close()
    assert "no directory today" in (folder / "panic.ec").read_text()


def connect(port: int) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", port, timeout=20)
    client.ehlo("client.example.test")
    return client


@pytest.mark.row("msys.registerAuth")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_good_credentials_may_relay(port: int, mechanism: str) -> None:
    with connect(port) as client:
        assert client.mail("ann@example.test")[0] == 250
        assert client.rcpt("bob@elsewhere.example")[0] == 550
        client.rset()
        client.esmtp_features["auth"] = mechanism
        client.user, client.password = "eva", "green"
        assert (
            client.auth(mechanism, getattr(client, f"auth_{mechanism.lower().replace('-', '_')}"))[
                0
            ]
            == 235
        )
        assert client.mail("ann@example.test")[0] == 250
        assert client.rcpt("bob@elsewhere.example")[0] == 250


def test_bad_credentials_may_not(port: int) -> None:
    with connect(port) as client, pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
        client.login("ann", "guess")


@pytest.mark.parametrize("answer", ["YW5uIDA=", "YW5u", "IA==", "YW5uIA=="])
def test_wrong_answers_to_a_challenge_may_not(port: int, answer: str) -> None:
    with connect(port) as client:
        code, challenge = client.docmd("AUTH", "CRAM-MD5")
        assert code == 334
        assert b64decode(challenge).endswith(b">")
        assert client.docmd(answer)[0] == 535
        assert client.docmd("AUTH", "CRAM-MD5")[1] != challenge
        assert client.docmd("*")[0] == 501


def test_a_scheme_that_fails_is_our_fault_and_not_the_clients(port: int) -> None:
    with connect(port) as client:
        client.user, client.password = "broken", "x"
        with pytest.raises(smtplib.SMTPAuthenticationError, match="454"):
            client.auth("PLAIN", client.auth_plain)


@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_swaks_authenticates(port: int, mechanism: str) -> None:
    who = ["--auth", mechanism, "--auth-user", "ann", "--auth-password", "grün"]
    rest = ["--to", "bob@elsewhere.example", "--quit-after", "RCPT"]
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{port}", *who, *rest],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.row("msys.registerAuth")
@pytest.mark.parametrize(
    ("user", "password", "code", "said"),
    [
        ("ann", "grün", 0, "user: ann\nroles: operators staff\n"),
        ("eva", "green", 0, "user: eva\nroles: \n"),
        ("eva", "guess", 2, "eva: login incorrect"),
        ("broken", "x", 2, "broken: nobody can log in at present"),
    ],
)
def test_the_console_asks_the_same_scheme(
    port: int, folder: Path, user: str, password: str, code: int, said: str
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "moonpost",
            "console",
            f"{user}@{folder}/console.sock",
            "authz",
            "id",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "MOONPOST_CONSOLE_PASSWORD": password},
    )
    assert done.returncode == code, done
    assert said in done.stdout + done.stderr
