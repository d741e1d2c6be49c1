"""What sessions tell the logs, the counters and the book of sessions."""

from __future__ import annotations

import asyncio

from testkit.smtp_server import receiving


async def say(port: int, data: bytes) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    replies = (await asyncio.wait_for(reader.read(), 5)).splitlines()
    writer.close()
    return replies


MAIL = b"EHLO client.test\r\nMAIL FROM:<ann@client.test>\r\nRCPT TO:<bob@example.test>\r\n"


def test_a_failing_module_leaves_two_lines_and_is_counted() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            here.generation.on("validate_rcptto", lambda *_: 1 / 0)
            replies = await say(here.port, MAIL)
            assert replies[-1] == b"421 mx.test temporary issue, please retry your message later"
            assert here.kept.panics == [
                "scriptlet-1: validate_rcptto error: division by zero",
                "scriptlet-1: module error: division by zero",
            ]
            assert here.service.tally.policy_failures == 1
            (refusal,) = here.kept.refusals
            assert (refusal.phase, refusal.module) == ("awaiting rcptto", "scriptlet")
            assert refusal.decided_by == "policy.lua:1"

    asyncio.run(scenario())


def test_a_refusal_tells_the_reject_log_everything_its_line_shows() -> None:
    async def scenario() -> None:
        async with receiving(pathway="outside", pathway_group="all") as here:
            here.generation.on(
                "validate_rcptto",
                lambda msg, text, accept, vctx: vctx.set_code(550, "5.7.1 not here"),
            )
            await say(here.port, MAIL)
            (refusal,) = here.kept.refusals
            assert here.kept.notes == ["550 5.7.1 not here"]
            assert refusal.remote.startswith("127.0.0.1:")
            assert refusal.local == f"127.0.0.1:{here.port}"
            assert (refusal.phase, refusal.module) == ("awaiting rcptto", "scriptlet")
            assert (refusal.pathway, refusal.pathway_group) == ("outside", "all")
            assert refusal.conn["ehlo_domain"] == "client.test"
            assert refusal.mess["rcptto_localpart"] == "bob"
            assert refusal.decided_by.startswith(__file__)
            assert here.service.tally.rejections == 1

    asyncio.run(scenario())


def test_counters_and_receptions() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            await say(here.port, MAIL + b"DATA\r\nx\r\n.\r\nQUIT\r\n")
            tally = here.service.tally
            assert (tally.connections, tally.messages, tally.rejections) == (1, 1, 0)
            (reception,) = here.kept.receptions
            (message,) = here.kept.messages
            assert reception.conn_id == message.conn_id.text
            assert reception.remote.startswith("127.0.0.1:")
            assert reception.protocol == "ESMTP"
            assert reception.generation == 1

    asyncio.run(scenario())


def test_a_refusal_of_ours_is_not_blamed_on_policy() -> None:
    async def scenario() -> None:
        async with receiving(open_relay=False) as here:
            await say(here.port, MAIL)
            (refusal,) = here.kept.refusals
            assert (refusal.module, refusal.decided_by) == ("relay", "")

    asyncio.run(scenario())
