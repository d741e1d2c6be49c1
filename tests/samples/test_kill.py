"""Kill -9 under load, twice: what was acknowledged is delivered after the restart; duplicates are counted."""

from __future__ import annotations

import itertools
import smtplib
import threading
from collections.abc import Callable
from pathlib import Path

from moonpost.testing.stage import BackgroundSink, headers_of
from testkit.small_server import callout, connect, small_server, until

SENDERS = 8
MESSAGES = 300  # acknowledged before each kill
IN_FLIGHT = 64  # chosen, generous: deliveries whose result was not yet on disk at a kill
NOTE = callout("validate_data", "msg, ac, vctx", '  msg:header("X-Judged", "yes")', script="note")


class Acknowledged:
    """Names of messages that got 250; several clients send until the server is gone."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._numbers = itertools.count()

    def load(self, port: int, until_there_are: int, then: Callable[[], None]) -> None:
        threads = [
            threading.Thread(target=self._send, args=(port, until_there_are))
            for _ in range(SENDERS)
        ]
        for thread in threads:
            thread.start()
        assert until(lambda: len(self.names) >= until_there_are, 60)
        then()
        for thread in threads:
            thread.join()

    def _send(self, port: int, until_there_are: int) -> None:
        try:
            client = connect(port)
            while len(self.names) < until_there_are + 100:
                name = f"kill-{next(self._numbers)}"
                client.mail("ann@example.test")
                client.rcpt("bob@example.test")
                code, _ = client.data(f"Message-ID: <{name}>\r\n\r\n{name}\r\n".encode())
                if code == 250:
                    self.names.add(name)
        except (smtplib.SMTPException, OSError):
            pass  # the server is gone: what matters is what it said before


def delivered(receiver: BackgroundSink) -> list[str]:
    return [
        headers_of(message.content)["message-id"][0].strip("<>")
        for message in list(receiver.received)
    ]


def test_what_was_acknowledged_is_delivered(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    receiver = BackgroundSink()
    acknowledged = Acknowledged()
    with small_server(tmp_path, {"note": NOTE}, receiver=receiver.port) as server:
        for turn in (1, 2):
            server.start()
            acknowledged.load(server.port, turn * MESSAGES, server.kill)
        server.start()
        assert until(lambda: acknowledged.names <= set(delivered(receiver)), 30)
        assert server.stop() == 0
    receiver.close()
    arrived = delivered(receiver)
    assert all("x-judged" in headers_of(message.content) for message in receiver.received)
    duplicates = len(arrived) - len(set(arrived))
    # One per delivery that the kill interrupted between the receiver's reply and ours noting it.
    record_property("duplicates", duplicates)
    print(f"{len(acknowledged.names)} acknowledged, 0 lost, {duplicates} duplicates")
    assert duplicates <= 2 * IN_FLIGHT
