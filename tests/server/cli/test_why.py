"""`moonpost why` over the event log of a server that received, judged and delivered mail."""

from __future__ import annotations

import json
import re
import smtplib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from moonpost.cli import main
from moonpost.testing.serving import Serving
from moonpost.testing.stage import BackgroundSink
from testkit.small_server import connect, small_server, until, write_policy

POLICY = """\
require("msys.core")
local mod = {}
function mod:validate_data_spool_each_rcpt(msg, ac, vctx)
  local to = msg:rcptto()
  if to == "sink@example.test" then
    msg:discard("250 2.0.0 nobody reads it")
  elseif to == "never@example.test" then
    vctx:set_code(550, "5.7.1 not here")
  end
  return msys.core.VALIDATE_CONT
end
function mod:validate_mailfrom(str, ac, vctx)
  if vctx:get(msys.core.VCTX_MESS, "mailfrom_domain") == "broken.test" then
    local t = {} error(t.x.y)
  end
  return msys.core.VALIDATE_CONT
end
msys.registerModule("judge", mod)
"""


class Story:
    """A server's event log after a few mails."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "ecelerity.conf"
        self.lines = (folder / "var" / "events.json").read_text(encoding="utf-8").splitlines()
        self.events = [json.loads(line) for line in self.lines]

    def of(self, kind: str, **facts: str) -> list[dict]:
        return [
            event
            for event in self.events
            if event["event"] == kind
            and all(event.get(name) == value for name, value in facts.items())
        ]

    def why(self, id: str) -> list[str]:
        done = CliRunner().invoke(main, ["why", id, "--log", str(self.config)])
        assert done.exit_code == 0, done.output
        return [re.sub(r"  +", "  ", line) for line in done.output.splitlines()]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("why")
    with (
        closing(BackgroundSink()) as sink,
        small_server(folder, {"judge": POLICY}, receiver=sink.port) as server,
    ):
        server.start()
        send_all(server)
        assert until(lambda: server.log("events.json").count('"delivered"') == 2)
        write_policy(folder / "judge.lua", "x = = 1\n")
        server.reload()
        assert until(lambda: "reload_refused" in server.log("events.json"))
        write_policy(folder / "judge.lua", POLICY.replace("5.7.1", "5.7.2"))
        server.reload()
        assert until(lambda: server.log("events.json").count('"reload"') == 2)
        assert server.stop() == 0
    yield Story(folder)


def send_all(server: Serving) -> None:
    with connect(server.port) as client:
        client.sendmail(
            "ann@example.test",
            ["bob@example.test", "sink@example.test", "never@example.test"],
            "Subject: x\r\n\r\nhello\r\n",
        )
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            client.sendmail("ann@broken.test", ["bob@example.test"], "Subject: y\r\n\r\n")
        assert caught.value.smtp_code == 421


def test_the_log_names_what_happened_to_each_copy(story: Story) -> None:
    batch = story.of("received", recipient="bob@example.test")[0]["batch_id"]
    about = [event for event in story.events if event.get("batch_id") == batch]
    assert [(event["event"], event["recipient"]) for event in about if event.get("recipient")] == [
        ("discarded", "sink@example.test"),
        ("reject", "never@example.test"),
        ("received", "bob@example.test"),
        ("delivered", "bob@example.test"),
    ]
    assert len({event["message_id"] for event in about}) == 3
    discarded, refused = about[0], about[1]
    assert discarded["decided_by"] == "judge.lua:6"
    assert refused["decided_by"] == "judge.lua:8"
    assert (refused["code"], refused["text"]) == (550, "5.7.1 not here")
    assert (refused["generation"], len(refused["policy"])) == (1, 12)


def test_why_tells_the_life_of_a_delivered_message(story: Story) -> None:
    received = story.of("received", recipient="bob@example.test")[0]
    lines = story.why(received["message_id"])
    assert lines[0] == (
        f"reception {received['batch_id']} from <ann@example.test> "
        "to <sink@example.test>, <never@example.test>, <bob@example.test>"
    )
    del lines[1 : next(n for n, line in enumerate(lines) if "received" in line)]
    assert re.search(r"received  by esmtp from 127\.0\.0\.1:\d+, \d+ bytes, queued for", lines[1])
    assert lines[2].strip().startswith(f"generation 1, policy {received['policy']}")
    assert re.search(r"delivered  250 .*attempt 1, for <bob@example\.test>", lines[3])


def test_why_names_the_line_that_discarded_and_the_hash_of_its_script(story: Story) -> None:
    event = story.of("discarded")[0]
    sha256 = story.of("reload")[0]["scripts"]
    (short,) = sha256.values()
    text = "\n".join(story.why(event["message_id"]))
    assert "discarded  250 2.0.0 nobody reads it" in text
    assert f"decided by judge.lua:6 (sha256 {short}); generation 1" in text


def test_why_of_one_copy_leaves_the_others_out(story: Story) -> None:
    event = story.of("discarded")[0]
    lines = story.why(event["message_id"])
    assert lines[0] == (
        f"message {event['message_id']} from <ann@example.test> to <sink@example.test>"
    )
    assert len(lines) == 3


def test_why_of_a_reception_tells_every_copy(story: Story) -> None:
    batch = story.of("discarded")[0]["batch_id"]
    kinds = [line.split("  ")[2] for line in story.why(batch)[1:] if line.startswith("  20")]
    assert kinds == ["discarded", "reject", "received", "delivered"]


def test_an_error_of_policy_is_told_with_its_line(story: Story) -> None:
    event = story.of("policy_error")[0]
    assert event["callout"] == "validate_mailfrom"
    assert event["decided_by"] == "judge.lua:14"
    text = "\n".join(story.why(event["conn_id"]))
    assert "validate_mailfrom of judge: judge.lua:14: attempt to index field 'x'" in text
    assert "reject  421" in text


def test_reloads_are_in_the_log(story: Story) -> None:
    first, second = story.of("reload")
    assert (first["generation"], second["generation"]) == (1, 2)
    assert first["policy"] != second["policy"]
    refused = story.of("reload_refused")[0]
    assert refused["generation"] == 1
    assert "judge.lua:1" in refused["problems"][0]


def test_an_unknown_id_is_a_finding(story: Story) -> None:
    done = CliRunner().invoke(main, ["why", "FF/FF-99999-00000000", "--log", str(story.config)])
    assert done.exit_code == 1
    assert "nothing about" in done.output


def test_no_event_log_is_unusable(tmp_path: Path) -> None:
    config = tmp_path / "ecelerity.conf"
    config.write_text('spoolbase = "spool"\n')
    for given, said in ((config, "set event_log"), (tmp_path / "none.json", "can't be read")):
        done = CliRunner().invoke(main, ["why", "x", "--log", str(given)])
        assert done.exit_code == 2
        assert said in done.output
