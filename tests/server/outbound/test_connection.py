"""Connections to a real socket, with a host that misbehaves on demand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.connection import Connection, ConnectionFailed, Target
from moonpost.outbound.letters import ConversationSettings, Letter
from moonpost.testing.sink import DROP, SILENCE, Sink
from testkit.certificates import self_signed

TIMEOUTS = {
    "connect_timeout": 5.0, "ehlo_timeout": 5.0, "mailfrom_timeout": 5.0, "rcptto_timeout": 5.0,
    "body_timeout": 5.0, "rset_timeout": 5.0, "idle_timeout": 5.0,
}  # fmt: skip
ONE = Letter("a@a.test", ("b@b.test",), b"Subject: x\r\n\r\n.dot\r\nend")


def run(test: Callable[[Sink], Awaitable[None]], **options: object) -> None:
    async def main() -> None:
        async with Sink(**options) as sink:  # type: ignore[arg-type]
            await test(sink)

    asyncio.run(main())


async def connect(
    sink: Sink, tls: str = "no", context: ssl.SSLContext | None = None, **timeouts: float
) -> Connection:
    settings = ConversationSettings("me.test", tls=tls)
    target = Target("sink.test", "127.0.0.1", sink.port)
    return await Connection.open(target, settings, TIMEOUTS | timeouts, context)


def test_several_letters_share_a_connection() -> None:
    async def test(sink: Sink) -> None:
        connection = await connect(sink)
        for _ in range(3):
            (outcome,) = await connection.send(ONE)
            assert outcome == Outcome(Fate.DELIVERED, 250, "250 2.0.0 kept", Stage.CONFIRMATION)
        assert connection.delivered == 3 and sink.connections == 1
        assert sink.received[0].content == b"Subject: x\r\n\r\n.dot\r\nend\r\n"
        connection.close()
        await asyncio.sleep(0.05)
        assert sink.commands[-1] == "QUIT" and sink.open_connections == 0

    run(test)


def test_a_letter_of_a_megabyte_arrives_whole() -> None:
    content = b"".join(b"%d .....\r\n.x\r\n" % n for n in range(70_000))

    async def test(sink: Sink) -> None:
        connection = await connect(sink)
        (outcome,) = await connection.send(Letter("", ("b@b.test",), content))
        assert outcome.fate is Fate.DELIVERED
        assert sink.received[0].content == content and sink.received[0].sender.startswith("<>")
        connection.abort()

    run(test)


@pytest.mark.parametrize(
    ("verb", "stage"),
    [("MAIL", Stage.AFTER_MAIL), ("RCPT", Stage.AFTER_RCPT), ("BODY", Stage.CONFIRMATION)],
)
def test_a_host_that_hangs_up_defers(verb: str, stage: Stage) -> None:
    async def test(sink: Sink) -> None:
        connection = await connect(sink)
        sink.answers[verb] = DROP
        (outcome,) = await connection.send(ONE)
        assert outcome.fate is Fate.DEFERRED and outcome.stage is stage
        assert not connection.usable
        (outcome,) = await connection.send(ONE)
        assert outcome.fate is Fate.DEFERRED

    run(test)


@pytest.mark.parametrize(
    ("verb", "option", "stage"),
    [
        ("MAIL", "mailfrom_timeout", Stage.AFTER_MAIL),
        ("RCPT", "rcptto_timeout", Stage.AFTER_RCPT),
        ("BODY", "body_timeout", Stage.CONFIRMATION),
    ],
)
def test_a_silent_host_is_given_up_in_time(verb: str, option: str, stage: Stage) -> None:
    async def test(sink: Sink) -> None:
        connection = await connect(sink, **{option: 0.1})
        sink.answers[verb] = SILENCE
        async with asyncio.timeout(2):
            (outcome,) = await connection.send(ONE)
        assert outcome.fate is Fate.DEFERRED and outcome.stage is stage
        assert "within 0.1 s" in outcome.text

    run(test, features=())


@pytest.mark.parametrize("banner", [SILENCE, DROP, "554 go away"])
def test_a_host_without_a_welcome_cannot_be_opened(banner: str) -> None:
    async def test(sink: Sink) -> None:
        with pytest.raises(ConnectionFailed) as failed:
            await connect(sink, ehlo_timeout=0.1)
        assert failed.value.outcome.stage is Stage.BANNER

    run(test, banner=banner)


def test_nobody_there_says_so() -> None:
    async def main() -> None:
        target = Target("x", "127.0.0.1", 1)
        with pytest.raises(ConnectionFailed) as failed:
            await Connection.open(target, ConversationSettings(), TIMEOUTS)
        outcome = failed.value.outcome
        assert outcome.stage is Stage.NOT_CONNECTED and outcome.fate is Fate.DEFERRED

    asyncio.run(main())


def test_an_idle_connection_is_closed_politely() -> None:
    async def test(sink: Sink) -> None:
        connection = await connect(sink, idle_timeout=0.05)
        await connection.send(ONE)
        await asyncio.sleep(0.2)
        assert not connection.usable and sink.commands[-1] == "QUIT"

    run(test)


def test_mail_goes_over_tls_when_the_host_offers_it(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(certificate))

    async def test(sink: Sink) -> None:
        connection = await connect(sink, "required", client)
        (outcome,) = await connection.send(ONE)
        assert outcome.fate is Fate.DELIVERED
        assert connection.tls_active and sink.received[0].tls
        connection.close()

    run(test, tls=server)


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)

    async def test(sink: Sink) -> None:
        with pytest.raises(ConnectionFailed) as failed:
            await connect(sink, "required")
        assert failed.value.outcome.stage is Stage.TLS_HANDSHAKE
        assert failed.value.outcome.code == 451

    run(test, tls=server)
