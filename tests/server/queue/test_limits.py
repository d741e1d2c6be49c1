"""Limits that belong to receiving hosts and to scopes: shared by every queue that they hold for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moonpost.config.model import Config, examine
from moonpost.queue.hosts import Host
from moonpost.queue.limits import HostLimits
from moonpost.spool.record import QueueName
from moonpost.testing.sink import SILENCE, Sink
from testkit.delivery import Line, line

MX, MX2 = Host("mx.test", "192.0.2.1", 25), Host("mx.test", "192.0.2.2", 25)
OTHER = Host("other.test", "192.0.2.1", 25)


def config(text: str) -> Config:
    found, problems = examine("/etc/moonpost.conf", text=text)
    assert not [item for item in problems if item.severity == "error"], problems
    return found


def limits(text: str) -> HostLimits:
    return HostLimits(config(text).host_option)


def test_without_a_stanza_nothing_is_counted() -> None:
    made = limits("Max_Outbound_Connections = 1  Outbound_Throttle_Messages = 1\n")
    for _ in range(3):
        assert made.wait_s("default", MX, 0.0) == 0
        assert made.opening("default", MX, 0.0) == ()
        assert made.message_wait_s("default", MX, 0.0, 9, False) == 0


def test_connections_count_for_each_address_over_all_bindings() -> None:
    made = limits('Host "mx.test" { Max_Outbound_Connections = 1 }\nBinding "a" {}\n')
    held = made.opening("default", MX, 0.0)
    assert made.wait_s("a", MX, 0.0) > 0 and made.wait_s("a", MX2, 0.0) == 0
    assert made.wait_s("a", OTHER, 0.0) == 0, "the stanza names another host"
    made.closed(held)
    assert made.wait_s("a", MX, 0.0) == 0


def test_a_scope_limit_counts_all_addresses_together() -> None:
    made = limits('Host "/^mx/" { Scope_Max_Outbound_Connections = 2 }\n')
    first, second = made.opening("default", MX, 0.0), made.opening("default", MX2, 0.0)
    assert made.wait_s("default", MX, 0.0) > 0
    made.closed(first)
    assert made.wait_s("default", MX, 0.0) == 0
    made.closed(second)


def test_a_reload_does_not_forget_what_is_open() -> None:
    made = limits('Host "mx.test" { Max_Outbound_Connections = 1 }\n')
    held = made.opening("default", MX, 0.0)
    made.refresh()
    assert made.wait_s("default", MX, 0.0) > 0
    made.closed(held)
    assert made.wait_s("default", MX, 0.0) == 0


RATES = """
Binding_Group "g" {
  Binding "inner" { Host "mx.test" { Outbound_Throttle_Messages = "1/10" } }
  Binding "plain" {}
  Host "mx.test" { Outbound_Throttle_Messages = "2/10" }
}
Binding "alone" { Host "mx.test" { Outbound_Throttle_Messages = "3/10" } }
Host "mx.test" { Outbound_Throttle_Messages = "4/10" }
Host "/^mx-[ab]/" { Outbound_Throttle_Messages = "5/10" }
Host "192.0.2.9" { Outbound_Throttle_Messages = "6/10" }
Outbound_Throttle_Messages = "1/10"
"""


@pytest.mark.parametrize(
    ("binding", "host", "most"),
    [
        ("inner", MX, 1),
        ("plain", MX, 2),
        ("alone", MX, 3),
        ("default", MX, 4),
        ("default", Host("mx-b", "192.0.2.3", 25), 5),
        ("default", Host("nobody", "192.0.2.9", 25), 6),
        ("default", OTHER, 100),
    ],
)
def test_the_most_specific_stanza_holds_and_no_other_scope(
    binding: str, host: Host, most: int
) -> None:
    made = limits(RATES)
    sent = 0
    while sent < 100 and not made.message_wait_s(binding, host, 0.0, 1, False):
        sent += 1
    assert sent == most


def test_hosts_of_one_pattern_and_bindings_that_fall_back_share_a_bucket() -> None:
    made = limits(RATES)
    a, b = Host("mx-a", "192.0.2.3", 25), Host("mx-b", "192.0.2.4", 25)
    assert not any(made.message_wait_s(name, a, 0.0, 1, False) for name in ("default", "x", "y"))
    assert not any(made.message_wait_s("default", b, 0.0, 1, False) for _ in range(2))
    assert made.message_wait_s("z", b, 0.0, 1, False) == pytest.approx(2.0)
    assert made.wait_s("z", a, 2.0) == 0, "the bucket has refilled by one"


def test_the_first_message_of_a_connection_is_counted_and_goes() -> None:
    made = limits('Host "mx.test" { Outbound_Throttle_Messages = "1/10" }\n')
    assert made.message_wait_s("default", MX, 0.0, 1, True) == 0
    assert made.message_wait_s("default", MX, 0.0, 1, True) == 0
    assert made.wait_s("default", MX, 0.0) == pytest.approx(20.0)


def run(test: Any, tmp_path: Path, text: str, sinks: int = 1, **given: Any) -> None:
    """Domains with hosts of their own, all on loopback, and the stanzas of `text`."""
    found = config(text)

    async def main() -> None:
        hosts = [Sink() for _ in range(sinks)]
        for host in hosts:
            await host.__aenter__()
        options = {"routes": (), "dns": ZONE, **given}
        async with line(
            tmp_path, hosts[0].port, host_option=found.host_option, scope_of=found.delivery_scope,
            **options,
        ) as made:  # fmt: skip
            await test(made, *hosts)
        for host in hosts:
            await host.__aexit__(None, None, None)

    asyncio.run(main())


ZONE = {
    **{(f"{name}.test", "MX"): [(10, "mx.test")] for name in "abc"},
    ("mx.test", "A"): ["127.0.0.1"],
    ("two.test", "MX"): [(10, "mx.test"), (20, "backup.test")],
    ("backup.test", "A"): ["127.0.0.2"],
    ("big.test", "MX"): [(10, "mx.test")],
}


def test_domains_with_the_same_host_share_its_connections(tmp_path: Path) -> None:
    most = 0

    async def test(made: Line, sink: Sink) -> None:
        def seen(_: str) -> str:
            nonlocal most
            most = max(most, sink.open_connections)
            return "250 ok"

        sink.answers["MAIL"] = seen
        for n in range(12):
            await made.send(f"r{n}@{'abc'[n % 3]}.test")
        assert await made.events(12, 20) == "D" * 12

    run(
        test, tmp_path, 'Host "mx.test" { Max_Outbound_Connections = 2 }\n', idle_timeout=0.05,
        max_outbound_connections=10, connection_allocation_aggressiveness=1.0,
    )  # fmt: skip
    assert most == 2


def test_mail_goes_to_the_next_host_when_the_best_has_enough(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        sink.answers["MAIL"] = SILENCE
        await made.send("x@two.test")
        await made.until(lambda: "MAIL" in "".join(sink.commands))
        async with Sink(port=sink.port, address="127.0.0.2") as backup:
            await made.send("y@two.test")
            await made.send("z@two.test")
            assert await made.events(2) == "DD"
            assert len(backup.received) == 2 and sink.connections == 1

    run(
        test, tmp_path, 'Host "mx.test" { Max_Outbound_Connections = 1 }\n',
        connection_allocation_aggressiveness=1.0,
    )  # fmt: skip


def test_a_rate_is_kept_in_the_middle_of_a_connection(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        for n in range(3):
            await made.send(f"r{n}@a.test")
        assert await made.events(2) == "DD"
        queue = made.manager.queues[QueueName("default", "a.test")]
        await made.until(lambda: queue.paused_until > 0)
        assert made.journal.kinds().count("D") == 2 and len(queue.ready) == 1
        assert 1000 < queue.paused_until - made.manager.clock.now() <= 1800
        await made.until(lambda: sink.commands[-1] == "QUIT")

    run(
        test, tmp_path, 'Host "mx.test" { Outbound_Throttle_Messages = "2/3600" }\n',
        max_outbound_connections=1,
    )  # fmt: skip


def test_one_limit_holds_for_all_domains_of_a_pattern(tmp_path: Path) -> None:
    found = config('Domain "/^[ab][.]test$/" { Scope_Max_Outbound_Connections = 1 }\n')
    most = 0

    async def main() -> None:
        nonlocal most
        async with (
            Sink() as sink,
            line(
                tmp_path, sink.port, scope_of=found.delivery_scope, idle_timeout=0.05,
                scope_max_outbound_connections=1,
            ) as made,
        ):  # fmt: skip

            def seen(_: str) -> str:
                nonlocal most
                most = max(most, sink.open_connections)
                return "250 ok"

            sink.answers["MAIL"] = seen
            for n in range(4):
                await made.send(f"r{n}@{'ab'[n % 2]}.test")
            assert await made.events(4) == "DDDD"

    asyncio.run(main())
    assert most == 1


ROLLUP = 'Host "mx.test" { Rollup_MX = true  Rollup_MX_Name = "big.test" }\n'


def test_domains_that_share_hosts_queue_as_one(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        records = [(await made.send(f"r@{name}.test"))[0] for name in "abc"]
        assert await made.events(3) == "DDD"
        assert made.manager.queues[QueueName("default", "big.test")].counts.delivered == 3
        assert {record.recipient for record in records} == {f"r@{name}.test" for name in "abc"}
        assert sum(queue.total for queue in made.manager.queues.values()) == 0
        assert made.spool.count() == 0

    run(test, tmp_path, ROLLUP)


def test_stanzas_that_point_at_each_other_do_not_go_round_in_circles(tmp_path: Path) -> None:
    async def test(made: Line, sink: Sink) -> None:
        await made.send("r@a.test")
        await made.send("r@two.test")
        assert await made.events(2) == "DD"

    run(
        test, tmp_path,
        'Host "mx.test" { Rollup_MX = true  Rollup_MX_Name = "two.test" }\n'
        'Host "backup.test" { Rollup_MX = true  Rollup_MX_Name = "a.test" }\n',
    )  # fmt: skip


@pytest.mark.parametrize("target", ["127.0.0.1:{port}", "[127.0.0.1]:{port}"])
def test_a_static_route_takes_all_mail(target: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with Sink() as sink:
            where = target.format(port=sink.port)
            async with line(tmp_path, 1, static_route=lambda: where) as made:
                await made.send("b@b.test")
                await made.send("c@c.test")
                assert await made.events(2) == "DD"
                assert set(made.manager.queues) == {
                    QueueName("default", "b.test"), QueueName("default", "c.test"),
                }  # fmt: skip

    asyncio.run(main())


def test_a_static_route_that_is_none_holds_mail_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, 1, static_route=lambda: "nowhere") as made:
            await made.send("b@b.test")
            assert await made.events(1) == "T"
            assert "static_routes target 'nowhere'" in made.journal.texts("T")[0]

    asyncio.run(main())
