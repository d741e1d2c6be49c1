"""Other people's mail servers send to us: Postfix and Exim, plain, inside TLS, and logged in."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from moonpost.inbound.interface import Credentials
from moonpost.inbound.settings import ListenSettings
from testkit.senders import exim_sends, needs_exim, needs_postfix, postfix
from testkit.small_server import until
from testkit.smtp_server import Receiver, client, receiving, server_tls

MESSAGE = b"Subject: hello\nFrom: ann@client.test\nTo: bob@example.test\n\nbody\n.\n.dot\nend\n"
SENT = "status=sent (250 2.0.0 OK "  # in Postfix's log
WAYS = [(False, ""), (True, ""), (True, "PLAIN"), (True, "LOGIN")]
# A Postfix takes two seconds to start.
TWO_WAYS = [WAYS[0], *(pytest.param(*way, marks=pytest.mark.long) for way in WAYS[1:3]), WAYS[3]]


class Passwords:
    async def check(self, credentials: Credentials) -> bool:
        return (credentials.user, credentials.password) == (b"ann", b"secret")


def run(
    folder: Path, tls: bool, mechanism: str, scenario: Callable[[Receiver], Awaitable[None]]
) -> None:
    """A receiver that relays for who logged in, or for everybody when nobody is to."""
    settings = ListenSettings(tls=server_tls(folder) if tls else None)
    options = {"auth_mechanisms": (mechanism,), "auth_requires_tls": True} if mechanism else {}

    async def main() -> None:
        async with receiving(settings, open_relay=not mechanism, **options) as here:
            here.service.authenticator = Passwords()
            await scenario(here)
            protocol = "ESMTP" + "S" * tls + "A" * bool(mechanism)
            assert {reception.protocol for reception in here.kept.receptions} == {protocol}
            if mechanism:
                assert {reception.auth_user for reception in here.kept.receptions} == {"ann"}
            for message in here.kept.messages:
                assert message.content.endswith(b"\r\n\r\nbody\r\n.\r\n.dot\r\nend\r\n")
            assert here.kept.panics == []

    asyncio.run(asyncio.wait_for(main(), 60))


@needs_postfix
@pytest.mark.parametrize(("tls", "mechanism"), TWO_WAYS)
def test_postfix_sends(tmp_path: Path, tls: bool, mechanism: str) -> None:
    async def scenario(here: Receiver) -> None:
        def send() -> None:
            with postfix(tmp_path / "postfix", here.port, tls=tls, mechanism=mechanism) as command:
                for at in range(5):
                    words = [*command, "-f", f"ann{at}@client.test", "bob@x.test", "carol@x.test"]
                    subprocess.run(words, input=MESSAGE, check=True, timeout=30)
                until(lambda: log.exists() and log.read_text().count(SENT) == 10)

        log = tmp_path / "postfix" / "log"
        await asyncio.to_thread(send)
        told = log.read_text(encoding="utf-8")
        assert told.count(SENT) == 10, told
        assert len(here.kept.messages) == 10, told

    run(tmp_path, tls, mechanism, scenario)


@needs_exim
@pytest.mark.parametrize(("tls", "mechanism"), WAYS)
def test_exim_sends(tmp_path: Path, tls: bool, mechanism: str) -> None:
    async def scenario(here: Receiver) -> None:
        def send() -> str:
            recipients = ("bob@x.test", "carol@x.test")
            folder = tmp_path / "exim"
            return exim_sends(folder, here.port, MESSAGE, *recipients, tls=tls, mechanism=mechanism)

        log = await client(send)
        assert [m.recipient for m in here.kept.messages] == ["bob@x.test", "carol@x.test"], log
        waiting = [path for path in (tmp_path / "exim/spool/input").rglob("*") if path.is_file()]
        assert waiting == []

    run(tmp_path, tls, mechanism, scenario)
