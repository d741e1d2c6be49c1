"""A whole server whose policy asks real engines: refused, marked, deferred while an engine is down, nothing lost."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from moonpost.testing.serving import Serving
from testkit import engines

POLICY = r"""
require("msys.core")
require("msys.av")
require("msys.cloudmark")
require("msys.brightmail")
require("msys.mstore")

local mod = {}

function mod:validate_data(msg, accept, vctx)
  local status, name, engine = msys.av.scan("clamav", msg, vctx)
  if status == msys.av.EC_AV_INFECTED then
    vctx:set_code(550, "5.7.1 " .. engine .. " found " .. name)
    return msys.core.VALIDATE_DONE
  elseif status ~= msys.av.EC_AV_CLEAN then
    vctx:set_code(451, "4.7.1 not scanned, try again")
    return msys.core.VALIDATE_DONE
  end
  local found = msys.cloudmark.score(msg, accept, vctx)
  local verdict, _, _, tracker = msys.brightmail.scan(msg, accept, vctx)
  msys.mstore.save(msg, "MADR-1", "last")
  local kept = msys.mstore.load("MADR-1", "last")
  local ok, problem = msys.runSieveScript("marked.siv", "data_phase1",
    msys.core.SIEVEREQ_MSG + msys.core.SIEVEREQ_550_OK)
  if vctx.code == 550 then
    return msys.core.VALIDATE_DONE
  end
  vctx:set_code(250, table.concat({tostring(found.score), tostring(found.is_spam), verdict,
    tracker:match("^%S+"), kept:header("Subject")[1], tostring(ok), tostring(problem)}, "|"))
  return msys.core.VALIDATE_CONT
end

msys.registerModule("engines", mod)
"""
SIEVE = 'if header :contains "subject" "sieve says no" { reject "5.7.1 by Sieve"; }\n'
CONFIG = """
spoolbase = "var/spool"
resolv_conf = "/dev/null"
nameservers = ( "127.0.0.1:9" )
gateway = "127.0.0.1"
remote_smtp_port = 9
relay_hosts = ( "127.0.0.0/8" )
ESMTP_Listener { Listen "127.0.0.1:0" {} }
ec_logger { mainlog = "var/mainlog.ec" }
mstore { }
alerting { }
inbound_audit { }
scanner "clamav" { daemon = "%(clamd)s" scan_timeout = 5 }
scanner "cloudmark" { engine = "rspamd" daemon = "%(rspamd)s" MinimumScore = 80 }
scanner "brightmail" { engine = "spamd" daemon = "%(spamd)s" }
scriptlet "policy" { script "engines" { source = "policy" } }
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, ExitStack]]:
    """A server, and what ends its clamd."""
    folder: Path = tmp_path_factory.mktemp("engines")
    with ExitStack() as stack, ExitStack() as clamd:
        daemons = {
            "rspamd": stack.enter_context(engines.rspamd()),
            "spamd": stack.enter_context(engines.spamd()),
            "clamd": clamd.enter_context(engines.clamd()),
        }
        (folder / "policy.lua").write_text(POLICY)
        (folder / "marked.siv").write_text(SIEVE)
        (folder / "server.conf").write_text(CONFIG % daemons)
        server = stack.enter_context(Serving(folder / "server.conf"))
        server.start()
        yield server, clamd


def send(server: Serving, subject: str, body: bytes = b"hello\r\n") -> tuple[int, str]:
    content = f"From: ann@example.test\r\nSubject: {subject}\r\n\r\n".encode() + body
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        client.ehlo("client.test")
        client.mail("ann@example.test")
        client.rcpt("bob@example.test")
        code, text = client.data(content)
        return code, text.decode()


def test_policy_acts_on_what_engines_say(running: tuple[Serving, ExitStack]) -> None:
    server, clamd = running
    code, text = send(server, "clean")
    assert code == 250, server.log("paniclog.ec")
    assert "0|nil|inbox|spamd|clean|true|nil" in text
    code, text = send(server, engines.MARKED)
    assert code == 250 and f"82|true|spam|spamd|{engines.MARKED}" in text
    code, text = send(server, "bill", engines.EICAR + b"\r\n")
    assert code == 550 and text.startswith("5.7.1 clamav found Test.Eicar")
    assert send(server, "sieve says no") == (550, "5.7.1 by Sieve")
    clamd.close()
    assert send(server, "clean") == (451, "4.7.1 not scanned, try again")
    server.stop()  # logs are written down by then
    panic = server.log("paniclog.ec") + server.errors.read_text()
    assert "clamav: no connection to clamd at 127.0.0.1:" in panic and "not scanned" in panic
    assert "Traceback" not in panic
