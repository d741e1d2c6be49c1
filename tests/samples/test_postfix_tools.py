"""Postfix's own load tools on both sides: smtp-source sends, smtp-sink receives, and every message gets through."""

from __future__ import annotations

from pathlib import Path

from testkit.postfix import needs_smtp_sink, smtp_sink, smtp_source
from testkit.small_server import callout, small_server, until

pytestmark = needs_smtp_sink
MESSAGES, SESSIONS, RECIPIENTS, LENGTH = 400, 10, 2, 4096
NOTE = callout("validate_data", "msg, ac, vctx", '  msg:header("X-Judged", "yes")', script="note")


def test_every_message_of_smtp_source_reaches_smtp_sink(tmp_path: Path) -> None:
    folder = tmp_path / "received"
    with (
        smtp_sink(folder, []) as port,
        small_server(tmp_path, {"note": NOTE}, receiver=port) as server,
    ):
        server.start()
        load = {"-s": SESSIONS, "-m": MESSAGES, "-r": RECIPIENTS, "-l": LENGTH}
        addresses = ["-f", "ann@example.test", "-t", "bob@example.test"]
        words = [str(word) for option in load.items() for word in option]
        smtp_source(server.port, *words, *addresses)
        assert until(lambda: server.log("mainlog.ec").count("@D@") >= MESSAGES * RECIPIENTS, 30)
        assert server.stop() == 0
        assert server.log("mainlog.ec").count("@D@") == MESSAGES * RECIPIENTS
    found = [path.read_text(encoding="latin-1") for path in folder.iterdir()]
    assert sum(text.count("X-Rcpt-Args: ") for text in found) == MESSAGES * RECIPIENTS
    assert all(text.count("X-Judged: yes") == 1 for text in found)
