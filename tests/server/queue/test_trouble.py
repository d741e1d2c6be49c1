"""When hosts, this machine or we ourselves fail: mail waits, and says why."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.connection import Connection, ConnectionFailed
from moonpost.queue.keeper import Internal
from moonpost.spool.interface import Remove
from moonpost.spool.record import QueueName
from moonpost.testing.sink import Sink
from msys.message import Message
from testkit.certificates import self_signed
from testkit.delivery import Line, Onlooker, line

Test = Callable[[Line, Sink], Awaitable[None]]
B = QueueName("default", "b.test")


def run(test: Test, tmp_path: Path, sink: Sink | None = None, **options: Any) -> None:
    async def main() -> None:
        async with sink or Sink() as host, line(tmp_path, host.port, **options) as made:
            await test(made, host)

    asyncio.run(main())


def with_tls(tmp_path: Path) -> Sink:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    return Sink(tls=context)


@pytest.mark.parametrize(
    ("options", "kind", "tls"),
    [
        ({"tls": "ifavailable"}, "D", True),
        ({"tls": "ifavailable", "tls_verify": "ca"}, "D", False),
        ({"tls": "ifavailable", "tls_verify": "ca", "tls_ifavailable_fallback": False}, "T", None),
        ({"tls": "required", "tls_verify": "ca"}, "T", None),
        ({"tls": "required"}, "D", True),
    ],
    ids=["unverified", "falls back", "no fallback", "required", "required, unverified"],
)
def test_tls_is_used_as_the_options_say(
    options: dict[str, Any], kind: str, tls: bool | None, tmp_path: Path
) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        assert await made.events(1) == kind
        assert [one.tls for one in sink.received] == ([] if tls is None else [tls])

    run(test, tmp_path, with_tls(tmp_path), **options)


def test_tls_options_that_cannot_be_used_hold_mail_without_an_attempt(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        await made.until(lambda: made.manager.queues[B].paused_until > 0)
        assert made.journal.kinds() == "R" and sink.connections == 0
        made.options["tls_ca"] = ""
        made.manager.queues[B].paused_until = 0.0
        made.manager.refresh()
        assert await made.events(1) == "D"

    run(test, tmp_path, with_tls(tmp_path), tls="ifavailable", tls_ca="/nowhere.pem")


def opening(*failures: Exception) -> Any:
    """Connections that fail like this before they succeed."""
    left = list(failures)

    async def open_connection(*args: Any) -> Connection:
        if left:
            raise left.pop(0)
        return await Connection.open(*args)

    return open_connection


def test_a_machine_without_descriptors_blames_no_host(tmp_path: Path) -> None:
    outcome = Outcome(Fate.DEFERRED, 421, "421 too many open files", Stage.NOT_CONNECTED)

    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        queue = made.manager.queues[B]
        await made.until(lambda: queue.paused_until > 0)
        assert made.manager.quarantine == {} and made.journal.kinds() == "R"
        queue.paused_until = 0.0
        made.manager.refresh()
        assert await made.events(1) == "D"

    run(test, tmp_path, open_connection=opening(ConnectionFailed(outcome, ours=True)))


def test_a_fault_of_ours_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        queue = made.manager.queues[B]
        await made.until(lambda: queue.paused_until > 0)
        assert "internal error" in caplog.text
        queue.paused_until = 0.0
        made.manager.refresh()
        assert await made.events(1) == "D"

    run(test, tmp_path, open_connection=opening(ZeroDivisionError("ours")))


@pytest.mark.parametrize(
    "options",
    [{"mx_failures_to_delay": 1}, {"connect_timeout_to_delay": 0}],
    ids=["every host failed often enough", "nothing could be reached for long enough"],
)
def test_a_dead_domain_is_delayed_whole(options: dict[str, Any], tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send(*(f"r{n}@b.test" for n in range(5)))
        assert await made.events(5) == "TTTTT"
        assert set(made.journal.texts("T")) == {
            "421 4.4.0 [internal] no MXs for this domain could be reached at this time"
        }
        assert made.spool.count() == 5

    run(test, tmp_path, Sink(banner="554 no"), max_recipients_per_batch=1, **options)


def test_a_host_that_wants_no_more_connections_gets_mail_over_those_it_has(tmp_path: Path) -> None:
    refused = Outcome(Fate.DEFERRED, 421, "421 too many connections", Stage.BANNER)
    opened = 0

    async def open_connection(*args: Any) -> Connection:
        nonlocal opened
        opened += 1
        if opened > 1:
            raise ConnectionFailed(refused)
        return await Connection.open(*args)

    async def test(made: Line, sink: Sink) -> None:
        await asyncio.gather(*(made.send(f"r{n}@b.test") for n in range(40)))
        assert await made.events(40) == "D" * 40
        assert sink.connections == 1 and opened > 1

    run(test, tmp_path, open_connection=open_connection)


def test_a_name_that_cannot_be_looked_up_is_not_asked_for_again_and_again(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send(*(f"r{n}@b.test" for n in range(1100)))
        await made.until(lambda: made.journal.kinds().count("T") == 1000)
        await asyncio.sleep(0.05)
        assert made.manager.router.failures("b.test") == 1
        assert made.journal.kinds().count("T") == 1000

    run(test, tmp_path, routes=())


def test_logs_and_hooks_that_fail_do_not_hold_mail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Onlooker):
        async def before_requeue(self, *_: Any) -> None:
            raise ZeroDivisionError

        async def logged(self, *_: Any) -> None:
            raise ZeroDivisionError

    answers = iter(["450 once"])
    sink = Sink(answers={"MAIL": lambda _: next(answers, "250 ok")})

    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        assert await made.events(2) == "TD"
        await made.until(lambda: made.manager.queues[B].total == 0)
        assert caplog.text.count("internal error") == 3

    run(test, tmp_path, sink, hooks=Broken(), retry_interval=0.02)


def test_mail_that_policy_moves_to_an_impossible_queue_stays(tmp_path: Path) -> None:
    class Mover(Onlooker):
        async def before_requeue(self, record: Any, *_: Any) -> None:
            record.domain = "d" * 300

    async def test(made: Line, sink: Sink) -> None:
        (record,) = await made.send("b@b.test")
        assert await made.events(1) == "T"
        kept = await made.spool.get(record.id)
        assert kept is not None and kept.domain == "b.test"

    run(test, tmp_path, Sink(answers={"MAIL": "450 no"}), hooks=Mover())


def test_overdue_mail_may_be_left_untried(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        message = Message(content=b"\r\n", mailfrom="a@a.test", rcptto="b@b.test")
        await made.keeper.keep([message], Internal(made.manager.clock.now() - 90_000))
        assert await made.events(1) == "P"
        assert made.journal.texts("P") == [
            "554 5.4.5 [internal] Delivery not attempted (message expired)"
        ]
        assert sink.connections == 0

    run(test, tmp_path, never_attempt_expired_messages=True)


def test_mail_that_somebody_removed_is_let_go_of(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        (record,) = await made.send("b@b.test")
        await made.spool.commit([Remove(record.id)])
        made.options["suspend_delivery"] = False
        made.manager.refresh()
        await made.until(lambda: made.manager.queues[B].total == 0)
        assert sink.connections == 0 and made.journal.kinds() == "R"

    run(test, tmp_path, suspend_delivery=True, max_resident_active_queue=0)


def test_urgent_mail_goes_first(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        for name, priority in (("slow", 0), ("urgent", 1)):
            message = Message(content=b"\r\n", mailfrom="a@a.test", rcptto=f"{name}@b.test")
            message.priority = priority
            await made.keeper.keep([message], Internal(made.manager.clock.now()))
        made.options["suspend_delivery"] = False
        made.manager.refresh()
        await made.events(2)
        assert [one.recipients[0] for one in sink.received] == ["urgent@b.test", "slow@b.test"]

    run(test, tmp_path, suspend_delivery=True, max_outbound_connections=1)


def test_a_server_short_of_connections_serves_every_queue_in_turn(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        for n in range(3):
            await made.send(f"b@b{n}.test")
        assert await made.events(3) == "DDD"

    run(test, tmp_path, most_connections=1, idle_timeout=0.05)


def test_a_connection_carries_no_more_than_it_may(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        for n in range(6):
            await made.send(f"r{n}@b.test")
        await made.events(6)
        used = [one.connection for one in sink.received]
        assert max(map(used.count, used)) == 2

    run(test, tmp_path, max_deliveries_per_connection=2, max_outbound_connections=1)
