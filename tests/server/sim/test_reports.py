"""What a simulation tells: changes, prints, questions, errors, fates, and the documented JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from moonpost.cli.sim import command
from moonpost.sim.outside import EICAR

HEAD = 'require("msys.core") require("msys.extended.message") require("msys.extended.vctx")\nlocal mod = {}\n'
TAIL = '\nmsys.registerModule("mine", mod)\n'


def script(folder: Path, text: str, name: str = "policy.lua") -> Path:
    path = folder / "mine" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + text + TAIL, encoding="utf-8")
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def report(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def callouts(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Callout name to what the only module did in it."""
    return {ran["callout"]: ran for phase in found["phases"] for ran in phase["callouts"]}


def changes(ran: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(change.values()) for change in ran["changes"]]


def test_json_has_the_documented_keys(tmp_path: Path) -> None:
    path = script(tmp_path, "function mod:validate_connect() print('hello') return 0 end")
    found = report(path)
    assert found["version"] == 1
    assert list(found) == ["version", "session", "phases", "result"]
    assert list(found["session"]) == ["client", "greeting", "sender", "recipients"]
    assert [phase["phase"] for phase in found["phases"]] == [
        "connect", "ehlo", "mail", "rcpt", "data", "quit",
    ]  # fmt: skip
    connect = found["phases"][0]
    assert list(connect) == [
        "phase", "command", "callouts", "reply", "decided_by", "held_s", "closed",
    ]  # fmt: skip
    assert connect["callouts"] == [
        {
            "callout": "validate_connect",
            "phase": "connect",
            "module": "mine",
            "where": "mine/policy.lua:3",
            "recipient": None,
            "message_id": None,
            "answer": "VALIDATE_CONT",
            "decided_by": None,
            "changes": [],
            "printed": ["hello"],
            "asked": [],
            "error": None,
        }
    ]
    result = found["result"]
    assert list(result) == [
        "verdict", "code", "text", "decided_by", "recipients", "injected", "errors", "log",
    ]  # fmt: skip
    assert (result["verdict"], result["code"]) == ("accepted", 250)
    (recipient,) = result["recipients"]
    assert list(recipient) == [
        "address", "fate", "code", "text", "delivered_to", "id", "binding", "changes",
    ]  # fmt: skip


def test_every_kind_of_change_is_seen(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        function mod:validate_connect(ac, vctx)
          vctx:set(msys.core.VCTX_CONN, "seen", "Grüße")
          ac:esmtp_capability_add("XFOO")
          return 0
        end
        function mod:validate_data(msg, ac, vctx)
          msg:header("Subject", "other")
          msg:header("Date", nil)
          msg:header("X-New", "new")
          msg:text("another body")
          msg:mailfrom("eva@example.test")
          vctx:add_recipient("dan@example.test")
          return 0
        end
        """,
    )
    ran = callouts(report(path))
    assert changes(ran["validate_connect"]) == [
        ("connection_context", "seen", None, "Grüße"),
        ("capability", "", None, "XFOO"),
    ]
    seen = changes(ran["validate_data"])
    assert ("sender", "", "ann@example.test", "eva@example.test") in seen
    assert ("recipients", "", None, "dan@example.test") in seen
    assert ("header", "Subject", "a message made by moonpost sim", "other") in seen
    assert ("header", "Date", "Mon, 2 Feb 2026 10:00:00 +0000", None) in seen
    assert ("header", "X-New", None, "new") in seen
    assert [change[0] for change in seen].count("body") == 1


def test_an_error_shows_lua_line_and_traceback_and_fails(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "local function deep(t)\n  return t.x.y\nend\n"
        "function mod:validate_mailfrom()\n  deep({})\n  return 0\nend",
    )
    found = report(path, code=1)
    (error,) = found["result"]["errors"]
    assert error["where"] == "mine/policy.lua:4"
    assert "attempt to index field 'x' (a nil value)" in error["text"]
    assert "mine/policy.lua:7: in function" in error["traceback"]
    assert found["result"]["code"] == 421
    assert found["result"]["decided_by"] == "mine/policy.lua:4"
    assert found["phases"][2]["callouts"][0]["error"] == error
    text = run(path)
    assert text.exit_code == 1
    assert "stack traceback" in text.output
    assert "decided by mine/policy.lua:4" in text.output


def test_dns_is_what_was_given(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        function mod:validate_connect()
          for _, q in ipairs({ "a.test A", "b.test TXT", "b.test MX", "c.test A", "alias.test A" }) do
            local name, kind = q:match("(%S+) (%S+)")
            local found, err = msys.dnsLookup(name, kind)
            print(q .. " " .. (found and found[1] or err))
          end
          return 0
        end
        """,
    )
    (tmp_path / "mine" / "our.zone").write_text(
        "a.test. IN A 192.0.2.1\nalias.test. CNAME a.test.\n"
    )
    (tmp_path / "more").write_text('$ORIGIN test.\n$TTL 5\nb 60 IN TXT "one " "two"\n')
    found = report(path, "--zone", tmp_path / "more", "--dns", "a.test=A=192.0.2.9")
    ran = callouts(found)["validate_connect"]
    assert ran["printed"] == [
        "a.test A 192.0.2.9",
        "b.test TXT one two",
        "b.test MX NODATA",
        "c.test A NXDOMAIN",
        "alias.test A 192.0.2.9",
    ]
    assert ran["asked"][0] == {"kind": "dns", "what": "a.test A", "answer": "192.0.2.9"}


def test_time_is_virtual(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        function mod:validate_connect(ac, vctx)
          vctx:tarpit(600)
          msys.sleep(100)
          print(msys.core.get_now_ts())
          return 0
        end
        function mod:validate_ehlo() print(msys.core.get_now_ts()) return 0 end
        """,
    )
    found = report(path, "--at", "1000")
    ran = callouts(found)
    assert ran["validate_connect"]["printed"] == ["1100"]
    assert ran["validate_ehlo"]["printed"] == ["1700"]
    assert found["phases"][0]["held_s"] == 600


def test_databases_are_read_and_never_written(tmp_path: Path) -> None:
    import sqlite3

    database = tmp_path / "known.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE known (name TEXT)")
        connection.execute("INSERT INTO known VALUES ('ann')")
    connection.close()
    script(
        tmp_path,
        """
        require("msys.db")
        function mod:validate_connect()
          msys.db.execute("known", "INSERT INTO known VALUES ('eva')")
          for row in msys.db.query("known", "SELECT name FROM known") do print(row.name) end
          return 0
        end
        """,
    )
    config = tmp_path / "ecelerity.conf"
    config.write_text(
        'inbound_audit {} alerting {} Datasource "known" { uri = ( "sqlite:known.db" ) }\n'
        'scriptlet "scriptlet" { script "mine" { source = "mine/policy" } }\n'
        'ESMTP_Listener { open_relay = true Listen ":25" {} }\n'
    )
    assert callouts(report(config))["validate_connect"]["printed"] == ["ann", "eva"]
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM known").fetchone() == (1,)
    connection.close()


def test_files_are_read_and_never_written(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        function mod:validate_connect()
          print((msys.readfile("mine/greeting.txt")))
          print(pcall(msys.core.io_wrapper_open, "mine/new", msys.core.O_CREAT | msys.core.O_WRONLY, 0x1a4))
          return 0
        end
        """,
    )
    (tmp_path / "mine" / "greeting.txt").write_text("hello")
    printed = callouts(report(path))["validate_connect"]["printed"]
    assert printed[0] == "hello"
    assert not (tmp_path / "mine" / "new").exists()


def test_fates_of_recipients(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        function mod:validate_rcptto(msg, str, ac, vctx)
          if msg:rcptto():match("^no@") then vctx:set_code(550, "5.1.1 nobody") end
          if msg:rcptto():match("^later@") then vctx:set_code(450, "4.2.0 later") end
          return 0
        end
        function mod:validate_data_spool_each_rcpt(msg, ac, vctx)
          if msg:rcptto():match("^drop@") then msg:discard("550 5.7.1 dropped") end
          if msg:rcptto():match("^bounce@") then vctx:set_code(554, "5.7.1 not this one") end
          if msg:rcptto():match("^old@") then msg:rcptto("new@example.test") end
          return 0
        end
        """,
    )
    names = ["no", "later", "drop", "bounce", "old", "bob"]
    found = report(path, *(word for n in names for word in ("--rcpt", f"{n}@example.test")))
    fates = {r["address"].partition("@")[0]: r for r in found["result"]["recipients"]}
    assert {name: fates[name]["fate"] for name in names} == {
        "no": "refused",
        "later": "deferred",
        "drop": "discarded",
        "bounce": "refused",
        "old": "queued",
        "bob": "queued",
    }
    assert fates["old"]["delivered_to"] == "new@example.test"
    assert fates["bounce"]["code"] == 554
    assert fates["drop"]["text"] == "5.7.1 dropped"
    (bounce,) = found["result"]["injected"]
    assert (bounce["kind"], bounce["recipient"]) == ("bounce", "ann@example.test")


def test_mail_that_policy_makes_passes_the_last_steps(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        function mod:validate_data(msg, ac, vctx)
          msg:inject("robot@example.test", "eva@example.test")
          return 0
        end
        function mod:core_final_validation(msg) msg:header("X-Last", "yes") end
        """,
    )
    found = report(path)
    (made,) = found["result"]["injected"]
    assert (made["sender"], made["recipient"]) == ("robot@example.test", "eva@example.test")
    assert [r["callout"] for r in found["phases"][4]["callouts"]].count(
        "core_final_validation"
    ) == 2


def test_state_lasts_over_repetitions(samples: Path) -> None:
    sixth = ["--from", "ann@eager.example.test", "-m", samples / "messages" / "plain.eml"]
    assert report(samples / "rate_limit", *sixth, "--repeat", "5")["result"]["code"] == 250
    assert report(samples / "rate_limit", *sixth, "--repeat", "6", code=1)["result"]["code"] == 451
    waited = ["--repeat", "6", "--pause", "61"]
    assert report(samples / "rate_limit", *sixth, *waited)["result"]["code"] == 250


def test_content_limits_are_the_servers(tmp_path: Path) -> None:
    config = tmp_path / "ecelerity.conf"
    config.write_text(
        'ESMTP_Listener { max_message_size = 100 open_relay = true Listen ":25" {} }\n'
    )
    found = report(config, code=1)
    assert (found["result"]["code"], found["result"]["verdict"]) == (552, "refused")


def test_relaying_follows_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "ecelerity.conf"
    config.write_text(
        'ESMTP_Listener { relay_hosts = ( "192.0.2.0/24" ) Listen ":25" {} }\n', encoding="utf-8"
    )
    assert report(config, code=1)["result"]["code"] == 550
    assert report(config, "--ip", "192.0.2.7")["result"]["code"] == 250


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.lua"], "no such file or folder"),
        (["."], "has neither policy.lua nor ecelerity.conf"),
        (["bad.lua"], "bad.lua:3:1"),
        (["bad.conf"], "unknwon"),
        (["good.lua", "--dns", "x"], "expected name=type=value"),
        (["good.lua", "--dns", "x=A=nonsense"], "--dns x=A=nonsense"),
        (["good.lua", "--sql", "x"], "expected NAME=FILE"),
        (["good.lua", "-m", "nowhere.eml"], "nowhere.eml cannot be read"),
        (["good.lua", "--listener", "x"], "--listener x"),
        (["good.lua", "--rcpt", "a\r\nDATA"], "is one line"),
    ],
)
def test_what_cannot_be_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    folder = script(tmp_path, "").parent
    monkeypatch.chdir(folder)
    (folder / "policy.lua").rename(folder / "good.lua")
    (folder / "bad.lua").write_text("local x = 1\n\n)")
    (folder / "bad.conf").write_text("unknwon = 1\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_virus_engines_know_the_test_file(tmp_path: Path) -> None:
    script(
        tmp_path,
        """
        require("msys.av")
        function mod:validate_data(msg, ac, vctx)
          msys.av.scan("clamav", msg, vctx)
          return 0
        end
        """,
    )
    config = tmp_path / "ecelerity.conf"
    config.write_text(
        'scanner "clamav" {} inbound_audit {} alerting {}\n'
        'scriptlet "scriptlet" { script "mine" { source = "mine/policy" } }\n'
        'ESMTP_Listener { open_relay = true Listen ":25" {} }\n'
    )
    message = tmp_path / "eicar.eml"
    message.write_bytes(b"Subject: x\n\n" + EICAR + b"\n")
    for given, answer in (([], "OK"), (["-m", message], "Eicar-Test-Signature FOUND")):
        (asked,) = callouts(report(config, *given))["validate_data"]["asked"]
        assert (asked["kind"], asked["answer"]) == ("scanner", answer)
