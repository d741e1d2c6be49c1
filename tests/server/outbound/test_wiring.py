"""What a configuration says about sending reaches the queues of the real server."""

from __future__ import annotations

import smtplib
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from testkit.dns_servers import free_port
from testkit.small_server import small_server, until

OPTIONS = """
static_routes {{ target = "127.0.0.1:{port}" }}
Use_MTA_STS = true
Use_DANE = true
DNS_Trust_AD = "no"
Host "127.0.0.1" {{ Max_Outbound_Connections = 1  Outbound_Throttle_Messages = "2/3600" }}
"""


def test_routes_host_limits_and_trust_are_those_of_the_configuration(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Handler:
        async def handle_DATA(self, _: Any, session: Any, envelope: Any) -> str:
            seen.append(envelope.rcpt_tos)
            return "250 kept"

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        options = OPTIONS.format(port=controller.port)
        with small_server(tmp_path, {}, options=options) as server:
            server.start()
            for n in range(3):
                with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
                    client.sendmail("a@a.test", [f"x{n}@b.test"], b"Subject: x\r\n\r\nhi\r\n")
            main = tmp_path / "var" / "mainlog.ec"
            assert until(lambda: main.exists() and main.read_text().count("@D@") == 2)
            server.stop()
    finally:
        controller.stop()
    assert len(seen) == 2, "the third message waits for the host's rate"
    told = server.errors.read_text() + "".join(
        path.read_text("latin-1") for path in (tmp_path / "var").glob("*.ec")
    )
    assert told.count("DANE is off reason=the name servers 127.0.0.1:1 are not trusted") == 1
