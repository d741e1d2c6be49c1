"""What a reload makes of listeners: new ones open, old ones end, and a refusal changes nothing."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from moonpost.app.server import Server
from moonpost.cli.serve import usable

CONFIGURATION = """
spoolbase = "var/spool"
nameservers = ( "127.0.0.1:1" )
alerting {}
inbound_audit {}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write(folder: Path, *listens: str, more: str = "") -> Path:
    path = folder / "a.conf"
    body = " ".join(f'Listen "{listen}" {{}}' for listen in listens)
    path.write_text(f"{CONFIGURATION}{more}\nESMTP_Listener {{ {body} }}\n")
    return path


def banner(port: int) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        return client.ehlo()[1].decode().splitlines()[0]


def serving(path: Path, scenario: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        server = Server(usable(path))
        await server.start()
        try:
            await scenario(server)
        finally:
            await server.stop()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_reload_opens_closes_and_keeps_listeners(tmp_path: Path) -> None:
    one, two, three = (f"127.0.0.1:{free_port()}" for _ in range(3))

    async def scenario(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(two.split(":")[1]))
        assert (await reader.readline()).startswith(b"220 ")
        write(tmp_path, one, three, more='hostname = "new.test"')
        assert (await server.reload()).problems == []
        assert server.addresses() == {"esmtp": [one, three]}
        for where in (one, three):
            port = int(where.split(":")[1])
            assert await asyncio.to_thread(banner, port) == "new.test"
        assert (await reader.read()).startswith(b"421 ")  # its listener is gone
        writer.close()

    serving(write(tmp_path, one, two, more='hostname = "old.test"'), scenario)


def test_a_listener_that_cannot_open_refuses_the_whole_reload(tmp_path: Path) -> None:
    one = f"127.0.0.1:{free_port()}"

    async def scenario(server: Server) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            write(tmp_path, one, taken, more='hostname = "new.test"')
            outcome = await server.reload()
        assert f'a.conf:7: Listen "{taken}": Address already in use' in outcome.problems[0]
        assert server.config.option("hostname") == "old.test"
        assert server.addresses() == {"esmtp": [one]}

    serving(write(tmp_path, one, more='hostname = "old.test"'), scenario)


def test_a_reload_says_what_needs_a_restart(tmp_path: Path) -> None:
    one = f"127.0.0.1:{free_port()}"

    async def scenario(server: Server) -> None:
        assert (await server.reload()).warnings == []
        write(tmp_path, one, more='Control_Listener { Listen "other.sock" {} }')
        (warning,) = (await server.reload()).warnings
        assert warning.startswith("the Control_Listener changed: its sockets are as before until")

    serving(write(tmp_path, one, more='Control_Listener { Listen "a.sock" {} }'), scenario)
