"""A stage for stories: the sample configuration in a folder of its own, a zone, a receiver, and `moonpost serve`.

Everything is on loopback and on free ports. The demo and the tests of the samples use the same stage.
"""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from moonpost.testing.serving import Serving
from moonpost.testing.sink import Received, Sink
from moonpost.testing.zone import ZoneServer


class BackgroundSink:
    """A Sink on an event loop in a thread of its own."""

    def __init__(self) -> None:
        self.sink = Sink()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.sink.__aenter__(), self._loop).result(10)

    @property
    def port(self) -> int:
        return self.sink.port

    @property
    def received(self) -> list[Received]:
        return self.sink.received

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.sink.__aexit__(None, None, None), self._loop).result(
            10
        )
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


def signing_key() -> tuple[bytes, str]:
    """A fresh RSA key: PEM for the signer, and the TXT record that publishes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    return pem, " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))


class Stage(Serving):
    """`with Stage(samples, folder) as stage:` has zone and receiver, and a server that waits to be started."""

    def __init__(self, samples: Path, folder: Path) -> None:
        copy = folder / "samples"
        shutil.copytree(samples, copy, ignore=shutil.ignore_patterns("__pycache__", "var"))
        super().__init__(copy / "ecelerity.conf")
        for path in [self.folder, *self.folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        pem, self.public_key = signing_key()
        (self.folder / "sign" / "private.key").write_bytes(pem)
        with sqlite3.connect(self.folder / "var" / "mailboxes.db") as mailboxes:
            mailboxes.executescript((self.folder / "sqlite" / "mailboxes.sql").read_text())
        mailboxes.close()

    def __enter__(self) -> Self:
        self.zone = ZoneServer(
            {
                ("2.0.0.127.bl.example.test", "A"): ["127.0.0.2"],
                ("2.0.0.127.bl.example.test", "TXT"): ['"listed for testing, see example.test"'],
                ("mail._domainkey.signed.example.test", "TXT"): [self.public_key],
            }
        )
        self.receiver = BackgroundSink()
        self.edit("127.0.0.1:5353", self.zone.address)
        self.edit("remote_smtp_port = 2526", f"remote_smtp_port = {self.receiver.port}")
        self.edit('Listen "127.0.0.1:2525"', 'Listen "127.0.0.1:0"')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self.receiver.close()
        self.zone.close()

    def wait_until_delivered(self, count: int, timeout_s: float = 20.0) -> None:
        """Return when so many recipients have been served in all, or the time is up."""
        deadline = time.monotonic() + timeout_s
        while len(recipients_of(self.receiver.received)) < count and time.monotonic() < deadline:
            time.sleep(0.005)


def recipients_of(received: list[Received]) -> list[str]:
    """Every recipient of every message, in order of arrival."""
    return [recipient for message in received for recipient in message.recipients]


def headers_of(content: bytes) -> dict[str, list[str]]:
    """Header values by lower-case name, unfolded."""
    head = content.partition(b"\r\n\r\n")[0].decode("latin-1")
    found: dict[str, list[str]] = {}
    for line in re.sub(r"\r\n[ \t]+", " ", head).split("\r\n"):
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), []).append(value.strip())
    return found
