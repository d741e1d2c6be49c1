"""`rebind binding` on a real server: policy of now chooses for mail that waits."""

from __future__ import annotations

from pathlib import Path

from moonpost.control.client import Console
from testkit.small_server import connect, small_server, until, write_policy

POLICY = """
require("msys.core")
require("msys.extended.message")
local mod = {}
function mod:validate_set_binding(msg)
  BODY
  return msys.core.VALIDATE_CONT
end
msys.registerModule("policy", mod)
"""
OPTIONS = """
suspend_delivery = true
Binding "fast" {}
Control_Listener { Listen "var/console.sock" {} }
"""


def test_mail_that_waits_moves_to_the_binding_policy_chooses_now(tmp_path: Path) -> None:
    with small_server(tmp_path, {"policy": POLICY.replace("BODY", "")}, options=OPTIONS) as server:
        server.start()

        def say(command: str) -> str:
            with Console(str(tmp_path / "var/console.sock")) as console:
                return console.request(command).text

        def waiting(binding: str) -> int:
            rows = [line.split() for line in say("binding summary").splitlines()[1:]]
            return sum(int(row[1]) + int(row[2]) for row in rows if row[0] == binding)

        with connect(server.port) as client:
            client.sendmail("a@a.test", ["b@b.test", "c@b.test"], "Subject: x\r\n\r\nhi\r\n")
        assert until(lambda: waiting("default") == 2)
        write_policy(tmp_path / "policy.lua", POLICY.replace("BODY", 'msg:binding("fast")'))
        assert "complete" in say("config reload")
        dry = say("rebind binding default --dry-run")
        assert dry == "policy would choose the binding of 2 messages again"
        assert waiting("default") == 2
        assert say("rebind binding default") == "policy chose the binding of 2 messages again"
        assert (waiting("default"), waiting("fast")) == (0, 2)

        write_policy(tmp_path / "policy.lua", POLICY.replace("BODY", 'error("not today")'))
        assert "complete" in say("config reload")
        say("rebind binding fast")
        assert waiting("fast") == 2
        assert "keeps its binding" in say("paniclog")
