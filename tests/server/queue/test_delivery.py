"""From acceptance to the receiving host, over real sockets and a real spool."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from moonpost.queue.keeper import Internal
from moonpost.spool.record import QueueName
from moonpost.testing.sink import DROP, Sink
from msys.message import Message
from testkit.delivery import Line, line

Test = Callable[[Line, Sink], Awaitable[None]]
B = QueueName("default", "b.test")


def run(test: Test, tmp_path: Path, sink: Sink | None = None, **options: Any) -> None:
    async def main() -> None:
        async with sink or Sink() as host, line(tmp_path, host.port, **options) as made:
            await test(made, host)

    asyncio.run(main())


def test_accepted_mail_arrives_and_leaves_the_spool(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        (received,) = await sink.wait_for(1)
        assert received.sender.startswith("<a@a.test>") and received.recipients == ["b@b.test"]
        assert received.content == b"Subject: x\r\n\r\nhi\r\n"
        assert await made.events(1) == "D"
        assert made.spool.count() == 0 and made.manager.queues[B].total == 0
        assert made.journal.kinds() == "RD"
        assert made.journal.attempts[0].remote == "127.0.0.1"

    run(test, tmp_path)


def test_recipients_of_a_domain_share_a_transaction(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test", "c@b.test", "d@other.test", "e@b.test")
        assert await made.events(4) == "DDDD"
        sets = sorted(sorted(received.recipients) for received in sink.received)
        assert sets == [["b@b.test", "c@b.test", "e@b.test"], ["d@other.test"]]

    run(test, tmp_path)


def test_a_batch_is_no_larger_than_allowed(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send(*(f"r{n}@b.test" for n in range(7)))
        await made.events(7)
        assert sorted(len(received.recipients) for received in sink.received) == [1, 3, 3]

    run(test, tmp_path, max_recipients_per_batch=3)


def test_a_copy_that_policy_changed_goes_by_itself(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        message = Message(content=b"A: 1\r\n\r\nbody\r\n", mailfrom="a@a.test", rcptto="b@b.test")
        copies = [message.copy_for(f"{name}@b.test") for name in "bcd"]
        copies[1].header("X-Own", "c")
        await made.keeper.keep(copies, Internal(0.0))
        assert (await made.spool.get(copies[0].id.text)).body == (  # type: ignore[union-attr]
            await made.spool.get(copies[1].id.text)
        ).body  # type: ignore[union-attr]
        assert await made.events(3) == "DDD"
        contents = {tuple(one.recipients): one.content for one in sink.received}
        assert b"X-Own: c" in contents[("c@b.test",)]
        assert all(content.endswith(b"\r\n\r\nbody\r\n") for content in contents.values())

    run(test, tmp_path, suspend_delivery=False)


def test_many_messages_use_few_connections(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await asyncio.gather(*(made.send(f"r{n}@b.test") for n in range(300)))
        assert await made.events(300) == "D" * 300
        assert sink.connections <= 5
        assert len({tuple(one.recipients) for one in sink.received}) == 300

    run(test, tmp_path, max_outbound_connections=4)


def test_each_recipient_has_its_own_fate(tmp_path: Path) -> None:
    sink = Sink(answers={"RCPT TO:<c@b.test>": "550 5.1.1 who?", "RCPT TO:<d@b.test>": "450 wait"})

    async def test(made: Line, sink: Sink) -> None:
        records = await made.send("b@b.test", "c@b.test", "d@b.test")
        assert sorted(await made.events(3)) == ["D", "P", "T"]
        kept = await made.spool.get(records[2].id)
        assert kept is not None and kept.attempts == 1 and kept.note == "450 wait"
        assert made.spool.count() == 1
        assert kept.next_attempt_at == pytest.approx(made.manager.clock.now() + 1200, abs=60)

    run(test, tmp_path, sink)


def test_a_deferred_message_is_tried_again_until_it_is_taken(tmp_path: Path) -> None:
    answers = iter(["450 no", "451 not yet"])
    sink = Sink(answers={"MAIL": lambda _: next(answers, "250 ok")})

    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        assert await made.events(3) == "TTD"
        assert made.spool.count() == 0

    run(test, tmp_path, sink, retry_interval=0.1, max_retry_interval=0.1)


def test_a_message_is_given_up_in_time(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        assert await made.events(4) == "TTTP"
        assert made.journal.texts("P") == [
            "554 5.4.7 [internal] exceeded max retries without delivery"
        ]
        assert made.spool.count() == 0

    run(
        test, tmp_path, Sink(answers={"MAIL": "450 never"}), retry_interval=0.05, max_retries=2,
        max_retry_interval=0.05,
    )  # fmt: skip


def test_a_host_that_takes_fewer_recipients_gets_the_rest_at_once(tmp_path: Path) -> None:
    sink = Sink()
    sink.answers["RCPT"] = lambda _: (
        "250 ok" if sink.commands[-3:].count(sink.commands[-1]) and _since_mail(sink) <= 2
        else "452 4.5.3 too many recipients"
    )  # fmt: skip

    async def test(made: Line, sink: Sink) -> None:
        await made.send(*(f"r{n}@b.test" for n in range(7)))
        assert await made.events(7) == "D" * 7
        assert max(len(one.recipients) for one in sink.received) == 2

    run(test, tmp_path, sink)


def _since_mail(sink: Sink) -> int:
    count = 0
    for command in reversed(sink.commands):
        if command.startswith("MAIL"):
            break
        count += command.startswith("RCPT")
    return count


def test_the_next_host_is_tried_when_one_is_down(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        made.options["routes"] = [f"smtp://127.0.0.1?port={port}" for port in (1, sink.port)]
        made.manager.refresh()
        await made.send("b@b.test")
        assert await made.events(1) == "D"
        assert ("127.0.0.1", 1) in made.manager.quarantine

    run(test, tmp_path)


def test_when_every_host_is_down_mail_waits_and_then_goes(tmp_path: Path) -> None:
    async def main() -> None:
        async with Sink() as probe:
            port = probe.port
        async with line(
            tmp_path, port, host_failure_retry=0.1, retry_interval=0.1, max_retry_interval=0.2
        ) as made:
            await made.send("b@b.test")
            await made.until(lambda: "T" in made.journal.kinds())
            async with Sink(port=port) as sink:
                await sink.wait_for(1)
                await made.until(lambda: "D" in made.journal.kinds())
            assert "[internal]" in made.journal.texts("T")[0]

    asyncio.run(main())


def test_an_idle_connection_that_died_costs_no_attempt(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        await made.events(1)
        seen = len(sink.commands)
        sink.answers["MAIL"] = lambda _: DROP if len(sink.commands) == seen + 1 else "250 ok"
        await made.send("c@b.test")
        assert await made.events(2) == "DD"
        assert sink.connections == 2

    run(test, tmp_path)


def test_no_host_is_a_verdict_on_everything_in_the_queue(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@null.test", "c@null.test")
        assert await made.events(2) == "PP"
        assert made.journal.texts("P")[0].startswith("550 5.4.4 [internal] NULL MX")

    run(test, tmp_path, routes=(), dns={("null.test", "MX"): [(0, ".")]})


def test_a_suspended_queue_waits_for_the_configuration(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        await asyncio.sleep(0.1)
        assert made.journal.kinds() == "R" and sink.connections == 0
        made.options["suspend_delivery"] = False
        made.manager.refresh()
        assert await made.events(1) == "D"

    run(test, tmp_path, suspend_delivery=True)


def test_a_blackhole_fails_without_a_word_to_anybody(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test")
        assert await made.events(1) == "P"
        assert made.journal.texts("P") == ["554 5.7.0 [internal] Blackholed"]
        assert sink.connections == 0

    run(test, tmp_path, blackhole="internal")


def test_a_gateway_takes_the_mail_of_every_domain(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test", "c@c.test")
        await made.events(2)
        assert set(made.manager.queues) == {QueueName("default", "127.0.0.1")}
        assert sink.received[0].recipients == ["b@b.test", "c@c.test"]

    run(test, tmp_path, gateway="127.0.0.1", routes=())


def test_a_throttle_spreads_messages(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        start = asyncio.get_running_loop().time()
        for n in range(4):
            await made.send(f"r{n}@b.test")
        await made.events(4)
        assert asyncio.get_running_loop().time() - start >= 0.25

    run(test, tmp_path, outbound_throttle_messages="1/0.1")


def test_lmtp_speaks_lhlo(tmp_path: Path) -> None:
    sink = Sink(answers={"BODY c@b.test": "550 5.1.1 no mailbox"})

    async def test(made: Line, sink: Sink) -> None:
        await made.send("b@b.test", "c@b.test")
        assert sorted(await made.events(2)) == ["D", "P"]
        assert sink.commands[0] == "LHLO mta.test"

    async def main() -> None:
        async with sink, line(tmp_path, 1, delivery_method="LMTP", lmtp_port=sink.port) as made:
            await test(made, sink)

    asyncio.run(main())


def test_memory_does_not_grow_with_the_backlog(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        for start in range(0, 3000, 250):
            await made.send(*(f"r{n}@b.test" for n in range(start, start + 250)))
        queue = made.manager.queues[B]
        assert queue.total == 3000 and len(queue.held) <= 1000
        assert queue.delayed == 3000 - len(queue.held)
        made.options["suspend_delivery"] = False
        made.manager.refresh()
        assert await made.events(3000, 30) == "D" * 3000
        assert sum(len(one.recipients) for one in sink.received) == 3000
        assert len({name for one in sink.received for name in one.recipients}) == 3000
        assert made.manager._fresh_bytes == 0

    run(test, tmp_path, suspend_delivery=True)


def test_a_stop_abandons_cleanly_and_the_next_start_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with Sink(answers={"BODY": lambda _: "250 ok"}) as sink:
            sink.answers["DATA"] = "silence"
            async with line(tmp_path, sink.port) as made:
                await made.send("b@b.test")
                await made.until(lambda: "DATA" in sink.commands)
            assert made.journal.kinds() == "R"
            del sink.answers["DATA"]
            async with line(tmp_path, sink.port) as made:
                assert await made.events(1) == "D"
            assert len(sink.received) == 1

    asyncio.run(main())
