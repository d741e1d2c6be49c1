"""Hosts that do what no host should: the right verdict in time, and nothing of it touches other queues."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest

from moonpost.spool.record import QueueName
from moonpost.testing.sink import Sink
from testkit.delivery import Line, line

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WAIT_S = 0.3  # what every timeout is in these tests


async def heard(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *replies: bytes
) -> None:
    """Banner, then one reply to each command."""
    writer.write(b"220 host.test\r\n")
    for reply in replies:
        await reader.readline()
        writer.write(reply + b"\r\n")


async def lines_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-welcome, and listen to this\r\n")
        await writer.drain()


async def a_line_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220 " + b"x" * 500)
        await writer.drain()


async def one_byte_at_a_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220")
    while True:  # each byte comes in time; the answer never does
        writer.write(b"-x\r\n220")
        await asyncio.sleep(WAIT_S / 5)


async def slow_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await heard(reader, writer, b"250 host.test")
    writer.write(b"25")
    for byte in b"0 your mail is on its way, be patient with us" * 9:
        writer.write(bytes([byte]))
        await asyncio.sleep(WAIT_S / 5)


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 host.test\r\n")


async def resets_in_the_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await heard(reader, writer, b"250 host.test", b"250 ok", b"250 ok", b"354 go")
    await reader.read(100)
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def takes_no_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await heard(reader, writer, b"250 host.test", b"250 ok", b"250 ok", b"354 go")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(30)


async def garbage_for_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await heard(reader, writer, b"250-host.test\r\n250 STARTTLS", b"220 go")
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)


async def silent_in_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await heard(reader, writer, b"250-host.test\r\n250 STARTTLS", b"220 go")
    await asyncio.sleep(30)


def says(*replies: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader, writer, *replies)
        await reader.read()

    return script


EHLO = b"250 host.test"

# name: (what the host does, options, words of the answer)
HOSTS: dict[str, tuple[Script, dict[str, Any], str]] = {
    "an answer of endless lines": (lines_without_end, {}, "a reply without end"),
    "an endless line": (a_line_without_end, {}, "a reply line longer than"),
    "an answer in pieces, never whole": (one_byte_at_a_time, {}, "no answer within"),
    "an answer to MAIL in pieces": (slow_answer, {}, "no answer within"),
    "hangs up after the banner": (hangs_up, {}, "connection closed by the host"),
    "a code of 1xx": (says(EHLO, b"150 opening"), {}, "a reply that begins b'150 opening'"),
    "a code that is none": (says(EHLO, b"999 ok"), {}, "a reply that begins"),
    "letters for a code": (says(b"ok"), {}, "a reply that begins b'ok'"),
    "rubbish": (says(bytes(range(128, 160))), {}, "a reply that begins"),
    "a code without text or end": (says(EHLO, b"250\r250"), {}, "a reply that begins"),
    "354 for MAIL": (says(EHLO, b"354 go"), {}, "354 go"),
    "250 for DATA": (says(EHLO, b"250 ok", b"250 ok", b"250 ok"), {}, "unexpected answer to DATA"),
    "220 for EHLO": (says(b"220 hi", b"421 bye"), {}, "421 bye"),
    "354 for the message": (
        says(EHLO, b"250 ok", b"250 ok", b"354 go", b"354 more"), {}, "unexpected answer to the message",
    ),
    "an answer ahead of its command": (says(EHLO + b"\r\n250 ok"), {}, "250 ok"),
    "the message is taken before it is sent": (
        says(EHLO, b"250 ok", b"250 ok", b"354 go\r\n250 kept"), {},
        "451 4.5.0 [internal] the host answered before",
    ),
    "a reset in the middle of the message": (resets_in_the_message, {}, "421 4.4.2 [internal] connection"),
    "does not take the message": (takes_no_message, {}, "no answer within"),
    "no TLS where it said so": (garbage_for_tls, {"tls": "required"}, "451 4.7.5 [internal] TLS"),
    "silence for a handshake": (silent_in_tls, {"tls": "required"}, "TLS negotiation failed: timed out"),
}  # fmt: skip

TIMEOUTS = {
    f"{name}_timeout": WAIT_S
    for name in ("connect", "ehlo", "mailfrom", "rcptto", "body", "rset", "idle")
}


async def beside(
    tmp_path: Path,
    script: Script,
    test: Callable[[Line, Sink], Awaitable[None]],
    **options: Any,
) -> None:
    """bad.test is served by the script, good.test by a host that behaves."""
    talks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await script(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bad = {f"bad.test:{name}": value for name, value in {**TIMEOUTS, **options}.items()}
    async with Sink() as sink, line(tmp_path, sink.port, **bad) as made:
        made.options["bad.test:remote_smtp_port"] = port
        try:
            await test(made, sink)
        finally:
            server.close()
            for task in talks:
                task.cancel()


@pytest.mark.parametrize("name", HOSTS)
def test_mail_waits_and_other_queues_do_not(name: str, tmp_path: Path) -> None:
    script, options, words = HOSTS[name]

    async def test(made: Line, sink: Sink) -> None:
        content = b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n"
        if script is takes_no_message:
            content *= 100_000  # more than the buffers of two sockets
        (record,) = await made.send("x@bad.test", content=content)
        await made.send("y@good.test")
        assert sorted(await made.events(2)) == ["D", "T"]
        (text,) = made.journal.texts("T")
        assert words in text, text
        assert sink.received[0].recipients == ["y@good.test"]
        kept = await made.spool.get(record.id)
        assert kept is not None and kept.attempts == 1 and kept.next_attempt_at > kept.created_at
        await made.send("z@good.test")
        assert sorted(await made.events(3)) == ["D", "D", "T"]

    asyncio.run(beside(tmp_path, script, test, **options))


@pytest.mark.long
def test_a_large_message_on_a_thin_line_has_time(tmp_path: Path) -> None:
    async def thin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader, writer, EHLO, b"250 ok", b"250 ok", b"354 go")
        got = b""
        while not got.endswith(b"\r\n.\r\n"):
            got = got[-10:] + await reader.read(2 << 20)
            await asyncio.sleep(0.05)  # some 2 MB a second
        writer.write(b"250 kept\r\n")
        await reader.read()

    async def test(made: Line, sink: Sink) -> None:
        await made.send("x@bad.test", content=b"Subject: x\r\n\r\n" + b"x" * 70 * 300_000)
        assert await made.events(1, 60) == "D"

    asyncio.run(beside(tmp_path, thin, test, body_timeout=4))


def test_a_host_that_takes_all_and_answers_nothing_keeps_its_limits_only(tmp_path: Path) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def test(made: Line, sink: Sink) -> None:
        for n in range(30):
            await made.send(f"x{n}@bad.test")
        bad = made.manager.queues[QueueName("default", "bad.test")]
        await made.until(lambda: sum(bad.places.values()) == 3)
        for n in range(20):
            await made.send(f"y{n}@good.test")
        assert await made.events(20) == "D" * 20
        assert sum(bad.places.values()) == 3 and made.manager.workers(bad.name) == 3

    asyncio.run(beside(tmp_path, stall, test, max_outbound_connections=3, ehlo_timeout=30))
