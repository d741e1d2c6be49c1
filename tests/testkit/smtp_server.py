"""A receiver on a loopback port for the length of a test."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from moonpost.adapters.sessions import SessionBook
from moonpost.inbound.listener import Listener
from moonpost.inbound.service import Service
from moonpost.inbound.settings import ListenSettings
from moonpost.phases.options import SessionOptions
from testkit.fake_policy import FakeGeneration, FakePolicy
from testkit.smtp_players import Kept

T = TypeVar("T")


@dataclass(slots=True)
class Receiver:
    """What a test looks at."""

    listener: Listener
    service: Service
    policy: FakePolicy
    kept: Kept
    port: int

    @property
    def generation(self) -> FakeGeneration:
        return self.policy.generation


@asynccontextmanager
async def receiving(
    settings: ListenSettings | None = None, policy: FakePolicy | None = None, **options: Any
) -> AsyncIterator[Receiver]:
    """A receiver; `options` are those of its sessions, unless the settings know better by peer."""
    chosen = SessionOptions(**{"hostname": "mx.test", "open_relay": True, **options})
    settings = settings or ListenSettings()
    settings = replace(settings, port=0)
    if settings.by_peer is None:
        settings = replace(settings, peer=replace(settings.peer, options=chosen))
    policy = policy or FakePolicy()
    kept = Kept()
    service = Service(
        settings,
        policy,
        kept,
        kept,
        SessionBook(now=time.time),
        asyncio.get_running_loop(),
        bouncer=kept,
    )
    listener = Listener(service)
    await listener.start()
    port = listener.addresses[0][1] if listener.addresses else 0
    try:
        yield Receiver(listener, service, policy, kept, port)
    finally:
        await listener.stop()


async def client(talk: Callable[..., T], *args: Any) -> T:
    """Run a blocking client beside the server."""
    return await asyncio.wait_for(asyncio.to_thread(talk, *args), 20)


def certificate(folder: Path, name: str = "mx.test") -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path


def server_tls(folder: Path) -> ssl.SSLContext:
    """A context that serves a fresh certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder))
    return context


def careless_tls() -> ssl.SSLContext:
    """A client context that believes anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
