"""What `moonpost top` is told and shows."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from moonpost.cli.top import look
from moonpost.observe.screen import screen
from moonpost.observe.vitals import STUCK_S, Vitals, ask, sockets
from testkit.small_server import callout, connect, moonpost, small_server, until

LOOP = callout("validate_mailfrom", "str, ac, vctx", "  while true do end", script="loop")


def test_an_answer_comes_while_the_loop_is_stuck(tmp_path: Path) -> None:
    spool = tmp_path / "var/spool"

    def shown() -> str:
        return "\n".join(screen(look(spool), {}))

    with small_server(tmp_path, {"loop": LOOP}, options="callout_cpu_limit = 4") as server:
        server.start()
        assert "STUCK" not in shown() and "received 0" in shown()
        with connect(server.port) as client:
            client.putcmd("MAIL FROM:<a@a.test>")
            assert until(lambda: "STUCK" in shown())
            assert re.search(r"STUCK for \d+\.\d s in loop\.lua:4$", shown(), re.M), shown()
            done = moonpost("top", server.config)
            assert done.returncode == 0 and "loop.lua:4" in done.stdout
            assert client.getreply()[0] == 421
        assert until(lambda: "STUCK" not in shown())
        assert "validate_mailfrom" in shown()
        server.kill()
        assert len(sockets(spool)) == 1 and look(spool) == []
        none = moonpost("top", server.config)
        assert none.returncode == 2 and "no server answers" in none.stderr


def test_facts_that_grow_while_they_are_read(tmp_path: Path) -> None:
    tries = []

    def facts() -> dict[str, int]:
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("dictionary changed size during iteration")
        return {"sessions": 7}

    vitals, before = Vitals(tmp_path, facts), threading.active_count()
    vitals.start()
    try:
        said = ask(vitals.path)
        assert said["sessions"] == 7 and said["late_s"] == 0 and said["memory_kib"] > 1000
        assert vitals.path.stat().st_mode & 0o777 == 0o600
    finally:
        vitals.stop()
    assert not vitals.path.exists() and threading.active_count() == before


def test_a_stuck_thread_is_shown_by_its_python_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vitals = Vitals(tmp_path, dict)
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + STUCK_S + 5)
    assert vitals.snapshot()["stuck_in"][1].startswith("observe/vitals.py:")


def snapshot(at: float, **facts: object) -> dict[str, object]:
    return {"pid": 7, "at": at, "cpu_s": at / 2, "memory_kib": 2048, "late_s": 0.0} | facts


def test_the_screen() -> None:
    queue = {
        "binding": "default", "domain": "b.test\x1b[2J", "active": 3, "delayed": 40,
        "connections": 2, "sent": 9, "held": "suspension",
    }  # fmt: skip
    row = {"callout": "validate_data", "count": 4, "total_ms": 10.0, "longest_ms": 7.5}
    first = snapshot(10, totals={"received": 5})
    second = snapshot(
        12, totals={"received": 25}, queues=[queue], callouts=[row], sessions=3, generation=2,
        late_s=4.0, stuck_in=["a.lua:3", "b.lua:9"],
    )  # fmt: skip
    assert list(screen([first], {})) == [
        "process 7: 2 MiB, 0 sessions, generation ?",
        "  received 5, delivered 0, deferred 0, failed 0, reject 0 since the start",
    ]
    acceptor = snapshot(10, role="acceptor", sessions=5, generation=1)
    assert list(screen([acceptor], {})) == ["acceptor 7: 2 MiB, 5 sessions, generation 1"]
    assert list(screen([second], {7: first})) == [
        "process 7: 2 MiB, CPU 50 %, 3 sessions, generation 2",
        "  STUCK for 4.0 s in a.lua:3 < b.lua:9",
        "  received 10.0/s, delivered 0.0/s, deferred 0.0/s, failed 0.0/s, reject 0.0/s",
        "",
        "QUEUE                                          ACTIVE  DELAYED  CONN      SENT",
        "default::b.test\\x1b[2J                              3       40     2         9  suspension",
        "",
        "CALLOUT                                         COUNT   MEAN ms    MAX ms",
        "validate_data                                       4      2.50      7.50",
    ]
