"""Sessions written out: both directions, policy in between, no secrets, no contents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moonpost.control.client import Console
from moonpost.observe import trace
from moonpost.observe.trace import Tracers
from testkit.receiver import receiver
from testkit.small_server import callout, connect, small_server, until

POLICY = callout(
    "validate_rcptto",
    "msg, str, ac, vctx",
    '  if tostring(str):match("bad") then vctx:set_code(550, "5.7.1 not him") end',
    script="policy",
)


def lines(path: Path) -> list[str]:
    """Without times and labels."""
    return [re.sub(r"^\S+ \S+ \S+ ", "", line) for line in path.read_text().splitlines()]


def test_secrets_and_contents_are_left_out(tmp_path: Path) -> None:
    tracers = Tracers(now=lambda: 0.0)
    tracers.add(str(tmp_path / "t"), peer="10.0.0.0/8")
    assert tracers.inbound("192.0.2.1", "x") is None and tracers.outbound("b", "d", "x") is None
    tap = tracers.inbound("10.1.1.1", "id 10.1.1.1:9")
    assert tap is not None
    tap.heard(b"AUTH PLAIN AGFubgBncmVlbg==\r\nAUTH LOGIN\r\n")
    tap.sent(b"334 VXNlcm5hbWU6\r\n")
    tap.heard(b"YW5u\r\n")
    tap.sent(b"334 UGFzc3dvcmQ6\r\n")
    tap.heard(b"Z3JlZW4=\r\n")
    tap.sent(b"235 2.7.0 good\r\n")
    tap.heard(b"Subject: secret\r\n", content=True)
    tap.event("evil\r\nline\x1b[2J")
    tracers.close()
    assert lines(tmp_path / "t") == [
        "< AUTH PLAIN ***", "< AUTH LOGIN", "> 334 VXNlcm5hbWU6", "< ***", "> 334 UGFzc3dvcmQ6",
        "< ***", "> 235 2.7.0 good", "< [17 bytes of content]", "- evil\\x0d\\x0aline\\x1b[2J",
    ]  # fmt: skip
    assert (tmp_path / "t").read_text().startswith("00:00:00.000 id 10.1.1.1:9 < AUTH")
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o640
    tap.event("after the end")


def test_a_tracer_stops_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST_BYTES", 100)
    tracers = Tracers(now=lambda: 0.0)
    tracers.add(str(tmp_path / "t"))
    tap = tracers.outbound("default", "b.test", "x y")
    assert tap is not None
    for _ in range(50):
        tap.event("something that happened")
    tracers.close()
    assert lines(tmp_path / "t")[-1] == "100 bytes are written"
    assert len(lines(tmp_path / "t")) < 6


def test_a_server_is_traced_in_both_directions(tmp_path: Path) -> None:
    options = 'idle_timeout = 0.1 Control_Listener { Listen "var/console.sock" {} }'
    inbound, outbound = tmp_path / "in.log", tmp_path / "out.log"
    with (
        receiver() as host,
        small_server(tmp_path, {"policy": POLICY}, receiver=host.port, options=options) as server,
    ):
        server.start()

        def say(command: str) -> str:
            with Console(str(tmp_path / "var/console.sock")) as console:
                return console.request(command).text

        assert say(f"trace smtp add inbound 127.0.0.0/8 {inbound}") == "Registered smtp tracer #1"
        assert say(f"trace smtp add default 127.0.0.1 {outbound}") == "Registered smtp tracer #2"
        assert say(f"trace smtp add * other.test {tmp_path}/none") == "Registered smtp tracer #3"
        assert "absolute path" in say("trace smtp add * * here")
        assert "No such file" in say("trace smtp add * * /nowhere/at/all")
        assert "does not appear to be" in say(f"trace smtp add inbound 300.1.1.1 {inbound}")
        with connect(server.port) as client:
            client.sendmail("a@a.test", ["bad@b.test", "b@b.test"], "Subject: x\r\n\r\nhi\r\n")
        assert until(lambda: "- connection ended" in outbound.read_text())
        assert (
            f"[     2] binding: default\n          domain: 127.0.0.1\n            file: {outbound} @ "
            in say("trace smtp list")
        )
        for number in (1, 2, 3):
            assert say(f"trace smtp remove {number}") == f"Removed smtp tracer #{number}"
        assert say("trace smtp remove 2") == "no smtp tracer #2"
        assert say("trace smtp list") == "nothing is traced"
        came = lines(inbound)
        assert came[0].startswith("> 220 ")
        at = came.index("< rcpt TO:<bad@b.test>")
        assert came[at + 1].startswith("- validate_rcptto: goes on")
        assert came[at + 2].startswith(
            "- refused: 550 5.7.1 not him, scriptlet, decided by policy.lua:"
        )
        assert came[at + 3] == "> 550 5.7.1 not him"
        assert any("bytes of content" in line for line in came)
        assert not any("Subject" in line for line in came)
        went = lines(outbound)
        assert "> MAIL FROM:<a@a.test> SIZE" in "\n".join(went)
        assert "< 250 2.0.0 kept" in went
        assert any("bytes of content" in line for line in went)
        assert (tmp_path / "none").read_text() == ""
