"""Policy that never ends, or would take years: its session gets 421 with the Lua line in the log, others are not harmed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from moonpost.testing.serving import Serving
from testkit.small_server import callout, connect, reply_to_mail, small_server, until

# sender domain -> what its callout does, in one Lua line; the first stands in line 6
RUNAWAYS = {
    "loop.test": "while true do end",
    "pcall.test": "while true do pcall(function() while true do end end) end",
    "pattern.test": '("a"):rep(60):match(("a-"):rep(30) .. "b")',
    "gsub.test": '("x"):rep(60):gsub(("x*"):rep(30) .. "y", "")',
    "pcre.test": 'msys.pcre.match(("a"):rep(60) .. "!", "^(a+)+$")',
}
HARMLESS = {"pcre.test"}  # the engine's own match limit ends it at once, with nil

BODY = ["  local domain = vctx:get(msys.core.VCTX_MESS, 'mailfrom_domain')"]
for name, what in RUNAWAYS.items():
    BODY += [f"  if domain == '{name}' then", f"    {what}", "  end"]
SCRIPT = callout("validate_mailfrom", "str, ac, vctx", "\n".join(BODY), script="runaway")
SCRIPT = SCRIPT.replace('require("msys.core")', 'require("msys.core") require("msys.pcre")')
LIMIT_S = 1
SOON_S = 8  # chosen: far below the years it would take, far above what a busy machine needs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("runaway")
    options = f"callout_cpu_limit = {LIMIT_S}"
    with small_server(folder, {"runaway": SCRIPT}, options=options) as made:
        made.start()
        yield made
        assert made.stop() == 0


def line_of(name: str) -> int:
    return (
        next(
            number
            for number, line in enumerate(SCRIPT.splitlines(), start=1)
            if f"'{name}'" in line
        )
        + 1
    )


@pytest.mark.parametrize("name", [name for name in RUNAWAYS if name not in HARMLESS])
def test_a_runaway_callout_gets_421_and_the_log_has_its_line(server: Serving, name: str) -> None:
    began = time.monotonic()
    code, text = reply_to_mail(server.port, f"ann@{name}")
    assert code == 421, text
    assert "runaway" not in text  # what a peer sees is short and bland
    assert time.monotonic() - began < LIMIT_S + SOON_S
    place = f"runaway.lua:{line_of(name)}"
    assert until(lambda: place in server.log("paniclog.ec"), 3), server.log("paniclog.ec")


def test_a_pcre_that_explodes_ends_by_its_own_limit(server: Serving) -> None:
    began = time.monotonic()
    code, _ = reply_to_mail(server.port, "ann@pcre.test")
    assert code in (250, 421)
    assert time.monotonic() - began < LIMIT_S + SOON_S


def test_the_event_stream_names_the_line(server: Serving) -> None:
    reply_to_mail(server.port, "ann@loop.test")

    def decided() -> list[str]:
        events = map(json.loads, server.log("events.json").splitlines())
        return [str(e.get("decided_by")) for e in events if e["event"] == "reject"]

    assert until(lambda: f"runaway.lua:{line_of('loop.test')}" in decided(), 3), decided()


def test_other_sessions_are_served_meanwhile(server: Serving) -> None:
    """They may wait until the limit stops the loop, and then go on as if nothing had been."""
    open_before = connect(server.port)
    replies: list[int] = []

    def run_away() -> None:
        replies.append(reply_to_mail(server.port, "ann@loop.test")[0])

    thread = threading.Thread(target=run_away)
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    assert open_before.mail("ann@example.test")[0] == 250
    assert open_before.rcpt("bob@example.test")[0] == 250
    assert open_before.data(b"Subject: unharmed\r\n\r\nhello\r\n")[0] == 250
    open_before.quit()
    assert time.monotonic() - began < LIMIT_S + SOON_S
    assert reply_to_mail(server.port, "ann@example.test")[0] == 250
    thread.join()
    assert replies == [421]
