"""Options as a configuration gives them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from moonpost.config.model import Config, examine
from moonpost.queue.manager import QueueManager
from moonpost.queue.options import DEFAULTS, resolve
from moonpost.queue.schedule import RetryRules
from moonpost.spool.memory import MemorySpool
from moonpost.spool.record import QueueName
from msys.testing.fakes import FakeClock, FakeDns

TEXT = """
Retry_Interval = 600
Max_Retries = 3
Gateway = "relay.test"
Routes = ( "10.0.0.1" "smtp://10.0.0.2?port=2525" )
Prohibited_Hosts = ( "127.0.0.0/8" )
Outbound_Throttle_Messages = "60/3"
Send_8bitmime = ifavailable
Binding "bulk" {
  Outbound_Throttle_Messages = 5
  Domain "slow.test" { Suspend_Delivery = true  TLS = required  Max_Retries = none }
}
Domain "hole.test" { Blackhole = internal  Delivery_Method = lmtp }
"""


def configured() -> Config:
    config, problems = examine("/etc/moonpost.conf", text=TEXT)
    assert not [item for item in problems if item.severity == "error"], problems
    return config


def test_a_configuration_resolves_for_every_queue() -> None:
    option = configured().delivery_option
    for name in DEFAULTS:
        option(name, "default", "x.test")  # raises for an option the configuration does not know
    found = resolve(option, "default", "x.test")
    assert found.retry == RetryRules(600, 43200, 3, 86400, False, False)
    assert found.routes == ("10.0.0.1", "smtp://10.0.0.2?port=2525")
    assert found.prohibited_hosts == ("127.0.0.0/8",) and found.throttle_messages == (60, 3)
    assert found.announce_8bit and not found.suspended and found.blackhole == ""
    slow = resolve(option, "bulk", "slow.test")
    assert slow.suspended and slow.tls == "required" and slow.retry.max_retries == "none"
    hole = resolve(option, "default", "hole.test")
    assert hole.blackhole == "internal" and hole.protocol == "LMTP" and hole.port == 2003


def test_queues_that_share_a_scope_share_its_throttle() -> None:
    config = configured()

    async def main() -> None:
        manager = QueueManager(
            MemorySpool(), FakeDns(), FakeClock(), config.delivery_option, hostname="mta.test",
            scope_of=config.delivery_scope,
        )  # fmt: skip
        queues = [
            manager.queue(QueueName(binding, domain))
            for binding in ("default", "bulk")
            for domain in ("x.test", "y.test")
        ]
        for queue in queues:
            manager.options(queue)
        x, y, bulk_x, bulk_y = (queue.throttle_messages for queue in queues)
        assert x is y and x is not None and x.rate == (60, 3)
        assert bulk_x is bulk_y and bulk_x is not None and bulk_x.rate == (5, 1)
        manager.refresh()
        manager.options(queues[0])
        assert queues[0].throttle_messages is x

    asyncio.run(main())


def test_every_default_is_documented_once() -> None:
    rows = (
        (Path(__file__).parents[3] / "server/moonpost/config/options.tsv").read_text().splitlines()
    )
    known = {row.split("\t")[0].lower(): row.split("\t") for row in rows if "\t" in row}
    assert sorted(set(DEFAULTS) - set(known)) == []
