"""A full disk: 452 for what comes, nothing lost of what was acknowledged, and mail again when there is room."""

from __future__ import annotations

import sys
from pathlib import Path

from moonpost.testing.serving import Serving
from moonpost.testing.stage import BackgroundSink
from testkit.small_server import connect, small_server, until

BODY_BYTES = 200_000
# Runs the server with a spool that is full after a few megabytes: no mount, no privileges.
SMALL_DISK = """\
import functools, sys
import moonpost.app.server as app
from moonpost.cli import main
app.LmdbSpool = functools.partial(app.LmdbSpool, max_bytes=24 << 20)
sys.argv = ["moonpost", *sys.argv[1:]]
main()
"""


def send(port: int, name: str) -> int:
    """One message; the code that decided."""
    with connect(port) as client:
        client.mail("ann@example.test")
        client.rcpt("bob@example.test")
        text = f"Message-ID: <{name}>\r\n\r\n" + (name + "." * 60 + "\r\n") * (BODY_BYTES // 70)
        return client.data(text.encode())[0]


def names_of(receiver: BackgroundSink) -> list[str]:
    return [
        line.removeprefix("Message-ID: <").rstrip(">")
        for message in receiver.received
        for line in message.content.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        if line.startswith("Message-ID: ")
    ]


def test_what_was_acknowledged_before_the_disk_was_full_is_delivered(tmp_path: Path) -> None:
    launcher = tmp_path / "small_disk.py"
    launcher.write_text(SMALL_DISK, encoding="utf-8")
    receiver = BackgroundSink()
    try:
        with small_server(tmp_path, {}, receiver=receiver.port) as server:
            receiver.sink.answers["MAIL"] = "451 4.3.0 later"
            server.start(program=[sys.executable, str(launcher)])
            accepted = fill(server)
            receiver.sink.answers.clear()
            assert until(lambda: set(names_of(receiver)) == set(accepted), 40)
            assert until(lambda: send(server.port, "after") == 250)
            assert until(lambda: "after" in names_of(receiver))
            assert server.stop() == 0
    finally:
        receiver.close()


def fill(server: Serving) -> list[str]:
    """Send until the server refuses; the names that were acknowledged."""
    accepted: list[str] = []
    for number in range(200):
        code = send(server.port, f"full-{number}")
        if code != 250:
            break
        accepted.append(f"full-{number}")
    assert code == 452
    assert len(accepted) > 5
    # Still full a moment later, and still talking.
    assert [send(server.port, f"too-much-{n}") for n in range(3)] == [452, 452, 452]
    return accepted
