"""debugpy, talked to as an editor talks to it: breakpoints, stacks, variables, stepping, in both views."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from testkit.dap import DapClient

pytest.importorskip("debugpy")


@contextmanager
def attached(start: Any, *arguments: str | Path) -> Iterator[tuple[DapClient, Any]]:
    """A client of a debugger that listens; the process it debugs."""
    process: subprocess.Popen[bytes] = start(*arguments, "--dap", "127.0.0.1:0")
    assert process.stderr is not None
    line = process.stderr.readline().decode()
    found = re.fullmatch(r"waiting for a debugger to attach to 127\.0\.0\.1:(\d+)\n", line)
    assert found, line + process.stderr.read().decode()
    with socket.create_connection(("127.0.0.1", int(found[1])), timeout=60) as connection:
        stream = connection.makefile("rwb")
        yield DapClient(stream, stream), process  # type: ignore[arg-type]


def finish(client: DapClient, process: subprocess.Popen[bytes]) -> str:
    """Let the program run to its end; what it wrote. The adapter keeps the pipes until the client has gone."""
    client.go("continue")
    client.event("terminated")
    client.send("disconnect")
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors.decode()
    return out.decode()


def lines(frames: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Function and line of the frames of policy."""
    return [(f["name"], f["line"]) for f in frames if "policy" in f["source"].get("path", "")]


def test_breakpoints_variables_and_stepping_in_lua(start: Any, folder: Path) -> None:
    path = str(folder / "policy.lua")
    with attached(start, folder) as (client, process):
        answers = client.attach(**{path: [{"line": 17}, {"line": 6, "condition": "twice == 4"}]})
        assert [(one["verified"], one["line"]) for one in answers[path]] == [(True, 17), (True, 6)]

        frames = client.stopped()
        assert lines(frames)[0] == ("validate_connect", 17)
        assert frames[0]["source"]["path"] == path
        reference, found = client.variables(frames[0])
        assert (found["total"], found["number"]) == ("0", "1")

        client.go("stepIn")
        frames = client.stopped()
        assert lines(frames)[:2] == [("double", 5), ("validate_connect", 17)]
        client.go("stepOut")
        assert lines(client.stopped())[0] == ("validate_connect", 17)
        client.go("continue")  # the second turn of the loop
        frames = client.stopped()
        assert lines(frames)[0] == ("validate_connect", 17)
        reference, found = client.variables(frames[0])
        assert found["total"] == "2"
        client.ask("setVariable", variablesReference=reference, name="total", value="100")
        client.go("continue")  # the condition holds in this turn
        frames = client.stopped()
        assert lines(frames)[0] == ("double", 6)
        assert client.variables(frames[0])[1]["twice"] == "4"
        evaluated = client.ask("evaluate", expression="n + twice", frameId=frames[0]["id"])
        assert evaluated["result"] == "6"

        client.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": 19}])
        client.go("continue")
        assert lines(client.stopped())[0] == ("validate_connect", 19)
        client.go("next")  # over a call that suspends
        frames = client.stopped()
        assert lines(frames)[0] == ("validate_connect", 20)
        assert client.variables(frames[0])[1]["err"] == "'NXDOMAIN'"
        assert "connection context total: 110" in finish(client, process)


def test_the_python_view_over_the_same_protocol(start: Any, folder: Path) -> None:
    cache = folder.parent / "cache" / "moonpost" / "policy"
    start(folder, "--view", "py").communicate(b"c\n", timeout=60)  # compiled once, so it is there
    module = next(p for p in cache.glob("*.py") if "def validate_connect" in p.read_text())
    wanted = module.read_text().splitlines().index("    return twice") + 1
    with attached(start, folder, "--view", "py") as (client, process):
        (answer,) = client.attach(**{str(module): [{"line": wanted}]})[str(module)]
        assert answer["verified"]
        frames = client.stopped()
        assert (frames[0]["name"], frames[0]["line"]) == ("double", wanted)
        assert frames[0]["source"]["path"] == str(module)
        assert client.variables(frames[0])[1]["twice"] == "2"
        client.go("stepOut")
        assert client.stopped()[0]["name"] == "validate_connect"
        client.ask("setBreakpoints", source={"path": str(module)}, breakpoints=[])
        finish(client, process)


def test_stepping_out_of_a_callout_does_not_enter_the_server(start: Any, folder: Path) -> None:
    path = str(folder / "policy.lua")
    with attached(start, folder) as (client, process):
        client.attach(**{path: [{"line": 21}, {"line": 25}]})
        client.stopped()
        client.go("stepOut")
        frames = client.stopped()  # nowhere between the two callouts
        assert lines(frames)[0] == ("validate_ehlo", 25)
        finish(client, process)


def test_over_stdio_an_editor_starts_it_itself(start: Any, folder: Path) -> None:
    path = str(folder / "policy.lua")
    process = start(folder, "--dap", "stdio")
    client = DapClient(process.stdout, process.stdin)
    answers = client.attach(**{path: [{"line": 25}]})
    assert answers[path][0]["verified"]
    assert lines(client.stopped())[0] == ("validate_ehlo", 25)
    client.go("continue")
    client.event("terminated")
    client.send("disconnect")
    _, errors = process.communicate(timeout=60)
    assert "accepted: 250" in errors.decode()  # standard output belongs to the protocol
    assert process.returncode == 0
