"""Delivery to a server that is not ours: postfix's smtp-sink, in each of its dialects."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from testkit.delivery import line
from testkit.postfix import needs_smtp_sink, smtp_sink

pytestmark = needs_smtp_sink

DIALECTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "pipelining": ([], {}),
    "no pipelining": (["-p"], {}),
    "HELO only": (["-e"], {}),
    "LMTP": (["-L"], {"delivery_method": "LMTP"}),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_message_arrives_byte_for_byte(dialect: str, tmp_path: Path) -> None:
    arguments, options = DIALECTS[dialect]

    async def main(port: int) -> None:
        options["lmtp_port"] = port
        async with line(tmp_path, port, **options) as made:
            for n in range(20):
                content = f"X-Number: {n}\r\n\r\n.dot\r\n..\r\n{'x' * 70}\r\n".encode() * (
                    1 + n % 3
                )
                await made.send(f"r{n}@b.test", f"s{n}@b.test", content=content)
            assert await made.events(40) == "D" * 40

    with smtp_sink(tmp_path / "messages", arguments) as port:
        asyncio.run(main(port))
    found = [path.read_bytes() for path in (tmp_path / "messages").iterdir()]
    assert len(found) == 20
    for n in range(20):
        (dump,) = [one for one in found if f"X-Number: {n}\n".encode() in one]
        text = f"X-Number: {n}\n\n.dot\n..\n{'x' * 70}\n".encode() * (1 + n % 3)
        assert dump.rstrip(b"\n").endswith(text.rstrip(b"\n"))
        assert dump.count(b"X-Rcpt-Args: ") == 2
