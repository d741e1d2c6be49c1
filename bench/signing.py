"""What a DKIM signature costs beside the RSA operation in it.

    .venv/bin/python bench/signing.py [--rounds 9]

A message of 4 KB is signed by `msys.validate.opendkim.sign`, relaxed canonicalisation, RSA-2048, key loaded; the other
side is the private-key operation of `cryptography` alone over bytes of the same kind. dkimpy verifies one of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from report import Row, compared, interleave, table

TURNS = 200
TARGET = 1.6
BODY = b"".join(
    b"line %d of an ordinary letter, as long as people write\r\n" % n for n in range(70)
)
CONTENT = (
    b"From: ann@a.test\r\nTo: bob@b.test\r\nSubject: bench\r\n"
    b"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@a.test>\r\n\r\n" + BODY
)


class NotVerified(Exception):
    """dkimpy does not accept the signature: the figures mean nothing."""


def signing(rounds: int) -> list[Row]:
    """One comparison. Raises NotVerified."""
    from msys.testing.policy import policy

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with policy() as running:
        running.ports.files.content["/keys/bench.pem"] = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _verify(_signed(), key)
        measured = interleave(
            {
                "ours": lambda: _turn_us(_signed),
                "primitive": lambda: _turn_us(
                    lambda: key.sign(CONTENT[:600], padding.PKCS1v15(), hashes.SHA256())
                ),
            },
            rounds,
        )
    what = f"{len(CONTENT)} bytes, relaxed, RSA-2048"
    return [compared("signing", what, "us", measured, "primitive", TARGET)]


def _signed() -> bytes:
    """The message with our signature on top."""
    from msys.lua import Table
    from msys.message import Message
    from msys.validate import opendkim

    message = Message(content=CONTENT)
    options = Table(
        {
            "base_domain": "a.test",
            "selector": "bench",
            "keyfile": "/keys/bench.pem",
            "header_canon": "relaxed",
            "body_canon": "relaxed",
            "headerlist": "From:To:Subject:Date:Message-ID",
        }
    )
    if opendkim.sign(message, None, options) != 1:
        raise NotVerified("the message was not signed")
    return message.content


def _verify(content: bytes, key: rsa.RSAPrivateKey) -> None:
    import base64

    import dkim

    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    if not dkim.verify(content, dnsfunc=lambda *_, **__: record):
        raise NotVerified("dkimpy does not accept our signature")


def _turn_us(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(TURNS):
        work()
    return (time.process_time() - began) * 1e6 / TURNS


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    print(table(signing(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
