"""Rules in Lua, a real server, a receiver that refuses: suspended, told, kept over kill -9, undone from the console."""

from __future__ import annotations

import json
from pathlib import Path

from moonpost.control.client import Console
from testkit.receiver import receiver
from testkit.small_server import connect, small_server, until

RULES = """
require("msys.adaptive")
msys.adaptive.registerRules({
  ["b.test"] = {
    responses = {
      { code = "^421 4\\\\.7\\\\.0 ", trigger = "1", action = {"suspend", "4 hours"}, message = "they are cross" },
    },
    configuration = {
      max_outbound_connections = function(curr, last, age, mc) return curr / 2 end,
    },
  },
})
"""
OPTIONS = """
adaptive_enabled = true
adaptive_alert_email_destination = "ops@alert.test"
adaptive { suspend_sweep_interval = 1 }
Control_Listener { Listen "var/console.sock" {} }
"""


def send(port: int, recipient: str) -> None:
    with connect(port) as client:
        client.sendmail("a@a.test", [recipient], "Subject: x\r\n\r\nhi\r\n")


def test_lua_rules_act_and_last(tmp_path: Path) -> None:
    with (
        receiver({"MAIL": "421 4.7.0 not now"}) as host,
        small_server(tmp_path, {"rules": RULES}, receiver=host.port, options=OPTIONS) as server,
    ):

        def say(command: str) -> str:
            with Console(str(tmp_path / "var/console.sock")) as console:
                return console.request(command).text

        server.edit(
            'gateway = "127.0.0.1"', 'routes = ( "127.0.0.1" )'
        )  # queues by recipient domain
        server.start()
        send(server.port, "b@b.test")
        assert until(lambda: "suspension" in say("adaptive suspensions"))
        assert until(lambda: (tmp_path / "var/spool/adaptive.json").exists())
        assert "they are cross" in say("adaptive rules --binding default --domain b.test")
        assert " 16 " in say("adaptive list")
        assert until(lambda: server.log("adaptive/adaptive.log") != "")
        log = server.log("adaptive/adaptive.log").splitlines()
        (tmp_path / "var/adaptive/adaptive.log").rename(tmp_path / "old.log")
        say("reopen logs")
        assert (tmp_path / "var/adaptive/adaptive.log").exists()
        assert log[0].split("@", 6)[1:6] == ["1", "G", "default", "b.test", "NOTICE"]
        server.kill()

        host.answers.clear()
        server.start()
        assert "b.test" in say("adaptive suspensions")
        send(server.port, "c@b.test")
        assert until(lambda: len(host.received) == 1)  # the alert, which goes to another domain
        assert host.received[0].recipients == ["ops@alert.test"]
        assert b"Subject: ALERT on" in host.received[0].content
        assert b"About this: they are cross" in host.received[0].content
        assert host.received[0].sender.startswith("<>")

        dry = say("adaptive override --all --dry-run")
        assert dry == "Would override 1 entries\n\tdefault::b.test"
        assert say("adaptive override --domain b.test") == "Overrode 1 entries"
        say("flush domain all")
        assert until(lambda: len(host.received) == 3)

        def done() -> list[str]:
            events = [json.loads(line) for line in server.log("events.json").splitlines()]
            return [event["action"] for event in events if event["event"] == "adaptive"]

        assert until(lambda: done() == ["suspend", "override"]), done()
