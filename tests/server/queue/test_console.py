"""What operators do to queues."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from moonpost.queue.console import QueueConsole
from moonpost.spool.record import QueueName, Record
from moonpost.testing.sink import Sink
from testkit.delivery import Line, line

Test = Callable[[Line, QueueConsole, Sink], Awaitable[None]]


def run(test: Test, tmp_path: Path, sink: Sink | None = None, **options: Any) -> None:
    async def main() -> None:
        async with sink or Sink() as host, line(tmp_path, host.port, **options) as made:
            await test(made, QueueConsole(made.manager), host)

    asyncio.run(main())


def busy() -> Sink:
    return Sink(answers={"MAIL": "450 busy"})


def test_flushed_mail_is_tried_at_once(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        await made.send("b@b.test", "c@b.test", "d@c.test")
        await made.events(3)
        await made.until(lambda: not any(queue.held for queue in made.manager.queues.values()))
        (row,) = [row for row in console.summary() if row["domain"] == "b.test"]
        assert (row["active"], row["delayed"], row["sent"]) == (0, 2, 0)
        del sink.answers["MAIL"]
        assert await console.flush("b.test") == 2
        await made.until(lambda: made.journal.kinds().count("D") == 2)
        assert await console.flush(None) == 1
        await made.until(lambda: made.spool.count() == 0)

    run(test, tmp_path, busy())


def test_a_queue_says_why_it_waits(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        await made.send("b@b.test", "c@c.test", "d@d.test")
        await made.events(1)  # that of d.test
        made.manager.pause(
            made.manager.queue(QueueName("default", "c.test")), made.manager.clock.now() + 90, "x"
        )
        states = {row["domain"]: row["state"] for row in console.summary()}
        assert states == {"b.test": "suspended", "c.test": "paused for 90 s", "d.test": ""}

    run(test, tmp_path, busy(), **{"b.test:suspend_delivery": True})


def test_a_dry_run_counts_and_changes_nothing(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        records = await made.send("b@b.test", "c@b.test", "d@c.test")
        await made.events(3)
        await made.until(lambda: not any(queue.held for queue in made.manager.queues.values()))
        before = [await made.spool.get(record.id) for record in records]
        first = records[0].id
        assert await console.flush("b.test", dry_run=True) == 2
        assert await console.fail("b.test", quiet=False, dry_run=True) == 2
        assert await console.reroute("b.test", "x.test", dry_run=True) == 2
        assert await console.rebind("default", None, dry_run=True) == 0  # nobody to ask
        assert await console.retry_message(first, dry_run=True)
        assert await console.fail_message(first, dry_run=True)
        assert not await console.fail_message("nothing", dry_run=True)
        assert [await made.spool.get(record.id) for record in records] == before
        assert made.journal.kinds() == "RRRTTT" and sink.connections == 2

    run(test, tmp_path, busy())


def test_messages_are_listed_in_the_order_they_will_be_tried(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        for n in range(7):
            await made.send(f"r{n}@b.test")
        rows = await console.messages("b.test", None, 3, 2)
        assert [row["recipient"] for row in rows] == ["r2@b.test", "r3@b.test", "r4@b.test"]
        assert await console.messages("b.test", "other", 3, 0) == []
        assert await console.messages("x.test", None, 3, 0) == []

    run(test, tmp_path, suspend_delivery=True)


def test_a_domain_is_failed_whole(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        await made.send(*(f"r{n}@b.test" for n in range(1200)))
        await made.send("x@c.test")
        assert await console.fail("b.test", quiet=True) == 1200
        await made.until(lambda: made.spool.count() == 1)
        assert set(made.journal.texts("P")) == {"554 5.7.0 [internal] Message manually purged"}
        queue = made.manager.queues[QueueName("default", "b.test")]
        await made.until(lambda: queue.total == 0)
        assert len(made.journal.texts("P")) == 1200

    run(test, tmp_path, suspend_delivery=True)


def test_one_message_is_retried_or_failed(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        one, two = await made.send("b@b.test", "c@b.test")
        await made.events(2)
        await made.until(lambda: not any(queue.held for queue in made.manager.queues.values()))
        del sink.answers["MAIL"]
        assert await console.retry_message(one.id)
        await made.until(lambda: "D" in made.journal.kinds())
        assert await console.fail_message(two.id)
        await made.until(lambda: "P" in made.journal.kinds())
        assert made.spool.count() == 0
        assert made.journal.texts("P") == ["554 manually failed"]
        assert not await console.retry_message(one.id) and not await console.fail_message(two.id)

    run(test, tmp_path, busy())


def test_mail_is_moved_to_another_domain(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        await made.send("b@b.test", "c@b.test")
        await made.events(2)
        made.options["relay.test:retry_interval"] = 1
        del sink.answers["MAIL"]
        assert await console.reroute("b.test", "relay.test") == 2
        assert made.manager.queues[QueueName("default", "b.test")].total == 0
        assert await console.flush("relay.test") == 2
        await made.until(lambda: made.spool.count() == 0)
        assert sink.received[0].recipients == ["b@b.test", "c@b.test"]

    run(test, tmp_path, busy())


def test_bindings_are_chosen_anew(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        async def rebind(record: Record, content: bytes) -> tuple[str, str]:
            return (
                ("bulk", "group") if record.recipient.startswith("b@") else ("default", "default")
            )

        await made.send("b@b.test", "c@b.test")
        await made.events(2)
        assert await QueueConsole(made.manager, rebind).rebind("default", None) == 2
        totals = {name: queue.total for name, queue in made.manager.queues.items()}
        assert totals == {QueueName("default", "b.test"): 1, QueueName("bulk", "b.test"): 1}
        assert {row["binding"] for row in console.bindings()} == {"default", "bulk"}

    run(test, tmp_path, busy())


def test_a_refresh_forgets_failed_hosts(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        sink.banner = "421 not yet"
        await made.send("b@b.test")
        await made.events(1)
        await made.send("c@b.test")
        assert made.manager.quarantine
        sink.banner = "220 now"
        assert await console.refresh("b.test") == 1
        await made.until(lambda: "D" in made.journal.kinds())

    run(test, tmp_path)


def test_policy_may_delay_a_domain_and_read_its_counters(tmp_path: Path) -> None:
    async def test(made: Line, console: QueueConsole, sink: Sink) -> None:
        await made.send("b@b.test", "c@b.test")
        made.manager.delay_domain("b.test", "451 4.4.1 [internal] manually delayed domain")
        assert await made.events(2) == "TT"
        await made.until(lambda: not any(queue.held for queue in made.manager.queues.values()))
        found = made.manager.domain_record("B.test.")
        assert found is not None
        assert (found.domain, found.attempts, found.transients, found.delayed) == (
            "b.test",
            2,
            2,
            2,
        )
        assert made.manager.domain_record("no domain") is None
        assert made.manager.failure_rate("default", "b.test", 3600) == 0

    run(test, tmp_path, suspend_delivery=True)
