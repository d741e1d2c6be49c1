"""How sessions begin and end: limits, timeouts, lost connections, stopping, failing spools."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from moonpost.inbound import listener as listener_module
from moonpost.inbound.session import MAX_WAITING
from moonpost.inbound.settings import Cap, ListenSettings, PeerSettings
from moonpost.spool.interface import SpoolError, SpoolFull
from testkit.smtp_server import Receiver, receiving

ENVELOPE = b"MAIL FROM:<ann@client.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"


class Peer:
    """A client that says exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def line(self) -> str:
        return (await asyncio.wait_for(self.reader.readline(), 5)).decode()

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 5)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def connect(here: Receiver) -> Peer:
    return Peer(*await asyncio.open_connection("127.0.0.1", here.port))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never happened")


def run(scenario: Callable[..., Awaitable[None]], *args: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario(*args), 20))  # type: ignore[arg-type]


def test_a_silent_peer_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "SWEEP_S", 0.02)

    async def scenario() -> None:
        async with receiving(ListenSettings(peer=PeerSettings(idle_time_s=0.1))) as here:
            peer = await connect(here)
            await peer.line()
            assert await peer.line() == "421 4.4.2 mx.test timeout, closing connection\r\n"
            assert await peer.rest() == b""
            assert here.service.tally.timeouts == 1

    run(scenario)


def test_a_peer_silent_within_content_or_auth_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "SWEEP_S", 0.02)

    async def scenario() -> None:
        options: dict[str, Any] = {"auth_mechanisms": ("PLAIN",)}
        async with receiving(ListenSettings(peer=PeerSettings(idle_time_s=0.1)), **options) as here:
            peer = await connect(here)
            peer.say(ENVELOPE + b"half a li")
            assert b"421 4.4.2" in await peer.rest()
            peer = await connect(here)
            peer.say(b"EHLO x\r\nAUTH PLAIN\r\n")
            with pytest.raises(ConnectionError):
                assert b"421" not in await peer.rest()
                raise ConnectionError
            await until(lambda: not here.service.sessions)
            assert here.generation.users == 0

    run(scenario)


def test_policy_that_works_is_not_a_silent_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "SWEEP_S", 0.02)

    async def scenario() -> None:
        async with receiving(ListenSettings(peer=PeerSettings(idle_time_s=0.1))) as here:
            here.generation.on("validate_mailfrom", lambda *_: asyncio.sleep(0.3, 0))
            peer = await connect(here)
            await peer.line()
            peer.say(b"MAIL FROM:<ann@client.test>\r\n")
            assert (await peer.line()).startswith("250 ")

    run(scenario)


def test_who_talks_before_the_banner_is_noted() -> None:
    async def scenario() -> None:
        async with receiving(banner_delay_s=5.0) as here:
            seen = []
            here.generation.on(
                "validate_connect",
                lambda accept, vctx: seen.append(vctx.conn.get("early_talker")),
            )
            peer = await connect(here)
            peer.say(b"EHLO x\r\n")
            assert (await peer.line()).startswith("220 ")
            assert seen == ["yes"]
            assert (await peer.line()).startswith("250-")

    run(scenario)


def test_who_waits_for_the_banner_is_not_noted() -> None:
    async def scenario() -> None:
        async with receiving(banner_delay_s=0.05) as here:
            seen = []
            here.generation.on(
                "validate_connect",
                lambda accept, vctx: seen.append(vctx.conn.get("early_talker")),
            )
            peer = await connect(here)
            assert (await peer.line()).startswith("220 ")
            assert seen == [None]

    run(scenario)


@pytest.mark.parametrize(
    "settings",
    [
        ListenSettings(listener_sessions=1),
        ListenSettings(service_sessions=1),
        ListenSettings(peer=PeerSettings(caps=(Cap("127.0.0.0/8", 1),))),
        ListenSettings(peer=PeerSettings(caps=(Cap("127.0.0.0/8", 1, everywhere=True),))),
    ],
)
def test_sessions_are_limited(settings: ListenSettings) -> None:
    async def scenario() -> None:
        async with receiving(settings) as here:
            first = await connect(here)
            assert (await first.line()).startswith("220 ")
            second = await connect(here)
            text = "421 4.4.5 Service unavailable, concurrency limit reached.\r\n"
            assert await second.line() == text
            assert await second.rest() == b""
            first.say(b"QUIT\r\n")
            await first.rest()
            await until(lambda: here.service.tally.open == 0)
            third = await connect(here)
            assert (await third.line()).startswith("220 ")
            assert here.service.book.count("127.0.0.1", "SMTP") == 1

    run(scenario)


@pytest.mark.parametrize("error", [SpoolFull("disk full"), SpoolError("disk gone")])
def test_a_failing_spool_is_never_a_250(error: SpoolError) -> None:
    async def scenario() -> None:
        async with receiving() as here:
            here.kept.fail_with = error
            here.generation.on("core_log_reception_v1", lambda *_: None)
            peer = await connect(here)
            peer.say(ENVELOPE + b"x\r\n.\r\n")
            replies = [await peer.line() for _ in range(5)]
            full = isinstance(error, SpoolFull)
            assert replies[-1].startswith("452 4.3.1" if full else "451 4.3.0")
            assert "core_log_reception_v1" not in here.generation.ran
            assert str(error) in here.kept.panics[0]
            here.kept.fail_with = None
            peer.say(ENVELOPE + b"x\r\n.\r\n")
            assert [(await peer.line())[:3] for _ in range(4)][-1] == "250"

    run(scenario)


def test_an_error_of_our_own_is_a_421_and_never_an_accepted_message() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            here.kept.fail_with = ZeroDivisionError("ours")
            peer = await connect(here)
            peer.say(ENVELOPE + b"x\r\n.\r\n")
            last = (await peer.rest()).splitlines()[-1]
            assert last == b"421 mx.test temporary issue, please retry your message later"
            assert "internal error in session" in here.kept.panics[0]
            await until(lambda: here.generation.users == 0)

    run(scenario)


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"EHLO x\r\n",
        b"MAIL FROM:<ann@client.test>\r\n",
        ENVELOPE,
        ENVELOPE + b"half",
        b"BDAT 9\r\n1",
    ],
)
def test_a_lost_connection_leaves_nothing_behind(said: bytes, end: str) -> None:
    async def scenario() -> None:
        async with receiving() as here:
            for callout in ("validate_mailfrom", "validate_ehlo"):
                here.generation.on(callout, lambda *_: 0)
            here.generation.on("validate_dealloc", lambda *_: None)
            peer = await connect(here)
            await peer.line()
            peer.say(said)
            await asyncio.sleep(0.02)
            peer.reset() if end == "reset" else peer.writer.close()
            await until(lambda: not here.service.sessions and here.generation.users == 0)
            assert here.kept.messages == []
            asked = (
                "validate_mailfrom" in here.generation.ran or "validate_ehlo" in here.generation.ran
            )
            assert here.generation.ran.count("validate_dealloc") == int(asked)
            assert here.kept.panics == []

    run(scenario)


def test_a_connection_lost_while_policy_waits_cancels_it() -> None:
    async def scenario() -> None:
        cancelled = []

        async def slow() -> int:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
            return 0

        async with receiving() as here:
            here.generation.on("validate_data", lambda *_: slow())
            peer = await connect(here)
            peer.say(ENVELOPE + b"x\r\n.\r\n")
            await until(lambda: "validate_data" in here.generation.ran)
            peer.reset()
            await until(lambda: here.generation.users == 0)
            assert cancelled == [True]
            assert here.kept.messages == []

    run(scenario)


def test_a_peer_that_half_closes_still_gets_its_answers() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            here.generation.on("validate_data", lambda *_: asyncio.sleep(0.1, 0))
            peer = await connect(here)
            peer.say(ENVELOPE + b"x\r\n.\r\nQUIT\r\n")
            peer.writer.write_eof()
            replies = (await peer.rest()).splitlines()
            assert [reply[:3] for reply in replies] == [
                b"220", b"250", b"250", b"354", b"250", b"221",
            ]  # fmt: skip
            assert len(here.kept.messages) == 1
            await until(lambda: not here.service.sessions)

    run(scenario)


def test_work_of_policy_that_somebody_cancelled_is_a_421() -> None:
    async def scenario() -> None:
        async with receiving() as here:

            async def cancelled() -> int:
                raise asyncio.CancelledError

            here.generation.on("validate_data", lambda *_: cancelled())
            peer = await connect(here)
            peer.say(ENVELOPE + b"x\r\n.\r\n")
            assert (await peer.rest()).splitlines()[-1].startswith(b"421 mx.test temporary issue")
            await until(lambda: here.generation.users == 0)
            assert here.kept.messages == []

    run(scenario)


def test_a_connection_lost_while_the_spool_works_lets_it_finish() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            may_end = asyncio.Event()
            keep = here.kept.keep

            async def slow(messages: Any, reception: Any) -> None:
                await may_end.wait()
                await keep(messages, reception)

            here.service.keeper = type("Slow", (), {"keep": staticmethod(slow)})()
            here.generation.on("core_log_reception_v1", lambda *_: None)
            peer = await connect(here)
            peer.say(ENVELOPE + b"x\r\n.\r\n")
            await until(lambda: any(s._must_finish for s in here.service.sessions))
            peer.reset()
            await until(lambda: not here.service.sessions)
            assert here.generation.users == 1
            may_end.set()
            await until(lambda: here.generation.users == 0)
            assert len(here.kept.messages) == 1
            assert "core_log_reception_v1" in here.generation.ran

    run(scenario)


def test_stopping_says_421_to_idle_sessions_and_finishes_final_dots() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            here.generation.on("validate_data_spool", lambda *_: asyncio.sleep(0.1, 0))
            idle, busy = await connect(here), await connect(here)
            await idle.line()
            busy.say(ENVELOPE + b"x\r\n.\r\n")
            await until(lambda: "validate_data_spool" in here.generation.ran)
            stopping = asyncio.create_task(here.listener.stop())
            assert await idle.rest() == b"421 4.4.2 mx.test service shutting down\r\n"
            replies = (await busy.rest()).splitlines()
            assert replies[-2].startswith(b"250 2.0.0 OK")
            assert replies[-1] == b"421 4.4.2 mx.test service shutting down"
            await stopping
            assert len(here.kept.messages) == 1

    run(scenario)


def test_a_stop_does_not_wait_for_ever() -> None:
    async def scenario() -> None:
        async with receiving(ListenSettings(stop_grace_s=0.1)) as here:
            here.generation.on("validate_data", lambda *_: asyncio.sleep(30, 0))
            peer = await connect(here)
            peer.say(ENVELOPE + b"x\r\n.\r\n")
            await until(lambda: "validate_data" in here.generation.ran)
            await here.listener.stop()
            assert here.kept.messages == []
            assert here.generation.users == 0

    run(scenario)


def test_a_peer_that_sends_without_listening_is_slowed_down() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            here.generation.on("validate_mailfrom", lambda *_: asyncio.sleep(0.2, 0))
            peer = await connect(here)
            await peer.line()
            peer.say(b"MAIL FROM:<ann@client.test>\r\n" + b"NOOP\r\n" * 100_000)
            await until(lambda: "validate_mailfrom" in here.generation.ran)
            await asyncio.sleep(0.05)
            (session,) = here.service.sessions
            # What one read of the socket brings comes on top.
            assert len(session.intake) <= MAX_WAITING + 300_000
            assert (await peer.line()).startswith("250 2.1.0")
            for _ in range(100_000):
                assert await peer.line() == "250 2.0.0 ok\r\n"

    run(scenario)


def test_a_unix_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "smtp.sock"
        async with receiving(ListenSettings(unix_path=str(path))) as here:
            peer = Peer(*await asyncio.open_unix_connection(str(path)))
            assert (await peer.line()).startswith("220 ")
            assert path.stat().st_mode & 0o777 == 0o660
            peer.say(ENVELOPE + b"x\r\n.\r\nQUIT\r\n")
            await peer.rest()
            assert len(here.kept.messages) == 1
            assert here.kept.receptions[0].remote == ""
        assert not path.exists()

    run(scenario)
