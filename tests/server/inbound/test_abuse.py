"""Clients that mean ill: each gets the right reply, and the neighbour who is connected meanwhile notices nothing."""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from moonpost.inbound import listener as listener_module
from moonpost.inbound.interface import Credentials
from moonpost.inbound.settings import ListenSettings, PeerSettings
from moonpost.inbound.tls import TlsOptions, server_context
from moonpost.outbound.wire import as_data
from testkit.smtp_server import Receiver, careless_tls, certificate, client, receiving

ENVELOPE = b"MAIL FROM:<ann@client.test>\r\nRCPT TO:<bob@example.test>\r\n"
EVIL = (
    b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@example.test>\r\nDATA\r\nX: y\r\n\r\nsmuggled\r\n"
)


class Talk:
    """One connection, line by line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        """The next whole reply: its last line."""
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 10)).decode("latin-1")
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    async def say(self, *commands: bytes | str) -> list[str]:
        """The replies to these commands, sent together."""
        data = b"".join(
            c if isinstance(c, bytes) else c.encode("latin-1") + b"\r\n" for c in commands
        )
        self.writer.write(data)
        return [await self.reply() for _ in commands]

    async def rest(self) -> list[str]:
        """Everything up to the end of the connection."""
        data = await asyncio.wait_for(self.reader.read(), 10)
        return data.decode("latin-1").splitlines()

    def reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def connect(here: Receiver) -> Talk:
    talk = Talk(*await asyncio.open_connection("127.0.0.1", here.port))
    assert (await talk.reply())[:4] == "220 "
    return talk


@asynccontextmanager
async def with_neighbour(
    settings: ListenSettings | None = None, **options: Any
) -> AsyncIterator[Receiver]:
    """A receiver with a session in the middle of a mail, which goes through at the end as if nothing had been."""
    options = {"relay_domains": ("example.test",), "open_relay": False, **options}
    async with receiving(settings, **options) as here:
        neighbour = await connect(here)
        await neighbour.say("EHLO neighbour.test", "MAIL FROM:<neighbour@client.test>")
        yield here
        replies = await neighbour.say("RCPT TO:<bob@example.test>", "DATA", b"good\r\n.\r\n")
        assert [reply[:3] for reply in replies] == ["250", "354", "250"]
        assert here.kept.messages[-1].sender == "neighbour@client.test"
        assert here.kept.panics == []


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))  # type: ignore[arg-type]


# --- smuggling: https://www.postfix.org/smtp-smuggling.html, https://smtpsmuggling.com

ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\n\r.\n\r", b"\n\n.\n\n", b"\r\n\n.\r\n",
    b"\x00\n.\n", b"\n\x00.\n", b"\n.\x00\n",
]  # fmt: skip
HARMLESS_ENDS = [b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\n .\r\n", b"\r\n. \r\n", b"\r\n..\r\n"]


@pytest.mark.parametrize("piece", [0, 1])
def test_an_odd_end_of_data_is_none(piece: int) -> None:
    async def scenario() -> None:
        async with with_neighbour() as here:
            evil = await connect(here)
            for end in ENDS + HARMLESS_ENDS:
                data = b"Subject: one\r\n\r\nbody" + end + EVIL + b"\r\n.\r\n"
                here.kept.messages.clear()
                await evil.say(ENVELOPE[:29], ENVELOPE[29:], "DATA")
                for at in range(0, len(data), piece or len(data)):
                    evil.writer.write(data[at : at + (piece or len(data))])
                    if piece:
                        await asyncio.sleep(0)
                answer = await evil.reply()
                assert answer[:3] == ("250" if end in HARMLESS_ENDS else "550"), (end, answer)
                assert await evil.say("NOOP") == ["250 2.0.0 ok"], end  # nothing else was answered
                kept = [(m.sender, m.recipient) for m in here.kept.messages]
                one = [("ann@client.test", "bob@example.test")]
                assert kept == one * (end in HARMLESS_ENDS), end

    run(scenario)


def test_chunks_smuggle_nothing_either() -> None:
    async def scenario() -> None:
        async with with_neighbour() as here:
            evil = await connect(here)
            for end in [b"\r\n.\r\n", *ENDS]:
                data = b"Subject: one\r\n\r\nbody" + end + EVIL
                here.kept.messages.clear()
                whole = b"BDAT %d LAST\r\n" % len(data) + data
                replies = await evil.say(ENVELOPE[:29], ENVELOPE[29:], whole)
                good = end == b"\r\n.\r\n"
                assert replies[-1][:3] == ("250" if good else "550"), end
                assert await evil.say("NOOP") == ["250 2.0.0 ok"], end
                if good:  # a legal content; it must leave in one piece as well
                    (message,) = here.kept.messages
                    sent = as_data(message.content)
                    assert sent.index(b"\r\n.\r\n") == len(sent) - 5

    run(scenario)


# --- commands and headers inside of arguments


INSIDE = [
    (b"MAIL FROM:<a@x.test\x00>\r\n", "553"),
    (b'MAIL FROM:<"a\x0b"@x.test>\r\n', "553"),
    (b"MAIL FROM:<a@x.test> ENVID=a\x00b\r\n", "501"),
    (b"MAIL FROM:<a@x.test> AUTH=<> AUTH=<>\r\n", "501"),
    (b"MAIL FROM:<a@x.test> BODY=8BITMIME XSELF=1\r\n", "555"),
    (b"EHLO a\x00b\r\n", "501"),
    (b"EHLO a\x0bReceived: forged\r\n", "501"),
    (b"EHLO a\tb\r\n", "501"),
    (b"NOOP\x00\r\n", "500"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", "500"),  # TLS, unasked
    (b"GET / HTTP/1.1\r\n", "500"),
    (b"\r\n", "500"),
    (b" \r\n", "500"),
]


def test_commands_with_something_inside() -> None:
    async def scenario() -> None:
        async with with_neighbour(max_bad_commands=0) as here:
            evil = await connect(here)
            for line, code in INSIDE:
                assert (await evil.say(line))[0][:3] == code, line
                assert await evil.say("NOOP") == ["250 2.0.0 ok"], line
            assert here.kept.messages == []

    run(scenario)


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\n.\n"])
def test_a_command_inside_an_address_is_not_obeyed(newline: bytes) -> None:
    async def scenario() -> None:
        async with with_neighbour() as here:
            evil = await connect(here)
            await evil.say("EHLO x", "MAIL FROM:<a@x.test>")
            evil.writer.write(
                b"RCPT TO:<a@example.test" + newline + b"RCPT TO:<victim@example.test>\r\n"
            )
            evil.writer.write(b"RCPT TO:<victim@example.test>\r\nDATA\r\nx\r\n.\r\n")
            replies = await evil.rest()
            assert replies == ["500 5.5.2 lines must end with CR LF and nothing else"]
            assert here.kept.notes == ["500 bare CR or LF in a command"]

    run(scenario)


@pytest.mark.parametrize("name", ["a(b", "a)\\", "x;y", "[1.2.3.4", "<a>", "j\xf6rg", "a" * 5000])
def test_the_trace_header_is_one_header_whatever_the_client_calls_itself(name: str) -> None:
    async def scenario() -> None:
        async with with_neighbour() as here:
            evil = await connect(here)
            await evil.say(
                f"EHLO {name}", "MAIL FROM:<a@x.test>", "RCPT TO:<bob@example.test>", "DATA"
            )
            assert (await evil.say(b"X: y\r\n\r\nz\r\n.\r\n"))[0][:3] == "250"
            head = here.kept.messages[0].content.partition(b"\r\n\r\n")[0].split(b"\r\n")
            fields = [line for line in head if not line.startswith((b" ", b"\t"))]
            assert [field.partition(b":")[0] for field in fields] == [b"Received", b"X"]
            assert max(map(len, head)) <= 998

    run(scenario)


# --- too much of everything


TOO_LONG = [
    (b"NOOP " + b"x" * 13_000 + b"\r\n", "500"),
    (b"x" * 5_000_000 + b"\r\n", "500"),
    (b"EHLO " + b"x" * 200_000 + b"\r\n", "500"),
    (b"MAIL FROM:<" + b"a" * 300 + b"@x.test>\r\n", "553"),
    (b"MAIL FROM:<a@" + b"x" * 300 + b">\r\n", "553"),
    (b"MAIL FROM:<a@x.test> SIZE=" + b"9" * 40 + b"\r\n", "501"),
    (b"MAIL FROM:<a@x.test> SIZE=99999999999999999999\r\n", "552"),
    (b"MAIL FROM:<a@x.test> ENVID=" + b"a" * 5000 + b"\r\n", "501"),
    (b"MAIL FROM:<a@x.test> " + b"A=B " * 2000 + b"\r\n", "555"),
    (b"MAIL FROM:<" + b"@a," * 3000 + b":a@x.test>\r\n", "250"),  # a route, thrown away
    (b'MAIL FROM:<"' + b"\\" * 9000 + b'"@x.test>\r\n', "553"),
    (b"MAIL FROM:<" + b"(" * 9000 + b"@x.test>\r\n", "553"),
]


def test_lines_and_arguments_that_are_too_long() -> None:
    async def scenario() -> None:
        async with with_neighbour(max_message_bytes=1000, max_bad_commands=0) as here:
            evil = await connect(here)
            for line, code in TOO_LONG:
                assert (await evil.say(line))[0][:3] == code, line[:24]
                assert await evil.say("RSET") == ["250 2.0.0 reset"], line[:24]
                assert all(len(session.intake) < 100_000 for session in here.service.sessions)

    run(scenario)


def test_content_beyond_the_limit_is_not_kept_in_memory() -> None:
    async def scenario() -> None:
        async with with_neighbour(max_message_bytes=10_000) as here:
            evil = await connect(here)
            await evil.say("EHLO x", ENVELOPE[:29], ENVELOPE[29:], "DATA")
            for _ in range(200):
                evil.writer.write(b"x" * 78 + b"\r\n" + b"y" * 50_000)
                await evil.writer.drain()
                assert max(len(session.intake) for session in here.service.sessions) < 1_000_000
            assert (await evil.say(b"\r\n.\r\n"))[0].startswith("552 5.3.4")
            assert await evil.say("NOOP") == ["250 2.0.0 ok"]

    run(scenario)


@pytest.mark.parametrize("size", [b"10001", b"99999999999999999999", b"-1", b"1e9", b"0x10", b" "])
def test_chunks_beyond_the_limit(size: bytes) -> None:
    async def scenario() -> None:
        async with with_neighbour(max_message_bytes=10_000) as here:
            evil = await connect(here)
            await evil.say("EHLO x", ENVELOPE[:29], ENVELOPE[29:])
            if size == b"10001":
                assert (await evil.say(b"BDAT 10001 LAST\r\n" + b"x" * 10_001))[0][:3] == "552"
                assert await evil.say("NOOP") == ["250 2.0.0 ok"]
            else:
                # What is no size can't be waited for; what is too much of one is thrown away as it comes.
                evil.writer.write(b"BDAT " + size + b"\r\n")
                if size[:1] != b"9":
                    assert (await evil.reply())[:3] == "501"
                evil.writer.write(b"x" * 200_000)
                await evil.writer.drain()
                assert max(len(session.intake) for session in here.service.sessions) < 600_000
            evil.reset()
            assert here.kept.messages == []

    run(scenario)


def test_recipients_without_end() -> None:
    async def scenario() -> None:
        async with with_neighbour(max_recipients_per_message=100) as here:
            evil = await connect(here)
            await evil.say("EHLO x", "MAIL FROM:<ann@client.test>")
            commands = [f"RCPT TO:<bob{at}@example.test>" for at in range(3000)]
            codes = [reply[:3] for reply in await evil.say(*commands)]
            assert codes == ["250"] * 100 + ["452"] * 2900
            assert (await evil.say("DATA", b"x\r\n.\r\n"))[1][:3] == "250"
            assert len(here.kept.messages) == 100

    run(scenario)


def test_headers_without_end() -> None:
    content = b"".join(b"X-%d: y\r\n" % at for at in range(50_000)) + b"\r\n.\r\n"

    async def scenario() -> None:
        async with with_neighbour(max_received_headers=10) as here:
            evil = await connect(here)
            assert (await evil.say("EHLO x", ENVELOPE[:29], ENVELOPE[29:], "DATA", content))[-1][
                :3
            ] == "250"

    run(scenario)


# --- many, slow, and gone


def test_hundreds_of_slow_clients_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "SWEEP_S", 0.05)
    beginnings = [
        b"",
        b"EH",
        b"EHLO x\r\nMAIL FR",
        ENVELOPE + b"DATA\r\nhalf",
        b"EHLO x\r\nAUTH PLAIN\r\n",
    ]

    async def scenario() -> None:
        peer = PeerSettings(idle_time_s=1.0)
        async with receiving(ListenSettings(peer=peer), auth_mechanisms=("PLAIN",)) as here:
            slow = [await asyncio.open_connection("127.0.0.1", here.port) for _ in range(300)]
            for at, (_, writer) in enumerate(slow):
                writer.write(beginnings[at % len(beginnings)])
            quick = await connect(here)
            replies = await quick.say("EHLO x", ENVELOPE[:29], ENVELOPE[29:], "DATA", b"x\r\n.\r\n")
            assert replies[-1][:3] == "250"
            assert len(here.service.sessions) > 250  # they are still there
            for reader, writer in slow:
                await asyncio.wait_for(reader.read(), 10)
                writer.close()
            assert here.service.tally.timeouts >= 300
            assert len(here.kept.messages) == 1
            assert here.kept.panics == []

    run(scenario)


WHOLE_SESSION = (
    b"EHLO client.test\r\n" + ENVELOPE + b"DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n"
    b"AUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n"
    + ENVELOPE
    + b"BDAT 6 LAST\r\nx: y\r\nSTARTTLS\r\n\x16\x03\x01"
)


@pytest.mark.filterwarnings("error::RuntimeWarning")  # of what was begun and never awaited
def test_a_reset_at_every_byte() -> None:
    async def scenario() -> None:
        async with with_neighbour(auth_mechanisms=("LOGIN",)) as here:
            for callout in ("validate_connect", "validate_data", "validate_rcptto"):
                here.generation.on(callout, lambda *_: asyncio.sleep(0, 0))
            for cut in range(len(WHOLE_SESSION)):
                reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
                writer.write(WHOLE_SESSION[:cut])
                for _ in range(cut % 7):  # in different states of what came in
                    await asyncio.sleep(0)
                Talk(reader, writer).reset()
            while len(here.service.sessions) > 1:
                await asyncio.sleep(0.001)
            assert here.generation.users == 1  # the neighbour
            assert here.service.tally.open == 1
            assert not here.service.by_block

    run(scenario)


# --- TLS


def tls_settings(folder: Path) -> ListenSettings:
    cert, key = certificate(folder)
    return ListenSettings(tls=server_context(TlsOptions(str(cert), str(key))))


class Passwords:
    async def check(self, credentials: Credentials) -> bool:
        return (credentials.user, credentials.password) == (b"ann", b"secret")


def plain(user: str, password: str) -> str:
    return "AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def test_who_logged_in_before_tls_is_not_logged_in_after_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_neighbour(tls_settings(tmp_path), auth_mechanisms=("PLAIN",)) as here:
            here.service.authenticator = Passwords()
            evil = await connect(here)
            replies = await evil.say("EHLO x", plain("ann", "secret"), "STARTTLS")
            assert [reply[:3] for reply in replies] == ["250", "235", "220"]
            await evil.writer.start_tls(careless_tls())
            replies = await evil.say(
                "EHLO x", "MAIL FROM:<a@x.test>", "RCPT TO:<bob@elsewhere.test>", "RSET", "NOOP"
            )
            assert [reply[:3] for reply in replies] == ["250", "250", "550", "250", "250"]
            (session,) = (s for s in here.service.sessions if s.machine and s.machine.state.tls)
            assert session.machine is not None
            assert "auth_user" not in session.machine.state.vctx.conn
            evil.writer.close()

    run(scenario)


def test_plain_text_after_a_promise_of_tls_is_not_obeyed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_neighbour(tls_settings(tmp_path)) as here:
            evil = await connect(here)
            assert (await evil.say("EHLO x", "STARTTLS"))[1][:3] == "220"
            evil.writer.write(ENVELOPE + b"DATA\r\nx\r\n.\r\nQUIT\r\n" + b"x" * 100_000)
            try:
                answer = await asyncio.wait_for(evil.reader.read(), 10)
            except ConnectionError:
                answer = b""
            assert b"250" not in answer and b"354" not in answer
            assert here.kept.messages == []

    run(scenario)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_renegotiation_is_refused(tmp_path: Path) -> None:
    def renegotiate(port: int) -> str:
        command = [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{port}",
            "-starttls",
            "smtp",
            "-tls1_2",
        ]
        done = subprocess.run(command, input="R\n", capture_output=True, text=True, timeout=20)
        return done.stdout + done.stderr

    async def scenario() -> None:
        async with with_neighbour(tls_settings(tmp_path)) as here:
            told = await client(renegotiate, here.port)
            assert "RENEGOTIATING" in told
            assert "no renegotiation" in told

    run(scenario)


# --- AUTH


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        (b"AUTH\r\n", ["501"]),
        (b"AUTH CRAM-MD5\r\n", ["504"]),
        (b"AUTH PLAIN %%%\r\n", ["501"]),
        (b"AUTH PLAIN =\r\n", ["535", "501"]),
        (b"AUTH PLAIN " + base64.b64encode(b"no nul") + b"\r\n", ["501"]),
        (b"AUTH PLAIN " + base64.b64encode(b"\0" * 50) + b"\r\n", ["501"]),
        (b"AUTH PLAIN a b c\r\n", ["501"]),
        (b"AUTH PLAIN\r\n*\r\n", ["334", "501"]),
        (b"AUTH LOGIN\r\n*\r\n", ["334", "501"]),
        (b"AUTH PLAIN " + b"A" * 12_000 + b"\r\n", ["535", "501"]),
    ],
)
def test_odd_log_ins(command: bytes, codes: list[str]) -> None:
    async def scenario() -> None:
        async with with_neighbour(auth_mechanisms=("PLAIN", "LOGIN")) as here:
            here.service.authenticator = Passwords()
            evil = await connect(here)
            await evil.say("EHLO x")
            evil.writer.write(command + b"NOOP\r\n")
            got = [(await evil.reply())[:3]]
            while got[-1] != "250":
                got.append((await evil.reply())[:3])
            assert set(got[:-1]) <= set(codes), got
            assert (await evil.say("MAIL FROM:<a@x.test>", "RCPT TO:<b@elsewhere.test>"))[1][
                :3
            ] == "550"

    run(scenario)


def test_guessing_ends_the_session_and_a_response_too_long_the_connection() -> None:
    async def scenario() -> None:
        async with with_neighbour(auth_mechanisms=("PLAIN", "LOGIN")) as here:
            here.service.authenticator = Passwords()
            evil = await connect(here)
            await evil.say("EHLO x")
            evil.writer.write(
                b"".join(plain("ann", str(at)).encode() + b"\r\n" for at in range(50))
            )
            codes = [line[:3] for line in await evil.rest()]
            assert codes == ["535"] * 5 + ["421"]
            assert here.service.tally.rejections == 5

    run(scenario)


def test_log_ins_at_the_wrong_moment() -> None:
    async def scenario() -> None:
        async with with_neighbour(auth_mechanisms=("PLAIN",)) as here:
            here.service.authenticator = Passwords()
            evil = await connect(here)
            good = plain("ann", "secret")
            replies = await evil.say("EHLO x", "MAIL FROM:<a@x.test>", good, "RSET", good, good)
            assert [reply[:3] for reply in replies] == ["250", "250", "503", "250", "235", "503"]

    run(scenario)


# --- relaying


PROBES = {
    "bob@elsewhere.test": "550",
    "bob@ELSEWHERE.test": "550",
    "bob@elsewhere.test.": "550",
    "bob@notexample.test": "550",
    "bob@sub.example.test": "550",
    "@example.test:bob@elsewhere.test": "550",
    "@a.test,@example.test:bob@elsewhere.test": "550",
    "bob@elsewhere.test@example.test": "553",
    "bob@example.test@elsewhere.test": "553",
    "bob@[198.51.100.1]": "550",
    "bob@[IPv6:2001:db8::1]": "550",
    "bob@198.51.100.1": "550",
    "<bob@elsewhere.test": "553",
    "bob@elsewhere.test\\@example.test": "553",
    "bob@elsewhere.test,carol@example.test": "553",
    # Ours by their domain, whatever the local part looks like; nobody takes it apart.
    "bob%elsewhere.test@example.test": "250",
    "elsewhere.test!bob@example.test": "250",
    '"bob@elsewhere.test"@example.test': "250",
}


@pytest.mark.parametrize(
    "sender", ["ann@client.test", "", "postmaster@example.test", "a@[127.0.0.1]"]
)
def test_open_relay_probes(sender: str) -> None:
    async def scenario() -> None:
        async with with_neighbour(max_bad_commands=0) as here:
            evil = await connect(here)
            for recipient, code in PROBES.items():
                replies = await evil.say(f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "RSET")
                assert replies[1][:3] == code, (recipient, replies[1])

    run(scenario)
