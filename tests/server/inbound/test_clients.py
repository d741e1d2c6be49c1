"""Real clients over real sockets: smtplib, swaks, TLS, AUTH, PROXY."""

from __future__ import annotations

import asyncio
import shutil
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest

from moonpost.inbound.interface import Credentials
from moonpost.inbound.settings import ListenSettings, PeerSettings
from testkit.smtp_server import Receiver, careless_tls, client, receiving, server_tls

MESSAGE = b"Subject: hello\r\n\r\n.leading dot\r\nbody\r\n"


def send(port: int, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        return smtp.sendmail("ann@client.test", recipients or ("bob@example.test",), MESSAGE)


def test_smtplib_delivers_the_bytes_it_was_given() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            assert await client(send, here.port) == {}
            (message,) = here.kept.messages
            trace, _, rest = message.content.partition(b"\r\nSubject")
            assert trace.startswith(b"Received: from ")
            assert b"by mx.test with ESMTP id " in trace
            assert b"for <bob@example.test>;" in trace
            assert b"Subject" + rest == MESSAGE
            assert (message.sender, message.recipient) == ("ann@client.test", "bob@example.test")
            assert message.id.text == message.batch_id.text

    asyncio.run(scenario())


def test_several_recipients_share_a_batch_and_have_their_own_ids() -> None:
    async def scenario() -> None:
        async with receiving() as here:
            await client(send, here.port, "bob@example.test", "carol@example.test")
            first, second = here.kept.messages
            assert first.batch_id == second.batch_id == first.id
            assert first.id != second.id
            assert first.body_block is second.body_block
            assert b"for <" not in first.content

    asyncio.run(scenario())


@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
def test_swaks_with_pipelining_and_tls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving(ListenSettings(tls=server_tls(tmp_path))) as here:
            command = [
                "swaks", "--server", "127.0.0.1", "--port", str(here.port), "--pipeline", "--tls",
                "--from", "ann@client.test", "--to", "bob@example.test,carol@example.test",
            ]  # fmt: skip
            done = await client(
                lambda: subprocess.run(command, capture_output=True, text=True, timeout=20)
            )
            assert done.returncode == 0, done.stdout
            assert [m.recipient for m in here.kept.messages] == [
                "bob@example.test",
                "carol@example.test",
            ]
            assert here.kept.receptions[0].protocol == "ESMTPS"
            assert here.kept.messages[0].conn["tls"] == "on"
            assert here.kept.messages[0].conn["tls_cipher"]

    asyncio.run(scenario())


def test_starttls_forgets_what_was_said_before(tmp_path: Path) -> None:
    def talk(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.ehlo("before.test")
            assert smtp.has_extn("starttls")
            smtp.mail("ann@client.test")
            smtp.rset()
            smtp.starttls(context=careless_tls())
            smtp.ehlo("after.test")
            assert not smtp.has_extn("starttls")
            assert smtp.docmd("STARTTLS")[0] == 503
            smtp.sendmail("ann@client.test", "bob@example.test", MESSAGE)

    async def scenario() -> None:
        async with receiving(ListenSettings(tls=server_tls(tmp_path))) as here:
            here.generation.on("validate_ehlo", lambda text, accept, vctx: 0)
            await client(talk, here.port)
            assert here.generation.ran.count("validate_ehlo") == 2
            assert here.kept.messages[0].conn["ehlo_domain"] == "after.test"

    asyncio.run(scenario())


def test_bytes_after_starttls_end_the_session(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving(ListenSettings(tls=server_tls(tmp_path))) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            await reader.readline()
            writer.write(b"STARTTLS\r\nMAIL FROM:<evil@x.test>\r\n")
            assert (await reader.readline()).startswith(b"501 5.5.1")
            assert await reader.read() == b""
            assert here.kept.notes == ["501 bytes after STARTTLS"]
            writer.close()

    asyncio.run(scenario())


def test_a_failed_handshake_ends_the_session_and_is_no_error_of_ours(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving(ListenSettings(tls=server_tls(tmp_path))) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            await reader.readline()
            writer.write(b"STARTTLS\r\n")
            assert (await reader.readline()).startswith(b"220 2.0.0")
            writer.write(b"this is no handshake\r\n\r\n" * 10)
            await reader.read()
            writer.close()
            for _ in range(100):
                if not here.service.sessions:
                    break
                await asyncio.sleep(0.01)
            assert not here.service.sessions
            assert here.generation.users == 0
            assert here.kept.panics == []

    asyncio.run(scenario())


def test_tls_from_the_start(tmp_path: Path) -> None:
    def talk(port: int) -> None:
        with smtplib.SMTP_SSL("127.0.0.1", port, timeout=10, context=careless_tls()) as smtp:
            smtp.sendmail("ann@client.test", "bob@example.test", MESSAGE)

    async def scenario() -> None:
        settings = ListenSettings(tls=server_tls(tmp_path), tls_from_start=True)
        async with receiving(settings) as here:
            await client(talk, here.port)
            assert here.kept.receptions[0].protocol == "ESMTPS"

    asyncio.run(scenario())


class Passwords:
    """Knows one."""

    async def check(self, credentials: Credentials) -> bool:
        if credentials.user == b"broken":
            raise OSError("directory server is away")
        return (credentials.user, credentials.password) == (b"ann", b"secret")


def login(port: int, user: str, password: str, mechanism: str = "PLAIN") -> int:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = user, password
        method = smtp.auth_plain if mechanism == "PLAIN" else smtp.auth_login
        try:
            return smtp.auth(mechanism, method)[0]
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(
    ("user", "password", "code", "status"),
    [
        ("ann", "secret", 235, "pass"),
        ("ann", "wrong", 535, "fail"),
        ("broken", "secret", 454, "error"),
    ],
)
def test_auth_by_the_configured_check(
    mechanism: str, user: str, password: str, code: int, status: str
) -> None:
    seen = []

    def told(vctx: object, info: str, how: str) -> None:
        seen.append((info, how, vctx.conn.get("auth_name"), vctx.conn.get("can_relay")))  # type: ignore[attr-defined]

    async def scenario() -> None:
        async with receiving(auth_mechanisms=("PLAIN", "LOGIN"), open_relay=False) as here:
            here.service.authenticator = Passwords()
            here.generation.on("core_validate_auth", told)
            assert await client(login, here.port, user, password, mechanism) == code
            relay = "true" if status == "pass" else None
            assert seen == [(user, status, mechanism, relay)]

    asyncio.run(scenario())


def test_policy_can_answer_auth() -> None:
    async def scenario() -> None:
        async with receiving(auth_mechanisms=("PLAIN",)) as here:
            answers = [1, 0, -1]
            here.generation.on("core_pre_esmtp_auth", lambda accept, mc, vctx: answers.pop(0))
            assert await client(login, here.port, "ann", "x") == 235
            assert await client(login, here.port, "ann", "x") == 535
            assert await client(login, here.port, "ann", "x") == 535  # asked nobody else

    asyncio.run(scenario())


def test_auth_is_not_offered_without_tls_when_it_needs_it() -> None:
    def talk(port: int) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.ehlo()
            assert not smtp.has_extn("auth")
            return smtp.docmd("AUTH PLAIN AGFubgBzZWNyZXQ=")[0]

    async def scenario() -> None:
        async with receiving(auth_mechanisms=("PLAIN",), auth_requires_tls=True) as here:
            assert await client(talk, here.port) == 538

    asyncio.run(scenario())


def test_an_authenticated_client_may_relay() -> None:
    def talk(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.login("ann", "secret")
            smtp.sendmail("ann@client.test", "bob@elsewhere.test", MESSAGE)

    async def scenario() -> None:
        async with receiving(extensions=("AUTH PLAIN", "AUTH CRAM-MD5"), open_relay=False) as here:
            here.service.authenticator = Passwords()
            await client(talk, here.port)
            assert here.kept.receptions[0].auth_user == "ann"
            assert here.kept.receptions[0].protocol == "ESMTPA"

    asyncio.run(scenario())


@pytest.mark.parametrize("header", [b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 25\r\n"])
def test_a_proxy_header_names_the_peer(header: bytes) -> None:
    async def scenario() -> None:
        async with receiving(ListenSettings(peer=PeerSettings(proxy_header=True))) as here:
            seen = []
            here.generation.on(
                "validate_connect", lambda accept, vctx: seen.append(accept.remote_addr.ip)
            )
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            writer.write(header)
            assert (await reader.readline()).startswith(b"220 ")
            assert seen == ["203.0.113.9"]
            writer.close()

    asyncio.run(scenario())


def test_a_connection_without_its_proxy_header_is_closed() -> None:
    async def scenario() -> None:
        async with receiving(
            ListenSettings(peer=PeerSettings(proxy_header=True, proxy_header_timeout_s=0.1))
        ) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            assert await reader.read() == b""
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            writer.write(b"EHLO client.test\r\n")
            assert await reader.read() == b""
            writer.close()

    asyncio.run(scenario())


def test_tls_client_certificates_are_told(tmp_path: Path) -> None:
    from testkit.smtp_server import certificate

    context = server_tls(tmp_path)
    client_certificate, client_key = certificate(tmp_path, "client.test")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(client_certificate)

    def talk(port: int) -> None:
        mine = careless_tls()
        mine.load_cert_chain(client_certificate, client_key)
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.starttls(context=mine)
            smtp.sendmail("ann@client.test", "bob@example.test", MESSAGE)

    async def scenario(_: Receiver | None = None) -> None:
        async with receiving(ListenSettings(tls=context)) as here:
            await client(talk, here.port)
            conn = here.kept.messages[0].conn
            assert conn["tls_client_cert_subject"] == "/CN=client.test"
            assert conn["tls_client_cert_issuer_cn"] == "client.test"
            assert conn["tls_client_verified"] == "yes"

    asyncio.run(scenario())
