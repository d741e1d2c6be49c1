"""Two acceptors and an owner: mail, crashes, reloads, limits and the end, with the real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest

from moonpost.testing.load import Load, names_of
from moonpost.testing.serving import Serving
from moonpost.testing.stage import BackgroundSink
from testkit.small_server import connect, reply_to_mail, until, write_policy

Two = Callable[..., Serving]


def acceptors(serving: Serving) -> list[int]:
    """Process ids of the acceptors, from the kernel."""
    assert serving.server is not None
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            parent = (path.parent / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"moonpost.app.processes.acceptor" in words and int(parent) == serving.server.pid:
            found.append(int(path.parent.name))
    return sorted(found)


def exists(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def kill(serving: Serving, processes: list[int]) -> None:
    """kill -9, and wait until others are in their places."""
    for process in processes:
        os.kill(process, signal.SIGKILL)
    assert until(lambda: len(acceptors(serving)) == 2 and not {*processes} & {*acceptors(serving)})


def receivers(serving: Serving) -> set[int]:
    """Which processes took mail in, from the ids in the main log."""
    ids = re.findall(r"^\d+@../..-(\d{5})-[^@]*@[^@]*@[^@]*@R@", serving.log("mainlog.ec"), re.M)
    return {int(each) for each in ids}


def admitted(serving: Serving) -> bool:
    """Whether one more session is let in."""
    try:
        connect(serving.port).quit()
    except (smtplib.SMTPException, OSError):
        return False
    return True


def reaches_all(serving: Serving, sender: str, code: int) -> bool:
    """Whether many connections in a row, spread over the acceptors by the kernel, hear this."""
    return all(reply_to_mail(serving.port, sender)[0] == code for _ in range(12))


def test_mail_and_limits_over_two_acceptors(two: Two, receiver: BackgroundSink) -> None:
    serving = two(listener="listener_sessions = 10")
    serving.start()
    pids = {pid % 100_000 for pid in acceptors(serving)}
    assert len(pids) == 2
    with Load(serving.port, clients=8) as load:
        assert until(lambda: receivers(serving) == pids and len(load.acknowledged) > 50)
    assert until(lambda: len(receiver.received) >= len(load.acknowledged))
    assert sorted(names_of(receiver.received)) == sorted(load.acknowledged)
    listed = serving.console("acceptors").splitlines()
    assert (
        listed[0].split()
        == "Acceptor Process Up Restarts Sessions Messages Rejections Generation".split()
    )
    assert until(
        lambda: (
            sum(int(row.split()[5]) for row in serving.console("acceptors").splitlines()[1:])
            == len(load.acknowledged)
        )
    )
    assert until(lambda: " 0        0 " in serving.console("mailq"))
    events = [json.loads(line) for line in serving.log("events.json").splitlines()]
    assert len([event for event in events if event["event"] == "reload"]) == 1
    assert {event.get("policy") for event in events if event["event"] == "received"} == {
        events[0]["policy"]
    }
    assert "Registered" in serving.console(
        "trace", "smtp", "add", "inbound", "*", str(serving.folder / "trace")
    )
    assert reaches_all(serving, "ann@closed.test", 550)
    trace = serving.folder / "trace"
    assert until(lambda: trace.read_text().count("> 550 5.7.1 closed") == 12)
    clients = [connect(serving.port) for _ in range(10)]
    for _ in range(6):  # whichever acceptor it comes to
        assert not admitted(serving)
    clients.pop().quit()
    assert until(lambda: admitted(serving))
    for client in clients:
        client.quit()
    processes = acceptors(serving)
    assert serving.stop() == 0
    assert not any(map(exists, processes))


def test_a_killed_acceptor_loses_nothing_and_comes_back(
    two: Two, receiver: BackgroundSink, tmp_path: Path
) -> None:
    serving = two()
    serving.start()
    before = acceptors(serving)
    with Load(serving.port, clients=8) as load:
        for killed in range(3):
            assert until(lambda count=20 * killed: len(load.acknowledged) > count)
            kill(serving, acceptors(serving)[:1])
    assert until(lambda: load.acknowledged <= set(names_of(receiver.received)))
    assert len(names_of(receiver.received)) == len(set(names_of(receiver.received)))
    assert not set(acceptors(serving)) >= set(before)
    panic = serving.log("paniclog.ec")
    assert f"(process {before[0]}) ended, killed by SIGKILL;" in panic
    assert "mail it acknowledged is in the spool" in panic and "starts in 0 s" in panic
    # Who starts later has policy and configuration that are in force, whatever the files say by then.
    (tmp_path / "first.lua").write_text("this is no Lua any more")
    assert serving.console("config", "set", "hostname", "changed.test")
    kill(serving, acceptors(serving))
    assert reaches_all(serving, "ann@closed.test", 550)
    for _ in range(6):
        with connect(serving.port) as client:
            assert client.ehlo_resp is not None and client.ehlo_resp.startswith(b"changed.test")


def test_a_reload_reaches_all_or_none(two: Two, tmp_path: Path) -> None:
    serving = two()
    serving.start()
    policy = (tmp_path / "first.lua").read_text()
    assert reaches_all(serving, "ann@open.test", 250)
    with Load(serving.port):
        write_policy(tmp_path / "first.lua", policy.replace('"closed"', '"open"'))
        assert "Reconfigure complete." in serving.console("config", "reload")
        assert reaches_all(serving, "ann@open.test", 550)
        # The third process to load it finds the counter too high: then nobody has the new policy.
        refusing = (
            f'local loads = "{tmp_path.name}"\nmsys.counter.inc(loads)\n'
            'if msys.counter.read(loads) > 2 then error("one too many") end\n'
        )
        write_policy(tmp_path / "first.lua", policy.replace("local mod", refusing + "local mod"))
        said = serving.console("config", "reload")
        assert (
            re.search(r"acceptor [12] \(process \d+\): .*one too many", said)
            and "Reconfigure failed." in said
        )
        assert reaches_all(serving, "ann@open.test", 550)
    assert serving.console("scriptlet", "generations").splitlines()[1].split()[:2] == ["2", "yes"]


@pytest.mark.long
def test_a_stop_and_a_death_of_the_owner(two: Two, receiver: BackgroundSink) -> None:
    serving = two()
    serving.start()
    processes = acceptors(serving)
    with Load(serving.port, clients=8) as load:
        assert until(lambda: len(load.acknowledged) > 50)
        assert serving.stop() == 0
    assert not any(map(exists, processes))
    serving.start()
    assert until(lambda: load.acknowledged <= set(names_of(receiver.received)))
    assert len(names_of(receiver.received)) == len(set(names_of(receiver.received)))
    processes = acceptors(serving)
    with Load(serving.port, clients=8, name="again") as load:
        assert until(lambda: len(load.acknowledged) > 50)
        serving.kill()
        assert until(lambda: not any(map(exists, processes)))  # they end by themselves
    serving.start()
    assert until(lambda: load.acknowledged <= set(names_of(receiver.received)))


@pytest.mark.long
def test_an_acceptor_that_says_nothing_is_killed(two: Two) -> None:
    serving = two()
    serving.start()
    stuck = acceptors(serving)[0]
    os.kill(stuck, signal.SIGSTOP)
    assert until(lambda: not exists(stuck) and len(acceptors(serving)) == 2, 90)
    assert f"(process {stuck}) is stuck: silent for 3" in serving.log("paniclog.ec")
    assert reaches_all(serving, "ann@open.test", 250)
