"""What each console command does, over services that record what they were asked."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import pytest

from moonpost.config.live import LiveConfiguration
from moonpost.config.model import examine
from moonpost.control.access import Authorization, Caller
from moonpost.control.commands import COMMANDS, find, run
from moonpost.control.context import Session
from moonpost.control.frames import Reply
from moonpost.control.services import CommandFailed, ReloadFailed, Services
from msys.ports.memory_state import MemoryState
from msys.testing.fakes import FakeClock, FakePools

CONFIG = """
retry_interval = 5
allow_scriptlet_eval = true
alerting {}
inbound_audit { monitors = ( "300,2" ) }
opendkim "a" { headerlist = ( from ) enabled = false }
"""


class FakeQueues:
    """Two domains; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def summary(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "domain": "b.test",
                "active": 1,
                "delayed": 20,
                "connections": 1,
                "sent": 3,
                "state": "suspended",
            },
            {"domain": "a.test", "active": 5, "delayed": 0, "connections": 2, "sent": 4},
        ]

    def bindings(self) -> Sequence[Mapping[str, Any]]:
        return [{"binding": "fast", "active": 6, "delayed": 20, "connections": 3, "sent": 7}]

    async def messages(
        self, domain: str, binding: str | None, limit: int, offset: int
    ) -> Sequence[Mapping[str, Any]]:
        self.told.append(("messages", domain, binding, limit, offset))
        return [
            {"id": "00/00-1", "sender": "s@x", "recipient": "r@y", "attempts": 2, "next_attempt": 9}
        ]

    async def flush(self, domain: str | None, *, dry_run: bool = False) -> int:
        self.told.append(("flush", domain) if not dry_run else ("dry",))
        return 20

    async def refresh(self, domain: str) -> int:
        self.told.append(("refresh", domain))
        return 1

    async def fail(self, domain: str, *, quiet: bool, dry_run: bool = False) -> int:
        self.told.append(("fail", domain, quiet) if not dry_run else ("dry",))
        return 21

    async def retry_message(self, message_id: str, *, dry_run: bool = False) -> bool:
        self.told.append(("retry", message_id) if not dry_run else ("dry",))
        return message_id == "00/00-1"

    async def fail_message(self, message_id: str, *, dry_run: bool = False) -> bool:
        self.told.append(("fail", message_id) if not dry_run else ("dry",))
        return message_id == "00/00-1"

    async def reroute(self, old: str, new: str, *, dry_run: bool = False) -> int:
        self.told.append(("reroute", old, new) if not dry_run else ("dry",))
        return 3

    async def rebind(self, binding: str, domain: str | None, *, dry_run: bool = False) -> int:
        self.told.append(("rebind", binding, domain) if not dry_run else ("dry",))
        return 4


class FakeScripts:
    def policy_hash(self) -> str:
        return "abc123"

    def generations(self) -> Sequence[Mapping[str, Any]]:
        return [{"number": 2, "current": "yes", "sessions": 1}]

    def has_command(self, word: str) -> bool:
        return word in ("greet", "version")

    async def run_command(self, words: Sequence[str]) -> str:
        if len(words) < 2:
            raise CommandFailed("policy.lua:3: whom?")
        return f"hello {words[1]}"

    async def evaluate(self, chunk: str) -> str:
        return f"ran {chunk}"


class FakeSessions:
    def count(self, cidr: str, service: str, listener: str | None = None) -> int:
        return 0

    def monitor(self, kind: str, monitor: str, cidr: str, start: int, end: int) -> float:
        return float(start)


class FakeAdaptive:
    """One suspended queue; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def suspensions(self, wanted: Any) -> Sequence[Mapping[str, Any]]:
        row = {"binding": "fast", "domain": "a.test", "kind": "suspension"}
        return [row | {"ttl": 60, "enable": 1, "reason": "421 no"}]

    def override(
        self, wanted: Any, *, enable: bool, ttl_s: float | None, dry_run: bool
    ) -> Sequence[tuple[str, str]]:
        if not dry_run:
            self.told.append(("override", wanted, enable, ttl_s))
        return [("fast", "a.test")]

    def tuned(self, wanted: Any) -> Sequence[Mapping[str, Any]]:
        return []

    def reset(self, wanted: Any, *, dry_run: bool) -> Sequence[tuple[str, str]]:
        if not dry_run:
            self.told.append(("reset", wanted))
        return [("fast", "a.test")]

    def rules(self, binding: str, domain: str) -> str:
        return f"rules of {binding} {domain}"

    def ages(self) -> Sequence[Mapping[str, Any]]:
        return [{"binding": "fast", "age": 9}]

    def set_age(self, binding: str, age_s: float) -> None:
        self.told.append(("warmup", binding, age_s))


class Bench:
    """A session over fakes."""

    def __init__(self) -> None:
        config, problems = examine("/etc/a.conf", text=CONFIG)
        assert not [problem for problem in problems if problem.severity == "error"]
        self.queues = FakeQueues()
        self.adaptive = FakeAdaptive()
        self.done: list[str] = []
        self.services = Services(
            configuration=LiveConfiguration(config),
            version="1.2.3",
            reload=self.reload,
            shutdown=lambda: self.done.append("shutdown"),
            reopen_logs=lambda: self.done.append("reopen"),
            panic_lines=lambda: {"error": [f"line {n}" for n in range(12)], "info": []},
            scripts=FakeScripts(),
            queues=self.queues,
            state=MemoryState(FakeClock().now),
            pools=FakePools(),
            sessions=FakeSessions(),
            adaptive=self.adaptive,
        )
        self.session = self.new_session()

    def new_session(self) -> Session:
        return Session(self.services, Caller("ann", ("staff",)), Authorization())

    async def reload(self, path: str | None) -> Sequence[str]:
        """As the server does it: configuration and policy, both or neither."""
        live = self.services.configuration
        config = live.prepare(path)
        if config.option("gateway") == "bad":
            raise ReloadFailed("policy.lua:1: unexpected symbol near '?'", policy=True)
        live.adopt(config)
        return ["policy generation 3"]

    def say(self, line: str, session: Session | None = None) -> Reply:
        return asyncio.run(self._run(session or self.session, line))

    async def _run(self, session: Session, line: str) -> Reply:
        return await run(session, line)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("version", "moonpost version: 1.2.3"),
        ("VERSION", "moonpost version: 1.2.3"),
        ("pid", str(os.getpid())),
        ("", ""),
        ("config get retry_interval", "Retry_Interval = 5"),
        ("config set gateway 'x y'", None),
        ('config set ehlo_hostname "a b"', 'EHLO_Hostname = "a b"'),
        ('config set relay_domains ("a b" c)', 'Relay_Domains = (\n  "a b"\n  "c"\n  )'),
        ("config set relay_domains ( d )", 'Relay_Domains = (\n  "d"\n  )'),
        ("counter list", "VALUE  RESET_TIME           SEMANTICS  COUNTER\n0 counters listed."),
        ("counter add /a 5", "5"),
        ("counter add /a x", "DELTA is a whole number, not `x`"),
        ("counter increment /b", "1"),
        ("counter reset /a", "/a reset"),
        ("counter unlink /a", "/a removed"),
        (
            "mailq",
            "Domain  Active  Delayed  Connections  Sent\n"
            "a.test       5        0            2     4\n"
            "b.test       1       20            1     3\n"
            "2 domains, 6 active, 20 delayed",
        ),
        (
            "delayed 5",
            "Domain  Active  Delayed  Connections  Sent\nb.test       1       20            1     3",
        ),
        ("domain zz.test", "zz.test: no mail"),
        (
            "domain B.test",
            "Domain  Active  Delayed  Connections  Sent  State\n"
            "b.test       1       20            1     3  suspended",
        ),
        (
            "showqueue binding fast a.test 5,10",
            "Id       From  To   Attempts  Next attempt\n00/00-1  s@x   r@y         2             9",
        ),
        ("flush domain all", "20 messages are due now"),
        ("fail domain a.test quiet", "21 messages failed"),
        ("message retry 00/00-1", "00/00-1 is due now"),
        ("message fail 9", "no message 9 in the queue"),
        ("reroute queue a.test b.test", "3 messages moved to b.test"),
        ("rebind binding fast", "policy chose the binding of 4 messages again"),
        ("greet moon", "hello moon"),
        ("greet", "policy.lua:3: whom?"),
        ('scriptlet eval "return 1 + 1"', "ran return 1 + 1"),
        ("scriptlet generations", "Generation  Current  Sessions\n         2  yes             1\npolicy abc123"),
        ("authz id", "user: ann\nroles: staff"),
        ("authz roles list", "no roles are configured"),
        ("nonsense", "nonsense: no such command; `help` lists them"),
        ('config get "x', "cannot read the command: No closing quotation"),
        ("config begin sometime", "usage: config begin [from scratch]"),
        ("config commit", "no transaction is open; `config begin` starts one"),
    ],
)  # fmt: skip
def test_commands(bench: Bench, line: str, text: str | None) -> None:
    reply = bench.say(line)
    if text is None:
        assert not reply.ok
    else:
        assert reply.text == text


def test_module_list(bench: Bench) -> None:
    assert "Module: opendkim:a\n\tScope_Name: opendkim\n\tInstance_Name: a\n\tEnabled: false" in (
        bench.say("module list").text
    )


def test_the_queue_hears_what_was_asked(bench: Bench) -> None:
    for line in (
        "showqueue a.test",
        "showqueue binding fast a.test 5,10",
        "flush domain all",
        "flush domain a.test",
        "fail domain a.test quiet",
        "fail domain a.test",
        "rebind binding fast a.test",
    ):
        assert bench.say(line).ok
    assert bench.queues.told == [
        ("messages", "a.test", None, 100, 0),
        ("messages", "a.test", "fast", 5, 10),
        ("flush", None),
        ("flush", "a.test"),
        ("fail", "a.test", True),
        ("fail", "a.test", False),
        ("rebind", "fast", "a.test"),
    ]


WOULD = {
    "config set": "config set retry_interval 9",
    "config unset": "config unset retry_interval",
    "config commit": None,
    "config reload": None,
    "config writeback": "config writeback /nowhere/x",
    "write config": "write config /nowhere/x",
    "flush domain": "flush domain all",
    "refresh domain": "refresh domain a.test",
    "fail domain": "fail domain a.test quiet",
    "message retry": "message retry 00/00-1",
    "message fail": "message fail 00/00-1",
    "reroute queue": "reroute queue a.test b.test",
    "rebind binding": "rebind binding fast",
    "adaptive override": "adaptive override --all",
    "adaptive reset": "adaptive reset --domain a.test",
    "adaptive warmup": "adaptive warmup fast 7",
    "trace smtp add": "trace smtp add * b.test /nowhere/x",
    "trace smtp remove": None,
    "counter add": "counter add /a 5",
    "counter increment": "counter increment /a",
    "counter reset": "counter reset /a",
    "counter unlink": "counter unlink /a",
    "reopen logs": "reopen logs",
    "shutdown": "shutdown",
}


def test_every_command_that_changes_something_has_a_dry_run() -> None:
    assert {" ".join(command.words) for command in COMMANDS if command.changes} == set(WOULD)


@pytest.mark.parametrize("line", [line for line in WOULD.values() if line])
@pytest.mark.parametrize("place", ["last", "first"])
def test_a_dry_run_does_nothing_and_says_what_it_would_do(
    bench: Bench, line: str, place: str
) -> None:
    before = bench.services.configuration.current
    words = line.split(" ")
    words.insert(len(line.split(" ", 2)[:2]) if place == "first" else len(words), "--dry-run")
    reply = bench.say(" ".join(words))
    assert reply.ok and not reply.end, reply
    assert re.search("would|Would", reply.text)
    assert bench.services.configuration.current is before
    assert set(bench.queues.told) <= {("dry",)} and bench.done == [] and bench.adaptive.told == []
    assert bench.say("counter list").text.endswith("\n0 counters listed.")
    assert not bench.say("mailq --dry-run").ok and not bench.say("greet moon --dry-run").ok


def test_a_dry_run_of_a_transaction_and_of_a_reload(bench: Bench, tmp_path: Any) -> None:
    bench.say("config begin")
    bench.say("config set retry_interval 7")
    reply = bench.say("config commit --dry-run")
    assert reply.text == "would put in force:\nconfig set retry_interval 7"
    assert bench.session.transaction is not None
    bench.say("config rollback")
    path = tmp_path / "a.conf"
    path.write_text("retry_interval = 6")
    assert "would be adopted" in bench.say(f"config reload {path} --dry-run").text
    path.write_text("retry_interval = never")
    assert "Reconfigure would fail." in bench.say(f"config reload {path} --dry-run").text
    assert bench.say("config get retry_interval").text == "Retry_Interval = 5"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("adaptive suspensions", "Binding  Domain  Kind        TTL  Enable  Reason\nfast     a.test  suspension   60       1  421 no"),
        ("adaptive override", "Overrode 1 entries"),
        ("adaptive override --domain A.TEST ttl 10", "Overrode 1 entries"),
        ("adaptive override ttl soon", "SECONDS is a whole number, not `soon`"),
        ("adaptive override --all --domain a.test", "--all goes without --binding and --domain"),
        ("adaptive override --domain", "usage: adaptive override [--binding B] [--domain D] | [--all] [enable | ttl SECONDS]"),
        ("adaptive list", "no option is tuned"),
        ("adaptive reset --binding fast", "Reset 1 entries"),
        ("adaptive rules --binding fast --domain a.test", "rules of fast a.test"),
        ("adaptive rules", "usage: adaptive rules --binding B --domain D"),
        ("adaptive warmup", "Binding  Age\nfast       9"),
        ("adaptive warmup fast", "the age of binding fast is 0 s"),
    ],
)  # fmt: skip
def test_adaptive_commands(bench: Bench, line: str, text: str) -> None:
    assert bench.say(line).text == text


def test_adaptive_delivery_hears_what_was_asked(bench: Bench) -> None:
    for line in (
        "adaptive override --domain a.test --binding fast enable",
        "adaptive override ttl 10",
        "adaptive reset --domain a.test --domain b.test",
        "adaptive warmup fast 30",
    ):
        assert bench.say(line).ok
    assert bench.adaptive.told == [
        ("override", (["fast"], ["a.test"]), True, None),
        ("override", ([], []), False, 10),
        ("reset", ([], ["a.test", "b.test"])),
        ("warmup", "fast", 30),
    ]


def test_paniclog_shows_ten_lines_of_each_level(bench: Bench) -> None:
    lines = bench.say("paniclog").text.split("\n")
    assert lines[0] == "error:"
    assert lines[1:] == [f"\tline {n}" for n in range(2, 12)]


def test_audit_windows_run_to_n_inclusive(bench: Bench) -> None:
    lines = bench.say("inbound_audit show ip 10.0.0.0/8").text.split("\n")
    assert lines[:3] == ["Connections 300/0: 0", "Connections 300/1: 1", "Connections 300/2: 2"]
    assert len(lines) == 9
    assert bench.say("inbound_audit:inbound_audit1 show ip 10.0.0.1").ok


def test_a_script_cannot_take_over_a_command(bench: Bench) -> None:
    assert bench.say("version").text == "moonpost version: 1.2.3"


def test_reload_changes_configuration_and_policy_together(bench: Bench, tmp_path: Any) -> None:
    path = tmp_path / "a.conf"
    path.write_text("retry_interval = 6")
    reply = bench.say(f"config reload {path}")
    assert (reply.ok, reply.text) == (True, "policy generation 3\nReconfigure complete.")
    assert bench.say("config get retry_interval").text == "Retry_Interval = 6"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("retry_interval = never", "Retry_Interval wants a number of seconds; this is `never`"),
        ("gateway = bad", "policy.lua:1: unexpected symbol near '?'"),
    ],
)
def test_a_refused_reload_changes_nothing(
    bench: Bench, tmp_path: Any, text: str, reason: str
) -> None:
    path = tmp_path / "a.conf"
    path.write_text(text)
    reply = bench.say(f"config reload {path}")
    assert not reply.ok
    assert reason in reply.text
    assert reply.text.endswith("Reconfigure failed.")
    assert bench.say("config get retry_interval").text == "Retry_Interval = 5"


def test_a_transaction_is_private_to_its_session(bench: Bench) -> None:
    other = bench.new_session()
    assert bench.say("config begin").text == "Transaction started"
    bench.say("config set retry_interval 7")
    assert bench.say("config get retry_interval").text == "Retry_Interval = 7"
    assert bench.say("config get retry_interval", other).text == "Retry_Interval = 5"
    assert bench.say("config replay").text == "config set retry_interval 7"
    assert not bench.say("config reload").ok
    assert bench.say("config commit").ok
    assert bench.say("config get retry_interval", other).text == "Retry_Interval = 7"


def test_rollback_forgets(bench: Bench) -> None:
    bench.say("config begin")
    bench.say("config set retry_interval 7")
    bench.say("config rollback")
    assert bench.say("config get retry_interval").text == "Retry_Interval = 5"


@pytest.mark.parametrize(("line", "done"), [("shutdown", "shutdown"), ("reopen logs", "reopen")])
def test_the_server_is_told(bench: Bench, line: str, done: str) -> None:
    reply = bench.say(line)
    assert reply.ok
    assert reply.end == (line == "shutdown")
    assert bench.done == [done]


def test_help_names_every_command(bench: Bench) -> None:
    text = bench.say("help").text
    for command in COMMANDS:
        assert " ".join(command.words) in text
    assert bench.say("counter help").text.startswith("counter list\n\tcounters of policy")
    assert bench.say("help config reload").text.startswith("config reload [PATH]")
    assert "config get" in bench.say("config nonsense").text


def test_commands_that_are_not_wired_say_so() -> None:
    config, _ = examine("/etc/a.conf", text="")
    services = Services(LiveConfiguration(config), "1")
    session = Session(services, Caller("ann"), Authorization())

    async def every() -> list[Reply]:
        return [await run(session, " ".join(command.words)) for command in COMMANDS]

    for reply in asyncio.run(every()):
        assert reply.status in ("ok", "failed")
    answer: Awaitable[Reply] = run(session, "mailq")
    assert asyncio.run(_await(answer)).text == "the queue is not available in this server"


async def _await(answer: Awaitable[Reply]) -> Reply:
    return await answer


def test_the_longest_row_is_found() -> None:
    found = find(["config", "get", "a"])
    assert found is not None and found[0].words == ("config", "get") and found[1] == ["a"]
    assert find(["configure"]) is None
